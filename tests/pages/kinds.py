"""One of each kind of mail that people get: what the commands answer, what is asked, told unasked, and the letter.

The commands are run by the real handlers over a small library; notices are what the real subscribers write into the
outbox; all are composed and read back as a mail program reads them.
"""

from __future__ import annotations

import base64
import email
import email.policy
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session, undefer

from core.events import ClickNeeded, DeliveryFailed, DeliveryRejected, Event, FeedFailing, FeedGone, NoRefusalSeen
from core.limits import UserLimits
from core.mail.answer import Answer, Problem, Result
from core.mail.compose import AnswerContext, compose_answer
from core.mail.notices import NoticeKind
from core.mail.outgoing import Identity
from core.models import Article, Book, Feed, OutboxMail, Thumbnail, User
from core.models.feed import FeedState
from core.models.outbox import OutboxKind, OutboxState
from core.models.user import UserRole
from core.news.letter import LetterContext, compose_letter
from core.news.one_click import stop_command
from core.references import new_reference
from core.services import build_bus
from core.services.covers import with_covers
from core.staging import BlobKind, blob_key
from core.tokens import TokenSigner
from core.values import RefusedAttachment, Staged, Trust
from core.work import Work
from handlers._digests import preview_answer, stopped_by_click
from handlers._registry import build_grammar, load_handlers, readers_grammar
from tests.factories.issues import make_issue
from tests.factories.news import make_article, make_digest, make_subscription
from tests.factories.news import make_issue as make_sent_issue
from tests.factories.rows import (
    NOW,
    make_book,
    make_device,
    make_outbox_mail,
    make_staged_book,
    make_user,
    open_database,
)
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

    def outcome(self, name: str, group: str, title: str, outcome: Answer | Problem) -> Page:
        return Page(name, group, title, self._composed((Result("", outcome),), self.reader.user))

    def _composed(self, results: tuple[Result, ...], user: User) -> str:
        reference = new_reference()
        context = AnswerContext(
            identity=IDENTITY,
            reference=reference,
            now=NOW,
            user_address=user.address,
            user_name=user.name,
            timezone="Europe/Berlin",
            reply_address=IDENTITY.reply_address(user_id=user.id, reference=reference, now=NOW),
        )
        return html_of(compose_answer(with_covers(self.session, results), context=context).head)

    def told(self, name: str, title: str, event: Event) -> Page:
        """The notice that an event makes."""
        work = Work(self.session, NOW, self.reader.bus)
        work.emit(event)
        self.session.flush()
        newest = sa.select(OutboxMail).options(undefer(OutboxMail.head)).order_by(OutboxMail.id.desc()).limit(1)
        mail = self.session.scalars(newest.where(OutboxMail.kind == OutboxKind.NOTICE)).one()
        return Page(name, "Told unasked", title, html_of(mail.head))


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


def every_kind(folder: Path) -> list[Page]:
    """In the order of the index."""
    with open_database(folder / "pages.db") as engine, Session(engine) as session:
        return list(_pages(_desk(session)))


def _desk(session: Session) -> Desk:
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


def _pages(desk: Desk) -> Iterator[Page]:
    yield from _first(desk)
    yield from _library(desk)
    yield from _problems(desk)
    yield from _kindle(desk)
    yield from _news(desk)
    yield from _house(desk)
    yield from _notices(desk)
    yield from _languages(desk)


def _first(desk: Desk) -> Iterator[Page]:
    group = "First contact"
    yield desk.answer("invite", group, "invite cleo@reader.example Cleo", by=desk.root)
    newest = sa.select(OutboxMail).options(undefer(OutboxMail.head)).order_by(OutboxMail.id.desc()).limit(1)
    yield Page("welcome", group, "The welcome of who was invited", html_of(desk.session.scalars(newest).one().head))
    yield desk.answer("help", group, "help")
    yield desk.answer("help-send", group, "help send")


def _library(desk: Desk) -> Iterator[Page]:
    group = "Library"
    dune = desk.session.scalars(sa.select(Book).where(Book.title == "Dune")).one()
    dune.description = "Set on the desert planet Arrakis, this is the story of Paul Atreides and of a spice."
    dune.series, dune.series_index, dune.genre, dune.tags = "Dune", 1, "Science fiction", ["desert", "classic"]
    yield desk.answer("list", group, "list")
    yield desk.answer("list-second-page", group, "list 2")
    yield desk.answer("find", group, "find dune")
    yield desk.answer("find-nothing", group, "find zettelkasten")
    yield desk.answer("show", group, "show dune messiah")
    yield desk.answer("show-with-all", group, f"show #{dune.id}")
    new = make_staged_book(title="Piranesi", authors=("Susanna Clarke",))
    other = make_staged_book(title="Solaris", authors=("Stanisław Lem",))
    damaged = RefusedAttachment(
        "broken.epub", "file.damaged", "This EPUB is damaged: its end is missing.", "Send it again."
    )
    yield desk.answer("add", group, "", files=(new,))
    yield desk.answer("add-again", group, "", files=(new,))
    yield desk.answer("add-several", group, "", files=(other, new, damaged))
    yield desk.answer("edit", group, "edit piranesi genre=Fantasy tags=house, sea")
    yield desk.answer("remove", group, "remove solaris")
    yield desk.answer("undo", group, "undo")
    yield desk.answer("popular-none", group, "popular")
    yield desk.answer("stats", group, "stats")
    yield desk.answer("shelf", group, "shelf")
    yield desk.answer("several", group, "list 2", "show walden", "frobnicate the thing", "find dune")


