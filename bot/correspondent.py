"""Somebody who writes to the bot from a terminal: each line is a mail that goes the way of all mails, and is answered.

A mail is accepted as those of the intakes are, by the word of whoever may write to the database. Its answer is shown
and not sent. Where a service runs on the data folder, its worker reads the mail; where none does, one runs here.
"""

from __future__ import annotations

import asyncio
import html
import mimetypes
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import make_msgid
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import sqlalchemy as sa
from sqlalchemy.orm import Session, undefer

from bot.app import open_app
from bot.config import Config
from bot.intake.accept import Acceptor
from bot.intake.entry import enter_into
from bot.intake.received import ReceivedMail
from bot.intake.spool import INLINE_LIMIT_BYTES, MailDigest
from bot.jobs import JobEngine
from bot.locks import DataDirBusy
from bot.opening import check_schema, identity_of, open_blobs, open_database, open_jobs, utc_now
from bot.roles import Role
from core.errors import BadRequest, Unavailable
from core.mail.outgoing import to_bytes
from core.models import Inbound, OutboxMail, User
from core.models.inbound import InboundState
from core.models.outbox import OutboxKind
from core.models.user import UserState
from core.values import Envelope, Peer

ANSWER_SECONDS = 120.0  # a book of 100 MB takes some seconds; a worker on PostgreSQL may have others before us
LOOK_SECONDS = 0.05

