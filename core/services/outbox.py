"""The outbox: every mail that we owe somebody, and the ledger of the attempts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, assert_never

import sqlalchemy as sa
from sqlalchemy.orm import Session, make_transient_to_detached

from core import jobs
from core.db import insert_for
from core.devices import kind_of
from core.errors import BotError, Conflict, NotFound
from core.events import BookSynced, DeliveryFailed
from core.i18n import _
from core.mail.outgoing import OutgoingMail
from core.mail.status import clean_reply
from core.models import Attempt, Book, OutboxMail, SendingStop
from core.models.book import SyncStatus
from core.models.outbox import HANDED_OVER, OPEN_STATES, OutboxKind, OutboxState
from core.pages import Page, fetch_page
from core.ports import Deferred, Delivered, Refused, SendResult
from core.references import parse_reference
from core.services import outbox_statements as statements
from core.services.fetch_links import is_about_size
from core.services.retries import RETRY_SCHEDULE, RetrySchedule, retry_delay_seconds
from core.work import Work

_SYNC_STATUS = {
    OutboxState.QUEUED: SyncStatus.PENDING,
    OutboxState.SENDING: SyncStatus.PENDING,
    OutboxState.ACCEPTED: SyncStatus.ACCEPTED,
    OutboxState.NEEDS_CLICK: SyncStatus.ACCEPTED,
    OutboxState.NO_REFUSAL: SyncStatus.ACCEPTED,
    OutboxState.REJECTED: SyncStatus.FAILED,
    OutboxState.BOUNCED: SyncStatus.FAILED,
    OutboxState.FAILED: SyncStatus.FAILED,
    OutboxState.UNKNOWN: SyncStatus.UNKNOWN,
}
HELD_KINDS = (OutboxKind.DELIVERY, OutboxKind.ISSUE)
"""What a stop holds: answers and notices tell of it."""
_SENT_BACK = frozenset((OutboxState.REJECTED, OutboxState.BOUNCED))


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptToMake:
    """An attempt that stands in the ledger and is now to be made, with all that it takes."""

    outbox_id: int
    number: int
    reference: str
    mail_from: str
    rcpt_to: str
    message_id: str
    head: bytes
    attachment_key: str | None
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """A mail that is to be sent now."""

    rcpt_to: str
    is_unready: bool
    """It is to carry a copy that there is none of yet."""


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How many mails are in a state, and how long the oldest of them has been waiting since it was enqueued."""

    count: int
    oldest_age_seconds: float