def _problems(desk: Desk) -> Iterator[Page]:
    group = "Questions and problems"
    yield desk.answer("empty-mail", group, "")
    yield desk.answer("not-understood", group, "Dear books, could it be that")
    yield desk.answer("did-you-mean", group, "lst my boks")
    yield desk.answer("unsure", group, "delete it")
    yield desk.answer("usage", group, "kindle dance now please")
    yield desk.answer("choice", group, "send dun")
    yield desk.answer("not-found", group, "show zettelkasten")
    yield desk.answer("confirm-needed", group, "remove walden", trust=Trust.DELIVER)
    yield desk.answer("confirm-unknown", group, "confirm abcdefgh")
    yield desk.answer("bad-setting", group, "settings timezone=Mars/Olympus")
    refused = RefusedAttachment("novel.exe", "file.unknown-kind", "This is a program, not a book.", "Send it as EPUB.")
    yield desk.answer("refused-file", group, "", files=(refused,))
    too_much = Problem(
        "limit.commands_an_hour", "That is more than 100 commands an hour, so I did nothing of this mail.",
        "It opens again at 23 Nov 2026, 07:12 (Europe/Berlin). Send it again then.",
    )  # fmt: skip
    yield desk.outcome("limit", group, "A mail over a limit", too_much)


def _kindle(desk: Desk) -> Iterator[Page]:
    group = "Kindle"
    yield desk.answer("kindle-none", group, "kindle")
    yield desk.answer("status-none", group, "status")
    yield desk.answer("kindle-add", group, "kindle add ada_1815@kindle.com")
    make_device(desk.session, desk.reader.user, name="kobo", kind="email", address="ada.kobo@reader.example")
    yield desk.answer("kindle-list", group, "kindle")
    yield desk.answer("kindle-default", group, "kindle default kobo")
    yield desk.answer("send", group, "send dune messiah to kindle")
    yield desk.answer("send-choice", group, "send frank herbert to kobo")
    yield desk.answer("status", group, "status")
    yield desk.answer("kindle-remove", group, "kindle remove kobo")


def _news(desk: Desk) -> Iterator[Page]:
    group = "News"
    session, ada = desk.session, desk.reader.user
    yield desk.answer("feeds-none", group, "feeds")
    yield desk.answer("subscribe", group, "subscribe https://www.quantamagazine.org in Science")
    quanta = make_subscription(session, ada, name="Quanta", section="Science")
    harbour = make_subscription(session, ada, name="The Harbour Post and Maritime Weather Observer")
    harbour.feed.failures, harbour.feed.last_error = 3, "The server of harbour.example did not answer."
    digest = make_digest(session, ada, next_due_at=NOW + timedelta(days=1))
    yield desk.answer("feeds", group, "feeds")
    yield desk.answer("pause", group, "pause quanta")
    yield desk.answer("resume", group, "resume quanta")
    yield desk.answer("rename", group, "rename quanta to Quanta Magazine")
    yield desk.answer("unsubscribe", group, "unsubscribe harbour")
    yield desk.answer("export", group, "export")
    yield desk.answer("digest", group, "digest")
    yield desk.answer("digest-list", group, "digest list")
    yield desk.answer("digest-now", group, "digest now")
    yield desk.answer("later", group, "later https://harbour.example/a-long-story")
    yield desk.answer("read", group, "read https://harbour.example/a-long-story")
    issue = make_sent_issue(session, ada, _stories(session, quanta.feed), digest=digest)
    for word in ("save 2", "more 1", "less 3", "why 1", "send 2"):
        yield desk.answer(word.split()[0] + "-story", group, f"{word} in {issue.reference}")
    stories = [{"title": f"The harbour, part {n}", "detail": "The Harbour Post · 4 min"} for n in range(1, 8)]
    preview = {
        "digest": digest.name,
        "stories": stories,
        "left_out": 3,
        "minutes": 28,
        "next": "Next: 06:30.",
    }
    yield desk.outcome("digest-preview", group, "digest preview", preview_answer(preview, local=NOW))
    yield desk.outcome("digest-stopped", group, "One click on a letter's unsubscribe", stopped_by_click(digest))
    yield _letter("digest-letter", "The letter of a digest", ada)
    yield _letter("digest-letter-full", "The same, in full, and on the Kindle", ada, text_bytes=6000, is_on_kindle=True)
    yield _letter("digest-letter-empty", "A letter of a day without news", ada, stories=0)