_MAILTO = re.compile(r"""href=["'](mailto:[^"']+)["']""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Link:
    """Something to tap: the mail that it writes."""

    to: str
    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Reply:
    """A mail of the bot's, as its reader has it."""

    message: EmailMessage

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        return self._part("plain")

    @property
    def html(self) -> str:
        return self._part("html")

    @property
    def links(self) -> tuple[Link, ...]:
        """In the order in which they stand there."""
        return tuple(link_of(html.unescape(url)) for url in _MAILTO.findall(self.html))

    def _part(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        return str(part.get_content()) if part is not None else ""


def link_of(url: str) -> Link:
    """What a `mailto:` link writes (RFC 6068)."""
    parts = urlsplit(url)
    fields = parse_qs(parts.query.replace("+", "%2B"))  # a plus is a plus there
    return Link(unquote(parts.path), fields.get("subject", [""])[0], fields.get("body", [""])[0])


@dataclass
class Correspondent:
    """Writes as one user, one mail at a time, and waits for each answer."""

    engine: JobEngine
    acceptor: Acceptor
    address: str
    bot_address: str
    attached: list[Path] = field(default_factory=list)
    """What goes with the next mail."""
    last: Reply | None = None

    async def write(self, subject: str, body: str = "", *, to: str = "", reply_to: Reply | None = None) -> Reply | str:
        """The answer; or in one sentence why there is none. Raises `Unavailable` where nobody deals with the mail."""
        mail = self._compose(subject, body, to=to, reply_to=reply_to)
        self.attached.clear()
        reference = await self._accept(to_bytes(mail), rcpt_to=str(mail["To"]))
        return await self._answer(reference)

    async def reply(self, line: str) -> Reply | str:
        """A line as the text of a reply to the last answer. Raises `BadRequest` where there is none."""
        last = self._last()
        return await self.write(f"Re: {last.subject}", line, to=str(last.message["Reply-To"] or ""), reply_to=last)

    async def tap(self, number: int) -> Reply | str:
        """What a tap on the n-th link of the last answer writes. Raises `BadRequest`."""
        links = self._last().links
        if not 1 <= number <= len(links):
            raise BadRequest(f"There is no link {number}.", fix=f"The last answer has {len(links)}.")
        link = links[number - 1]
        return await self.write(link.subject, link.body, to=link.to)

    def _last(self) -> Reply:
        if self.last is None:
            raise BadRequest("There is no answer yet.", fix="Write a line first.")
        return self.last

    def _compose(self, subject: str, body: str, *, to: str, reply_to: Reply | None) -> EmailMessage:
        mail = EmailMessage(policy=policy.SMTP)
        mail["From"], mail["To"], mail["Subject"] = self.address, to or self.bot_address, subject
        mail["Date"], mail["Message-ID"] = utc_now(), make_msgid(domain=self.address.rpartition("@")[2])
        if reply_to is not None:
            mail["In-Reply-To"] = mail["References"] = str(reply_to.message["Message-ID"])
        mail.set_content(body)
        for path in self.attached:
            kind = (mimetypes.guess_type(path.name)[0] or "application/octet-stream").split("/")
            mail.add_attachment(path.read_bytes(), maintype=kind[0], subtype=kind[1], filename=path.name)
        return mail

    async def _accept(self, raw: bytes, *, rcpt_to: str) -> str:
        envelope = Envelope(self.address, (rcpt_to.rpartition("<")[2].rstrip(">"),))
        digest = MailDigest()
        digest.update(raw)
        receipt = await self.acceptor.accept(
            ReceivedMail(
                intake="cli",
                peer=Peer(ip=None, helo="inkpost mail", auth_user=self.address),
                envelope=envelope,
                content=raw if len(raw) <= INLINE_LIMIT_BYTES else await asyncio.to_thread(_as_file, raw),
                size_bytes=len(raw),
                content_hash=digest.content_hash,
                mail_key=digest.mail_key(envelope),
            )
        )
        return receipt.reference

    async def _answer(self, reference: str) -> Reply | str:
        def look(session: Session) -> bytes | str | None:
            return _dealt_with(session, reference)

        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                while (row := await self.engine.in_read(look)) is None:  # noqa: ASYNC110 - rows tell nobody
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError as error:
            raise Unavailable(f"nobody has dealt with {reference} in {ANSWER_SECONDS:.0f} s") from error
        if isinstance(row, str):
            return row
        self.last = Reply(message_from_bytes(row, policy=policy.default))
        return self.last


def _dealt_with(session: Session, reference: str) -> bytes | str | None:
    """The answer to a mail, or why there is none; None while it is not dealt with."""
    mail = session.scalars(sa.select(Inbound).where(Inbound.reference == reference)).one()
    if mail.state is InboundState.ACCEPTED:
        return None
    answered = sa.select(OutboxMail).options(undefer(OutboxMail.head)).where(OutboxMail.inbound_id == mail.id)
    answer = session.scalars(answered.where(OutboxMail.kind == OutboxKind.ANSWER)).first()
    return answer.head if answer is not None else f"No answer: {mail.outcome or mail.state}, {mail.reason}"


def _as_file(raw: bytes) -> Path:
    """The acceptor deletes it."""
    with tempfile.NamedTemporaryFile(prefix="inkpost-", suffix=".eml", delete=False) as file:
        file.write(raw)
    return Path(file.name)


@asynccontextmanager
async def open_correspondent(config: Config, *, address: str) -> AsyncIterator[Correspondent]:
    """Somebody who can write. "" for the one user that there is. Raises what `open_app` raises, and `BadRequest`."""
    async with AsyncExitStack() as stack:
        try:
            app = await stack.enter_async_context(open_app(config, roles=frozenset(Role)))
        except DataDirBusy:
            engine = await stack.enter_async_context(_beside(config))
            acceptor = Acceptor(enter_into(engine), open_blobs(config))
            stack.push_async_callback(acceptor.close)
        else:
            engine, acceptor = app.engine, app.acceptor
            await app.replay()  # before any job: what the relay took must not be sent again
            stack.push_async_callback(_end, asyncio.create_task(app.engine.run_worker(), name="worker"))
        user = await engine.in_read(lambda session: _user(session, address))
        yield Correspondent(engine, acceptor, address=user.address, bot_address=identity_of(config).address)


@asynccontextmanager
async def _beside(config: Config) -> AsyncIterator[JobEngine]:
    """Units of work beside a service that runs."""
    database = open_database(config)
    try:
        check_schema(database)
        yield open_jobs(config, database)
    finally:
        database.dispose()


def _user(session: Session, address: str) -> User:
    active = sa.select(User).where(User.state == UserState.ACTIVE)
    if address:
        user = User.by_address(session, address)
        if user is None or user.state is not UserState.ACTIVE:
            raise BadRequest(f"{address} is no active user.", fix="See: inkpost user list")
        return user
    users = session.scalars(active.limit(2)).all()
    if len(users) != 1:
        raise BadRequest("Who writes?", fix="Name a user: inkpost mail --as ada@example.org")
    return users[0]


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