class Outbox:
    """The outbox in one transaction."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._session = work.session

    def enqueue(
        self,
        mail: OutgoingMail,
        *,
        cause: str,
        kind: OutboxKind,
        user_id: int | None = None,
        inbound_id: int | None = None,
        book_id: int | None = None,
        device_id: int | None = None,
        heals: OutboxMail | None = None,
        part_of: OutboxMail | None = None,
        part_key: str | None = None,
        wants: str = "",
    ) -> OutboxMail:
        """The row of this mail, its job deferred. A second mail of the same `cause` is not made: the first is returned.

        So a caller that runs twice owes one mail. A delivery turns its book's `sync_status` to pending. `heals` is the
        delivery that was refused and of which this is another try, `part_of` the one with the first part of its copy;
        `wants` is a recipe, whose copy it carries in the end, and `part_key` the part that is made of, if not the book.
        """
        family = heals or part_of
        file = mail.attachment
        row = self._insert(
            {
                "cause": cause, "reference": mail.reference, "kind": kind, "user_id": user_id, "inbound_id": inbound_id,
                "book_id": book_id, "device_id": device_id, "mail_from": mail.mail_from, "rcpt_to": mail.rcpt_to,
                "message_id": mail.message_id, "subject": mail.subject[:500], "head": mail.head,
                "attachment_key": file.key if file else None, "attachment_name": file.filename if file else None,
                "attachment_type": file.media_type if file else None, "size_bytes": mail.size_bytes,
                "created_at": self._work.now, "state": OutboxState.QUEUED,
                "rung": heals.rung + 1 if heals else part_of.rung if part_of else 0,
                "first_id": (heals.first_id or heals.id) if heals else part_of.first_id if part_of else None,
                "whole_id": family.whole_id if family else None, "part_key": part_key, "wants": wants,
            }
        )  # fmt: skip
        if row is None:
            return self._session.scalars(sa.select(OutboxMail).where(OutboxMail.cause == cause)).one()
        self._work.defer(jobs.deliver(row.id, rcpt_to=row.rcpt_to))
        self.refresh_book(row)
        return row

    def waiting_for(self, outbox_id: int) -> Waiting | None:
        """Whom a mail that is to be sent now is for, or None if there is nothing to send.

        A mail that a stop holds stays as it is, and its job ends: `Stops.lift` defers it anew.
        """
        found = self._session.execute(statements.WAITING, {"outbox_id": outbox_id}).one_or_none()
        if found is None:
            return None
        if found.kind in HELD_KINDS:
            stop = SendingStop.holding(self._session, user_id=found.user_id, rcpt_to=found.rcpt_to)
            if stop is not None:
                self._session.execute(
                    sa.update(OutboxMail).where(OutboxMail.id == outbox_id).values(notice=f"held: {stop.reason}")
                )
                return None
        return Waiting(found.rcpt_to, is_unready=bool(found.wants))

    def start_attempt(self, outbox_id: int, *, resends_unknown: bool = False) -> AttemptToMake | None:
        """Write down the next attempt, to be committed before it is made. None: it is accepted, failed or dropped.

        Where nobody can say what became of the last one, since its machine is away, the peer may have the mail; so it
        may also be None, and unknown.
        """
        this = {"outbox_id": outbox_id}
        started = self._session.execute(statements.START, this).one_or_none()
        if started is None:
            open_number = self._session.scalar(statements.OPEN_ATTEMPT, this)
            if open_number is None:
                return None
            self.record_unknown(outbox_id, number=open_number, resends_unknown=resends_unknown)
            self._session.flush()
            started = self._session.execute(statements.START, this).one_or_none()
        if started is None:
            return None
        attempt = AttemptToMake(outbox_id=outbox_id, **started._mapping)
        written = {"outbox_id": outbox_id, "number": attempt.number, "started_at": self._work.now}
        self._session.execute(statements.WRITE_ATTEMPT, written)
        return attempt

    def refuse(self, outbox_id: int, error: BotError) -> None:
        """A mail whose copy cannot be made is not sent: the reader is told what is wrong and how to mend it."""
        mail = self._locked(outbox_id)
        if mail is not None and mail.state in OPEN_STATES and mail.wants:
            self._fail(mail, f"{error.text} {error.fix}".strip(), is_too_large=error.code == "device.size")

    def postpone(self, outbox_id: int, *, seconds: float) -> None:
        """Say when a mail that could not be tried (the relay is down, its provider's pace) will be; not an attempt."""
        self._session.execute(
            sa.update(OutboxMail)
            .where(OutboxMail.id == outbox_id, OutboxMail.state.in_(OPEN_STATES))
            .values(next_try_at=self._work.now + timedelta(seconds=seconds))
        )

    def record_unknown(self, outbox_id: int, *, number: int, resends_unknown: bool) -> None:
        """The process that made attempt `number` is gone, and the peer may have the mail. May run twice."""
        mail, attempt = self._locked(outbox_id), self._session.get(Attempt, (outbox_id, number))
        if mail is None or attempt is None or attempt.result:
            return
        attempt.finished_at, attempt.result = self._work.now, "unknown"
        attempt.reply = "our process ended before the answer came"
        if mail.state is OutboxState.SENDING and mail.attempts == number:
            self._lose_unless_resent(mail, attempt.reply, resends_unknown=resends_unknown)

    def record_interrupted(self, outbox_id: int, *, number: int) -> None:
        """The process that made attempt `number` is gone, and the peer cannot have the mail. May run twice."""
        attempt = self._session.get(Attempt, (outbox_id, number), with_for_update=True)
        if attempt is not None and not attempt.result:
            attempt.finished_at, attempt.result = self._work.now, "interrupted"

    def record(
        self,
        outbox_id: int,
        *,
        number: int,
        result: SendResult,
        jitter: float,
        schedule: RetrySchedule = RETRY_SCHEDULE,
        resends_unknown: bool = False,
    ) -> float | None:
        """Write down what came of attempt `number`; returns the seconds until the next try, None if there is none.

        May run twice for one result. What was accepted stays accepted, whoever says so and however late; other
        results of an attempt that was overtaken are kept with the attempt and change nothing else.
        """
        if isinstance(result, Delivered) and self._accept_letter(outbox_id, result.reply):
            self._finish_attempt(outbox_id, number, result)
            return None
        mail = self._locked(outbox_id)
        if mail is None:
            return None
        is_current = mail.state is OutboxState.SENDING and mail.attempts == number
        is_written = self._finish_attempt(outbox_id, number, result)
        match result:
            case Delivered(reply):
                if mail.state not in HANDED_OVER:
                    self._accept_delivery(mail, reply)
            case Refused(reply):
                if is_current:
                    self._fail(mail, reply, is_too_large=is_about_size(reply))
            case Deferred(reply, is_unknown=is_unknown):
                if not is_current or not is_written:
                    return None
                if not is_unknown or self._lose_unless_resent(mail, reply, resends_unknown=resends_unknown):
                    return self._defer(mail, reply, jitter=jitter, schedule=schedule)
            case _:
                assert_never(result)
        return None

    def find(self, reference: str) -> OutboxMail:
        """The mail of a reference as a person writes it. Raises `NotFound`."""
        wanted = parse_reference(reference)
        mail = self._session.scalars(sa.select(OutboxMail).where(OutboxMail.reference == wanted)).one_or_none()
        if mail is None:
            raise NotFound(
                _("No mail has the reference {reference}.").format(reference=reference), code="mail.not-found"
            )
        return mail

    def of_cause(self, cause: str) -> OutboxMail | None:
        """The mail that was enqueued for this cause."""
        return self._session.scalars(sa.select(OutboxMail).where(OutboxMail.cause == cause)).one_or_none()

    def of_inbound(self, inbound_id: int) -> Sequence[OutboxMail]:
        """The mails that one incoming mail caused, in order."""
        mine = sa.select(OutboxMail).where(OutboxMail.inbound_id == inbound_id).order_by(OutboxMail.id)
        return self._session.scalars(mine).all()

    def attempts(self, outbox_id: int) -> Sequence[Attempt]:
        """The attempts of a mail, in order."""
        return self._session.scalars(
            sa.select(Attempt).where(Attempt.outbox_id == outbox_id).order_by(Attempt.number)
        ).all()

    def list_page(self, *, state: OutboxState | None = None, page: int = 1) -> Page[OutboxMail]:
        """Newest first, all of them or those in one state."""
        query = sa.select(OutboxMail).order_by(OutboxMail.id.desc())
        return fetch_page(self._session, query if state is None else query.where(OutboxMail.state == state), page=page)

    def get_pending(self) -> dict[OutboxState, QueueDepth]:
        """Depth and age of what is still to be sent, by state: for metrics."""
        counted = self._session.execute(
            sa.select(OutboxMail.state, sa.func.count(OutboxMail.id), sa.func.min(OutboxMail.created_at))
            .where(OutboxMail.state.in_(OPEN_STATES))
            .group_by(OutboxMail.state)
        )
        depths = dict.fromkeys(OPEN_STATES, QueueDepth(0, 0.0))
        return depths | {
            state: QueueDepth(count, (self._work.now - oldest).total_seconds()) for state, count, oldest in counted
        }

    def retry(self, reference: str) -> OutboxMail:
        """Have a mail sent again, for the operator: at once, and with all of its tries before it. Raises `Conflict`
        if the relay has taken it."""
        mail = self._locked(self.find(reference).id)
        assert mail is not None
        if mail.state in HANDED_OVER - _SENT_BACK:
            raise Conflict(_("The relay has taken this mail already."), code="mail.accepted")
        if not mail.head:
            raise Conflict(_("The text of this mail is not kept any more."), code="mail.forgotten")
        last = self._session.get(Attempt, (mail.id, mail.attempts))
        if last is not None:
            last.result = "given-up"  # ends the round, so that the tries and their age are counted anew
        mail.state, mail.next_try_at, mail.finished_at = OutboxState.QUEUED, None, None
        self._work.defer(jobs.deliver(mail.id, rcpt_to=mail.rcpt_to))
        self.refresh_book(mail)
        return mail

    def drop(self, reference: str) -> OutboxMail:
        """Never send a mail, for the operator. Raises `Conflict` if the relay has taken it."""
        mail = self._locked(self.find(reference).id)
        assert mail is not None
        if mail.state in HANDED_OVER:
            raise Conflict(_("The relay has taken this mail already."), code="mail.accepted")
        mail.state, mail.next_try_at, mail.finished_at = OutboxState.DROPPED, None, self._work.now
        self.refresh_book(mail)
        return mail

    def forget_texts(self, *, before: datetime, limit: int = 1000) -> int:
        """Forget the text of mails that were given up or dropped and are older than that; how many they were."""
        given_up = (OutboxState.FAILED, OutboxState.UNKNOWN, OutboxState.DROPPED)
        old = (
            sa.select(OutboxMail.id)
            .where(OutboxMail.state.in_(given_up), OutboxMail.created_at < before, OutboxMail.head != b"")
            .limit(limit)
        )
        ids = self._session.scalars(old).all()
        self._session.execute(sa.update(OutboxMail).where(OutboxMail.id.in_(ids)).values(head=b""))
        return len(ids)

    def keep_back(self, mail: OutboxMail) -> None:
        """Never send a mail that was just enqueued: it is read here. Its job finds nothing to do."""
        mail.state, mail.finished_at = OutboxState.DROPPED, self._work.now

    def _locked(self, outbox_id: int) -> OutboxMail | None:
        """The row, held until the commit (on SQLite a writing transaction holds everything anyway)."""
        return self._session.scalars(statements.LOCKED, {"outbox_id": outbox_id}).one_or_none()

    def _insert(self, columns: dict[str, Any]) -> OutboxMail | None:
        """The row, or None where one of its `cause` is there."""
        statement = statements.insert_mail(insert_for(self._session))
        outbox_id = self._session.scalar(statement, columns)
        if outbox_id is None:
            return None
        # What the database has just taken need not be read back from it.
        row = OutboxMail(id=outbox_id, **columns)
        make_transient_to_detached(row)
        self._session.add(row)
        return row

    def _finish_attempt(self, outbox_id: int, number: int, result: SendResult) -> bool:
        """False where the peer is known to have taken the mail with it, or there is no such attempt."""
        is_unknown = isinstance(result, Deferred) and result.is_unknown
        written = {
            "of_mail": outbox_id,
            "of_number": number,
            "finished_at": self._work.now,
            "result": "unknown" if is_unknown else type(result).__name__.lower(),
            "reply": clean_reply(result.reply),
        }
        return bool(self._session.connection().execute(statements.FINISH_ATTEMPT, written).rowcount)

    def _accept_letter(self, outbox_id: int, reply: str) -> bool:
        """Write down that the relay has taken a mail that carries no book; False where it is none such, or was taken.

        One statement, since these are most of all mails: to load a row and to flush it takes six times as long. What
        it said is forgotten, for it holds tokens, and is not needed again: only deliveries are sent once more.
        """
        taken = {"of_mail": outbox_id, "finished_at": self._work.now, "last_reply": clean_reply(reply)}
        return bool(self._session.connection().execute(statements.ACCEPT_LETTER, taken).rowcount)

    def _accept_delivery(self, mail: OutboxMail, reply: str) -> None:
        mail.state, mail.next_try_at, mail.finished_at = OutboxState.ACCEPTED, None, self._work.now
        mail.last_reply, mail.notice = clean_reply(reply), ""
        if quiet := kind_of(mail.rcpt_to).quiet_hours:
            mail.settle_at = self._work.now + timedelta(hours=quiet)
        self.refresh_book(mail)
        if mail.book_id is not None:
            self._session.execute(
                sa.update(Book)
                .where(Book.id == mail.book_id)
                .values(download_count=Book.download_count + 1, last_synced_at=self._work.now)
            )
            if mail.device_id is not None:
                self._work.emit(
                    BookSynced(user_id=mail.user_id, book_id=mail.book_id, device_id=mail.device_id, outbox_id=mail.id)
                )

    def _fail(self, mail: OutboxMail, reply: str, *, is_too_large: bool = False) -> None:
        mail.state, mail.next_try_at, mail.finished_at = OutboxState.FAILED, None, self._work.now
        mail.last_reply = clean_reply(reply)
        self.refresh_book(mail)
        self._work.emit(
            DeliveryFailed(
                user_id=mail.user_id,
                outbox_id=mail.id,
                rcpt_to=mail.rcpt_to,
                reason=mail.last_reply,
                is_too_large=is_too_large,
            )
        )

    def _lose_unless_resent(self, mail: OutboxMail, reply: str, *, resends_unknown: bool) -> bool:
        """Whether a mail that its peer may have is sent again: once, where that is wanted. If not, it is unknown."""
        self._session.flush()
        if resends_unknown and sum(a.result == "unknown" for a in self._round(mail)) == 1:
            return True
        mail.state, mail.next_try_at, mail.finished_at = OutboxState.UNKNOWN, None, self._work.now
        mail.last_reply = clean_reply(reply)
        self.refresh_book(mail)
        return False

    def _defer(self, mail: OutboxMail, reply: str, *, jitter: float, schedule: RetrySchedule) -> float | None:
        mine = self._round(mail)
        tries, age = len(mine), self._work.now - mine[0].started_at
        seconds = retry_delay_seconds(tries, age_seconds=age.total_seconds(), jitter=jitter, schedule=schedule)
        if seconds is None:
            self._fail(mail, f"{reply} (given up after {tries} tries in {age.days} days)")
            return None
        mail.last_reply = clean_reply(reply)
        mail.next_try_at = self._work.now + timedelta(seconds=seconds)
        return seconds

    def _round(self, mail: OutboxMail) -> list[Attempt]:
        """The attempts since the mail was enqueued or retried by the operator."""
        attempts = self.attempts(mail.id)
        ended = max((a.number for a in attempts if a.result == "given-up"), default=0)
        return [a for a in attempts if a.number > ended]

    def refresh_book(self, mail: OutboxMail) -> None:
        """Make a book's `sync_status` that of its newest delivery which the operator did not drop."""
        if mail.kind is not OutboxKind.DELIVERY or mail.book_id is None:
            return
        self._session.flush()
        newest = self._session.scalars(
            sa.select(OutboxMail.state)
            .where(
                OutboxMail.book_id == mail.book_id,
                OutboxMail.kind == OutboxKind.DELIVERY,
                OutboxMail.state != OutboxState.DROPPED,
            )
            .order_by(OutboxMail.id.desc())
            .limit(1)
        ).one_or_none()
        status = SyncStatus.NEVER if newest is None else _SYNC_STATUS[newest]
        self._session.execute(sa.update(Book).where(Book.id == mail.book_id).values(sync_status=status))


def is_current(session: Session, outbox_id: int, *, number: int) -> bool:
    """Whether attempt `number` is still the one to be made. To be asked just before DATA: a worker that stood still
    for longer than its lease may have been overtaken, and the operator may have dropped the mail."""
    return session.scalar(statements.CURRENT, {"outbox_id": outbox_id, "number": number}) is not None