def _stories(session: Session, feed: Feed) -> list[Article]:
    titles = (f"How a small proof changed {number} large ones" for number in (3, 4, 5))
    return [make_article(session, feed, title=title) for title in titles]


def _letter(name: str, title: str, user: User, *, stories: int = 6, **more: object) -> Page:
    reference = new_reference()
    context = LetterContext(
        identity=IDENTITY,
        reference=reference,
        now=NOW,
        user_address=user.address,
        reply_address=IDENTITY.reply_address(user_id=user.id, reference=reference, now=NOW),
        in_issue=f" in {reference}",
        off_command=stop_command("Morning paper", reference),
    )
    letter = compose_letter(make_issue(stories), context=replace(context, **more))  # type: ignore[arg-type]
    return Page(name, "News", title, html_of(letter.head))


def _house(desk: Desk) -> Iterator[Page]:
    group = "Yours, the house's and the administrator's"
    yield desk.answer("settings", group, "settings")
    yield desk.answer("settings-changed", group, "settings autosend=on")
    yield desk.answer("secret", group, "secret")
    yield desk.answer("secret-new", group, "secret new")
    yield desk.answer("secret-revoke", group, "secret revoke")
    yield desk.answer("share", group, "share walden with bob")
    yield desk.answer("unshare", group, "unshare walden from bob")
    yield desk.answer("users", group, "users", by=desk.root)
    yield desk.answer("suspend", group, "suspend bob@reader.example", by=desk.root)
    yield desk.answer("quota", group, "quota ada@reader.example", by=desk.root)
    yield desk.answer("totals", group, "totals", by=desk.root)


def _notices(desk: Desk) -> Iterator[Page]:
    session, ada = desk.session, desk.reader.user
    walden = session.scalars(sa.select(Book).where(Book.title == "Walden")).first()
    assert walden is not None

    def delivery(**columns: object) -> OutboxMail:
        return make_outbox_mail(
            session, user=ada, rcpt_to="ada_1815@kindle.com", book_id=walden.id, subject="Book: Walden",
            state=OutboxState.ACCEPTED, **columns,
        )  # fmt: skip

    def failed(mail: OutboxMail) -> Event:
        return DeliveryFailed(
            user_id=ada.id, outbox_id=mail.id, rcpt_to=mail.rcpt_to, reason="550 5.1.1 no such user here"
        )

    def rejected(mail: OutboxMail, kind: NoticeKind) -> Event:
        return DeliveryRejected(user_id=ada.id, outbox_id=mail.id, reason=kind.value, code="E999", words="E999")

    yield desk.told("delivery-failed", "A book that could not be sent", failed(delivery()))
    for kind in (NoticeKind.UNAPPROVED, NoticeKind.REJECTED, NoticeKind.TOO_LARGE):
        mail = delivery(notice="E009: the document could not be processed", rung=9)
        yield desk.told(f"delivery-{kind.value}", f"A book that Amazon refused: {kind.value}", rejected(mail, kind))
    click = delivery(notice="https://www.amazon.com/gp/digital/fiona/confirm?id=1234567890abcdef1234567890abcdef")
    yield desk.told("delivery-click", "A book that Amazon asks about", ClickNeeded(user_id=ada.id, outbox_id=click.id))
    mended = NoRefusalSeen(user_id=ada.id, outbox_id=delivery(rung=1).id)
    yield desk.told("delivery-mended", "A book that was mended and sent again", mended)
    feed = make_subscription(session, ada, name="The Echo").feed
    why = "The server did not answer."
    feed.failing_since = NOW - timedelta(days=3)
    yield desk.told(
        "feed-failing", "A feed that fails", FeedFailing(user_id=None, feed_id=feed.id, url=feed.url, reason=why)
    )
    feed.state = FeedState.GONE
    yield desk.told("feed-gone", "A feed that is no more", FeedGone(user_id=None, feed_id=feed.id, url=feed.url))


def _languages(desk: Desk) -> Iterator[Page]:
    """The same in the other languages: their words are longer."""
    for language in ("de", "es"):
        desk.reader.user.language = language
        for name, line, trust in (
            ("list", "list", Trust.CHANGE), ("help", "help", Trust.CHANGE), ("confirm", "remove emma", Trust.DELIVER),
            ("feeds", "feeds", Trust.CHANGE),
        ):  # fmt: skip
            yield desk.answer(f"{name}-{language}", f"In {language}", line, trust=trust)
