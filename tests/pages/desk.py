"""Where the mails are written that are looked at: a small library and its reader, and what comes of a command there."""

from __future__ import annotations

import base64
import email
import email.policy
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage

import sqlalchemy as sa
from sqlalchemy.orm import Session, undefer

from core.events import Event
from core.i18n import speaking
from core.limits import UserLimits
from core.mail.answer import Answer, Problem, Result
from core.mail.compose import AnswerContext, compose_answer
from core.mail.outgoing import Identity
from core.models import OutboxMail, Thumbnail, User
from core.models.outbox import OutboxKind
from core.models.user import UserRole
from core.references import new_reference
from core.services import build_bus
from core.services.covers import with_covers
from core.staging import BlobKind, blob_key
from core.tokens import TokenSigner
from core.values import Staged, Trust
from core.work import Work
from handlers._registry import build_grammar, load_handlers, readers_grammar
from handlers._welcome import with_three_steps
from tests.factories.rows import NOW, make_book, make_user
from tests.pages.covers import draw_thumbnail
from tests.support.reader import Reader

IDENTITY = Identity(address="books@inkpost.example", name="Inkpost", signer=TokenSigner(b"k" * 32))
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
SHELF = (
    ("Dune", "Frank Herbert"), ("Emma", "Jane Austen"), ("Ulysses", "James Joyce"),
    ("The Left Hand of Darkness", "Ursula K. Le Guin"), ("Der Zauberberg", "Thomas Mann"),
    ("Cien años de soledad", "Gabriel García Márquez"), ("Middlemarch", "George Eliot"),
    ("The Strange Case of Dr Jekyll and Mr Hyde, with the Author's Own Preface", "R. L. Stevenson"),
    (LONG, "Amtsrat i. R. Dr. Wolkenkratzer-Hohenstaufenstein"), ("Мастер и Маргарита", "Михаил Булгаков"),
    ("源氏物語", "紫式部"), ("Dune Messiah", "Frank Herbert"), ("Persuasion", "Jane Austen"),
    ("Walden", "Henry David Thoreau"),
    ("Moby-Dick; or, The Whale", "Herman Melville"), ("Frankenstein", "Mary Shelley"), ("Dracula", "Bram Stoker"),
    ("Jane Eyre", "Charlotte Brontë"), ("Candide", "Voltaire"), ("Faust", "J. W. von Goethe"),
    ("Don Quijote", "Miguel de Cervantes"), ("Hamlet", "William Shakespeare"), ("Odyssey", "Homer"),
)  # fmt: skip
WITHOUT_COVER = ("Emma", "源氏物語", "Walden", LONG)


@dataclass(frozen=True, slots=True)
class Page:
    """One mail, with its pictures in place of the addresses that mail programs resolve."""

    name: str
    group: str
    title: str
    html: str


@dataclass(frozen=True, slots=True)
class Desk:
    """Ada's library and what she is written."""

    reader: Reader
    root: Reader

    @property
    def session(self) -> Session:
        return self.reader.session

    def answer(
        self,
        name: str,
        group: str,
        *lines: str,
        trust: Trust = Trust.CHANGE,
        files: Sequence[Staged] = (),
        by: Reader | None = None,
    ) -> Page:
        who = by or self.reader
        results = who.results(*lines, attachments=files, trust=trust)
        return Page(name, group, " / ".join(lines) or "(a mail with a book)", self._composed(results, who.user))

    def first_answer(self, name: str, group: str, line: str) -> Page:
        """What somebody gets to the first mail of theirs."""
        results = with_three_steps(self.reader.results(line))
        return Page(name, group, f"{line}, as the first mail", self._composed(results, self.reader.user))

    def outcome(
        self, name: str, group: str, title: str, outcome: Answer | Problem, *, is_for_reader: bool = True
    ) -> Page:
        composed = self._composed((Result("", outcome),), self.reader.user, is_for_reader=is_for_reader)
        return Page(name, group, title, composed)

    def _composed(self, results: tuple[Result, ...], user: User, *, is_for_reader: bool = True) -> str:
        reference = new_reference()
        context = AnswerContext(
            identity=IDENTITY,
            reference=reference,
            now=NOW,
            user_address=user.address,
            user_name=user.name,
            timezone="Europe/Berlin",
            is_for_reader=is_for_reader,
            reply_address=IDENTITY.reply_address(user_id=user.id, reference=reference, now=NOW),
        )
        with speaking(user.language):
            return html_of(compose_answer(with_covers(self.session, results), context=context).head)

    def told(self, name: str, title: str, event: Event) -> Page:
        """The notice that an event makes."""
        work = Work(self.session, NOW, self.reader.bus)
        work.emit(event)
        return self.newest(name, "Told unasked", title)

    def newest(self, name: str, group: str, title: str) -> Page:
        """The notice that was written last."""
        self.session.flush()
        newest = sa.select(OutboxMail).options(undefer(OutboxMail.head)).order_by(OutboxMail.id.desc()).limit(1)
        mail = self.session.scalars(newest.where(OutboxMail.kind == OutboxKind.NOTICE)).one()
        return Page(name, group, title, html_of(mail.head))


def html_of(raw: bytes) -> str:
    """The HTML of a mail, its `cid:` pictures in it as `data:`."""
    message = email.message_from_bytes(raw, _class=EmailMessage, policy=email.policy.default)
    part = message.get_body(("html",))
    assert part is not None
    html = str(part.get_content())
    for picture in (each for each in message.walk() if each.get_content_maintype() == "image"):
        data = base64.b64encode(picture.get_content()).decode("ascii")
        html = html.replace(f"cid:{str(picture['Content-ID']).strip('<>')}", f"data:image/jpeg;base64,{data}")
    return html


def make_desk(session: Session) -> Desk:
    handlers, bus = load_handlers(), build_bus(IDENTITY)
    ada = make_user(session, address="ada@reader.example", name="Ada Byron", timezone="Europe/Berlin", language="en")
    root = make_user(session, address="root@reader.example", name="Rosa", role=UserRole.ADMINISTRATOR)
    make_user(session, address="bob@reader.example", name="Bob Miller")
    for title, author in reversed(SHELF):
        key = None
        if title not in WITHOUT_COVER:
            key = blob_key(BlobKind.COVER, hashlib.sha256(title.encode()).hexdigest(), extension="jpg")
            Thumbnail.keep(session, key, draw_thumbnail(title))
        make_book(session, ada, title=title, authors=(author,), cover_key=key)
    limits = UserLimits(library_books=30)
    administrators = build_grammar(handlers)
    return Desk(
        Reader(session, ada, readers_grammar(handlers), handlers, bus, limits=limits),
        Reader(session, root, administrators, handlers, bus),
    )
