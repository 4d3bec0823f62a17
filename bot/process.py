"""The job `process_mail`: read an accepted mail, decide whether to obey it, do what it says, answer once."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from bot.authenticate import OriginUnknown, by_secret
from bot.counting import LibraryCounter
from bot.doors import Doors
from bot.health import Metrics
from bot.jobs import JobEngine, RetryLater
from bot.jobs_retry import next_delay_seconds
from bot.news.one_click import stop_digest
from bot.quotas import UserQuotas
from bot.reports import Report, take_passed_on
from bot.sandbox import Sandbox, SandboxError
from bot.staging import OPEN_TIMEOUT_SECONDS, Stager
from bot.strangers import Strangers
from core.books.mailed import Mailed, read_mailed
from core.errors import Unavailable
from core.i18n import SOURCE, _, speaking
from core.limits import Closed
from core.mail.answer import Problem, Result
from core.mail.authenticity import OurAddresses
from core.mail.commands import read_commands
from core.mail.compose import local_time
from core.mail.grammar import Command, Grammar, Misreading, NotUnderstood
from core.mail.language import language_of
from core.mail.message import ParsedMessage
from core.mail.outgoing import Identity
from core.mail.parse import parse_message
from core.mail.routes import Arrival, Route, way_of_a_reader
from core.models import Inbound, User
from core.models.inbound import InboundState
from core.news.one_click import stopped_letter
from core.ports import Authenticator, BlobStore
from core.services.answers import Answers
from core.services.counted import Counted
from core.services.digests import digest_of_letter
from core.services.fetch_links import MakeLink
from core.services.forwards import Forwards
from core.services.inbox import Inbox, Taken
from core.services.threads import Thread, Threads
from core.services.unreachable import welcome_back
from core.tokens import TokenSigner
from core.values import BookFormat, Envelope, Peer, SenderVerdict, Staged, StagedBook, Trust
from core.work import Work
from handlers._dispatch import Mail, dispatch
from handlers._forwarded import ask_about
from handlers._registry import Handler
from handlers._welcome import with_three_steps

log = structlog.get_logger(__name__)

SMALL_MAIL_BYTES = 64 * 1024  # reads in about a millisecond: a thread is cheaper than the way to another process
PARSE_TIMEOUT_SECONDS = 30.0
RAW = "mail.eml"
_NOTHING_DONE = frozenset({"silent", "unbelieved", "stranger", "report", "notice"})
ATTEMPTS = 8  # of a mail that breaks us: 1 + 2 + ... + 64 s, two minutes in all, before it is set aside


@dataclass(frozen=True, slots=True)
class _Accepted:
    """What the ledger knows of a mail that is to be read."""

    id: int
    reference: str
    intake: str
    envelope: Envelope
    peer: Peer
    size_bytes: int
    raw: bytes | None
    raw_key: str | None
    received_at: datetime
    by_secret: SenderVerdict | None
    """Whose mail it is by the secret address that it came to; None where it came to nobody's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailProcessor:
    """Runs again after any crash: what was done stands in the ledger and is not done twice."""

    engine: JobEngine
    blobs: BlobStore
    sandbox: Sandbox
    stager: Stager
    authenticator: Authenticator
    doors: Doors
    strangers: Strangers
    ours: OurAddresses
    identity: Identity
    signer: TokenSigner
    handlers: Mapping[str, Handler]
    grammar: Grammar
    """Of readers."""
    administrators: Grammar
    """With the commands that others do not have."""
    quotas: UserQuotas
    counter: LibraryCounter
    converted: frozenset[BookFormat]
    """Formats of which calibre makes EPUBs here."""
    make_link: MakeLink
    metrics: Metrics
    work_root: Path
    """Folder for what a mail is taken apart into; emptied at start."""
    patience: timedelta
    """How long a mail waits for name servers."""

    async def process(self, inbound_id: int) -> None:
        """The job. Raises `RetryLater` and `Unavailable`; a mail that breaks us again and again is set aside."""
        accepted = await self.engine.in_read(lambda session: self._load(session, inbound_id))
        if accepted is None:
            return
        with structlog.contextvars.bound_contextvars(reference=accepted.reference):
            try:
                with tempfile.TemporaryDirectory(dir=self.work_root) as folder:
                    outcome = await self._process(accepted, work_dir=Path(folder))
            except (Unavailable, asyncio.CancelledError):
                raise
            except Exception as error:  # a job ends here: the mail is kept, tried again, and set aside in the end
                log.exception("mail could not be processed")
                outcome = await self._count_failure(inbound_id, reason=f"{type(error).__name__}: {error}")
            self.metrics.mail_processed(outcome)

    async def _process(self, accepted: _Accepted, *, work_dir: Path) -> str:
        mailed = await self._read(accepted, work_dir=work_dir)
        try:
            return await self._judge(accepted, mailed, work_dir=work_dir)
        except OriginUnknown as error:
            return await self._wait_for_names(accepted, mailed.message, error)

    async def _judge(self, accepted: _Accepted, mailed: Mailed, *, work_dir: Path) -> str:
        """What to make of the mail, and make it. Raises `OriginUnknown`."""
        message = mailed.message
        arrival = Arrival(
            message=message, envelope=accepted.envelope, ours=self.ours, is_fetched=accepted.intake == "imap"
        )
        report = await self.doors.open(arrival, accepted.peer, raw=work_dir / RAW)
        if report is not None:
            return await self._close(accepted, message, report)
        verdict = await self._whose(accepted, message, raw=work_dir / RAW)
        if verdict.user_id is None:
            told = None
            if verdict.is_stranger:
                told = await self.strangers.answer(arrival, accepted.peer, raw=work_dir / RAW, why=verdict.why)
            return await self._close(accepted, message, told or Report("unbelieved", verdict.why, _nothing))
        grammar = self.administrators if verdict.is_administrator else self.grammar
        thread = await self._thread(accepted, message, user_id=verdict.user_id)
        commands = read_commands(message, grammar, meanings=thread.meanings, is_too_old=thread.is_too_old)
        route = way_of_a_reader(replace(arrival, commands=commands)).route
        if thread.is_somebody_elses:
            route, commands = Route.QUESTION, (NotUnderstood("", reason=Misreading.SOMEBODY_ELSES),)
        if route in (Route.PASSED_ON, Route.FORWARDED):
            commands = ()  # what is in it is not what its reader asks for
        wanted = any(isinstance(one, Command) and grammar.specs[one.name].takes_attachments for one in commands)
        uploads = sum(not one.is_inline for one in message.attachments) if wanted else 0
        with self.quotas.counted(
            verdict.user_id,
            trust=verdict.trust,
            at=accepted.received_at,
            commands=max(1, len(commands)),
            uploads=uploads,
        ) as closed:
            if closed is not None:
                return await self._turn_away(accepted, message, verdict=verdict, commands=commands, closed=closed)
            staged = await self._stage(mailed, verdict.language, work_dir=work_dir) if wanted else ()
            counted = await self.counter.count(verdict.user_id, commands)
            outcome = await self.engine.in_work(
                lambda work: self._answer(
                    work,
                    accepted,
                    message,
                    route=route,
                    verdict=verdict,
                    thread=thread,
                    commands=commands,
                    staged=staged,
                    counted=counted,
                )
            )
        size_bytes = sum(one.size_bytes for one in staged if isinstance(one, StagedBook))
        self.quotas.note_stored(verdict.user_id, trust=verdict.trust, at=accepted.received_at, size_bytes=size_bytes)
        return outcome

    def _load(self, session: Session, inbound_id: int) -> _Accepted | None:
        """The mail, if it is still to be processed."""
        row = session.execute(_TO_READ, {"inbound_id": inbound_id}).one_or_none()
        if row is None:
            return None
        return _Accepted(
            id=row.id,
            reference=row.reference,
            intake=row.intake,
            envelope=Envelope(row.mail_from, tuple(row.rcpt_tos)),
            peer=Peer(row.peer_ip, row.helo, row.auth_user, row.tls, row.mailbox),
            size_bytes=row.size_bytes,
            raw=row.raw,
            raw_key=row.raw_key,
            received_at=row.received_at,
            by_secret=by_secret(session, self.ours.secrets_in(row.rcpt_tos)),
        )

    async def _whose(self, accepted: _Accepted, message: ParsedMessage, *, raw: Path) -> SenderVerdict:
        """Raises `OriginUnknown`. What the mail's address has told already is not asked again."""
        if accepted.by_secret is not None and message.author is not None:
            return accepted.by_secret
        return await self.authenticator.authenticate(message, accepted.envelope, accepted.peer, raw=raw)

    async def _thread(self, accepted: _Accepted, message: ParsedMessage, *, user_id: int) -> Thread:
        """What the mail answers. One that answers nothing costs no question."""
        tokens = self.ours.reply_tokens_in(accepted.envelope.rcpt_tos)
        replied_to = (*message.in_reply_to, *reversed(message.references))
        if not tokens and not replied_to:
            return Thread()

        def find(session: Session) -> Thread:
            threads = Threads(session, user_id=user_id, identity=self.identity, signer=self.signer)
            return threads.find(tokens=tokens, replied_to=replied_to, now=accepted.received_at)

        return await self.engine.in_read(find)

    async def _stage(self, mailed: Mailed, language: str, *, work_dir: Path) -> tuple[Staged, ...]:
        """The files of a mail; what is wrong with them is said in the language of the answer."""
        message = mailed.message
        with speaking(language or language_of(message) or SOURCE):
            return await self.stager.stage(message.attachments, work_dir=work_dir, opened=mailed.opened)

    async def _read(self, accepted: _Accepted, *, work_dir: Path) -> Mailed:
        """The mail; its books too where it came to the secret address of a reader, who most likely wants them kept.
        Files of strangers are not opened for nothing."""
        path, parts = work_dir / RAW, work_dir / "parts"
        if accepted.size_bytes <= SMALL_MAIL_BYTES:
            return Mailed(await asyncio.to_thread(self._read_small, accepted, path, parts))
        await asyncio.to_thread(self._write_raw, accepted, path)
        if accepted.by_secret is not None and accepted.by_secret.user_id is not None:
            try:
                return await self.sandbox.run(
                    read_mailed,
                    path,
                    work_dir=work_dir / "together",
                    language=accepted.by_secret.language,
                    limits=self.stager.limits,
                    timeout_seconds=OPEN_TIMEOUT_SECONDS,
                )
            except SandboxError as error:  # one by one, to know which of them it was
                log.info("mail is not read with its books", reason=str(error))
        return Mailed(
            await self.sandbox.run(parse_message, path, work_dir=parts, timeout_seconds=PARSE_TIMEOUT_SECONDS)
        )

    def _read_small(self, accepted: _Accepted, path: Path, parts: Path) -> ParsedMessage:
        self._write_raw(accepted, path)
        return parse_message(path, work_dir=parts)

    def _write_raw(self, accepted: _Accepted, path: Path) -> None:
        if accepted.raw_key is None:
            path.write_bytes(accepted.raw or b"")
        else:
            self.blobs.get_file(accepted.raw_key, path)

    def _answer(
        self,
        work: Work,
        accepted: _Accepted,
        message: ParsedMessage,
        *,
        route: Route,
        verdict: SenderVerdict,
        thread: Thread,
        commands: Sequence[Command | NotUnderstood],
        staged: tuple[Staged, ...],
        counted: Counted,
    ) -> str:
        """Transaction T1: everything that the mail does, its one answer, and the end of it in the ledger."""
        inbox = Inbox(work)
        taken = inbox.take_of(accepted.id, user_id=verdict.user_id)
        if taken is None:  # the operator dropped it, or another worker that was taken for dead has done it
            return "overtaken"
        if _is_copy(inbox, taken, message):
            return "duplicate"
        row, user = taken.mail, taken.user
        grammar = self.administrators if user.is_administrator else self.grammar
        mail = Mail(
            user=user,
            trust=Trust.CHANGE if _ends_own_digest(work, message, commands, user=user) else verdict.trust,
            attachments=staged,
            replied_to=thread.replied_to,
            is_too_old=thread.is_too_old,
            reference=accepted.reference,
            identity=self.identity,
            signer=self.signer,
            counted=counted,
            converted=self.converted,
            make_link=self.make_link,
        )
        if not user.language and (shown := language_of(message, commands)):
            user.language = shown
        with speaking(user.language):
            match route:
                case Route.PASSED_ON:
                    results: tuple[Result, ...] = (take_passed_on(work, message, user_id=user.id),)
                case Route.FORWARDED:
                    results = (Result("", ask_about(Forwards(work).keep(row, message, user_id=user.id))),)
                case _:
                    results = dispatch(work, mail, commands=commands, handlers=self.handlers, grammar=grammar)
        with speaking(user.language):  # a command may have changed it
            if message.author is not None and message.author.address.lower() == user.address:
                results = (*results, *filter(None, (welcome_back(work, user),)))
            if user.first_mail_at is None:
                results = with_three_steps(results)
                user.first_mail_at = work.now
            Answers(work).enqueue(
                results,
                user=user,
                inbound=row,
                message=message,
                identity=self.identity,
                reply_address=self._secret_address(accepted, user),
            )
        inbox.close(row, outcome="answered", reason=verdict.why, message=message, user_id=user.id)
        return "answered"

    async def _turn_away(
        self,
        accepted: _Accepted,
        message: ParsedMessage,
        *,
        verdict: SenderVerdict,
        commands: Sequence[Command | NotUnderstood],
        closed: Closed,
    ) -> str:
        """Do nothing of a mail that is too much. The first one that a window turns away is told when it opens again,
        the others are met with silence: who writes so many is a machine, and would be answered as often."""

        def turn_away(work: Work) -> str:
            inbox = Inbox(work)
            taken = inbox.take_of(accepted.id, user_id=verdict.user_id)
            if taken is None:
                return "overtaken"
            if _is_copy(inbox, taken, message):
                return "duplicate"
            row, user = taken.mail, taken.user
            with speaking(user.language):
                answer = Answers(work).enqueue(
                    (Result(commands[0].line if len(commands) == 1 else "", _too_much(closed, user.timezone)),),
                    user=user,
                    inbound=row,
                    message=message,
                    identity=self.identity,
                    reply_address=self._secret_address(accepted, user),
                    cause=closed.cause,
                )
            told = "" if answer.inbound_id == row.id else f"; {answer.reference} has said so"
            reason = f"more than {closed.window.words}, until {closed.opens_at:%Y-%m-%d %H:%M} UTC{told}"
            inbox.turn_away(row, reason=reason, message=message, user_id=user.id)
            return "limited"

        outcome = await self.engine.in_work(turn_away)
        log.info("mail turned away", outcome=outcome, why=f"more than {closed.window.words}")
        return outcome

    def _secret_address(self, accepted: _Accepted, user: User) -> str:
        """The user's secret address if they wrote to it: what they tap in the answer is then as sure as their mail.
        "" if they did not, or if it is theirs no more: their secret stands in no mail that they did not ask for there.
        """
        address = self.ours.secret_address(accepted.envelope.rcpt_tos)
        return address if address and user.has_secret(self.ours.secrets_in([address])[0]) else ""

    async def _close(self, accepted: _Accepted, message: ParsedMessage, report: Report) -> str:
        """No command, no reply to its author: the ledger keeps why. But one click on a letter ends its digest."""

        def close(work: Work) -> str:
            inbox = Inbox(work)
            row = inbox.take(accepted.id)
            if row is None:
                return "overtaken"
            stopped = None
            if report.outcome in _NOTHING_DONE:
                stopped = self._stop_digest(work, message.subject, cause=f"stopped:{accepted.reference}")
            done = "one-click" if stopped is not None else report.outcome
            reason = f"{report.reason}{report.note(work)}"
            inbox.close(row, outcome=done, reason=reason, message=message, user_id=stopped or report.user_id)
            return done

        done = await self.engine.in_work(close)
        log.info("mail met with silence", outcome=done, why=report.reason)
        return done

    def _stop_digest(self, work: Work, subject: str, *, cause: str) -> int | None:
        """Obey the mail of a letter's List-Unsubscribe, which a mail service sends for its reader and which nobody is
        believed for: its token is proof enough for what can be taken back. The user that it stopped a digest of."""
        reference = stopped_letter(subject)
        return stop_digest(work, reference, identity=self.identity, cause=cause) if reference is not None else None

    async def _wait_for_names(self, accepted: _Accepted, message: ParsedMessage, error: OriginUnknown) -> str:
        """Raise `error`, for the engine's policy to try again, until the mail has waited for long enough."""
        now = await self.engine.in_work(lambda work: work.now)
        if now - accepted.received_at < self.patience:
            raise error
        return await self._close(accepted, message, Report("unbelieved", f"{error}, for {self.patience}", _nothing))

    async def _count_failure(self, inbound_id: int, *, reason: str) -> str:
        attempts = await self.engine.in_work(
            lambda work: Inbox(work).count_failure(inbound_id, reason=reason, limit=ATTEMPTS)
        )
        if attempts >= ATTEMPTS:
            return "set-aside"
        raise RetryLater(next_delay_seconds(attempts, base=1, cap=300, jitter=0) or 0)


def _nothing(_work: Work) -> str:
    return ""


def _ends_own_digest(
    work: Work, message: ParsedMessage, commands: Sequence[Command | NotUnderstood], *, user: User
) -> bool:
    """Whether all that a mail asks for is the end of a digest, in the words of its letter: who has the letter may do
    that whoever they are (`_stop_digest`), so that its reader is not asked back about it."""
    reference = stopped_letter(message.subject)
    if reference is None or len(commands) != 1:
        return False
    digest = digest_of_letter(work.session, reference)
    return digest is not None and digest.user_id == user.id


def _is_copy(inbox: Inbox, taken: Taken, message: ParsedMessage) -> bool:
    """Whether the mail was answered before, having come by another way; then that is the end of this one."""
    first = taken.copy_of
    if first is None:
        return False
    why = f"the same mail came by {first.intake} as {first.reference}"
    inbox.close(taken.mail, outcome="duplicate", reason=why, message=message, user_id=taken.user.id)
    return True


def _too_much(closed: Closed, timezone: str) -> Problem:
    return Problem(
        code=f"limit.{closed.window.name}",
        text=_("That is more than {words}, so I did nothing of this mail.").format(words=closed.window.words),
        fix=_(
            "It opens again at {local_time}. Send it again then, and also what you write until "
            "then: I will not answer that."
        ).format(local_time=local_time(closed.opens_at, timezone)),
    )


_TABLE = Inbound.metadata.tables[Inbound.__tablename__]
_TO_READ = sa.select(
    *(
        _TABLE.c[name]
        for name in (
            "id", "reference", "intake", "mail_from", "rcpt_tos", "peer_ip", "helo", "auth_user", "tls", "mailbox",
            "size_bytes", "raw", "raw_key", "received_at",
        )
    )
).where(_TABLE.c.id == sa.bindparam("inbound_id"), _TABLE.c.state == InboundState.ACCEPTED)  # fmt: skip
