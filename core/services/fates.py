"""What becomes of a mail behind the relay, as far as anybody says: refusals, requests to confirm, reports, silence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, assert_never

import sqlalchemy as sa

from core.devices import kind_of
from core.events import ClickNeeded, DeliveryRejected, MailBounced, NoRefusalSeen
from core.mail.dsn import Bounce, BounceKind
from core.mail.notices import CLICK_HOURS, Notice, NoticeKind
from core.mail.outgoing import attachment_name
from core.mail.status import clean_reply, is_bad_address
from core.models import OutboxMail
from core.models.outbox import HANDED_OVER, OutboxKind, OutboxState
from core.models.sending_stop import scope_of_address, scope_of_kind, scope_of_user
from core.services.outbox import Outbox
from core.services.stops import Stops
from core.work import Work

LOOK_BACK: Final = timedelta(days=7)  # a notice that is older than that is about nothing that can be mended
SLACK: Final = timedelta(minutes=15)  # between the relay's 250 and the minute that the gateway names
UNDATED: Final = timedelta(hours=2)  # how long before a notice without a minute its delivery may have gone out
MOST_BOUNCES: Final = 3  # mails in a row that come back from an address before nothing is sent to it
MOST_LOOKED_AT: Final = 50  # mails to it: answers lie between, which tell nothing
SETTLED_AT_ONCE: Final = 500


class Fates:
    """Deliveries and other mails after the relay has taken them, in one transaction."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._session = work.session

    def take_notice(self, notice: Notice, *, rcpt_tos: Iterable[str], user_id: int | None = None) -> list[OutboxMail]:
        """Write a gateway's notice down at the deliveries that it is about; [] where they cannot be told.

        `rcpt_tos` are the addresses it came to: it answers what was sent from one of them. `user_id` confines it to one
        reader's deliveries, who has passed it on. Whoever calls has made sure that the gateway wrote it.
        """
        if notice.kind is NoticeKind.SUSPENDED and user_id is None:
            for domain in notice.domains[:1]:
                scope = scope_of_kind(kind_of(f"@{domain}").key)
                Stops(self._work).stop(scope, user_id=None, reason="sender-suspended", words=notice.words)
        mails = self._about(notice, {rcpt.lower() for rcpt in rcpt_tos}, user_id=user_id)
        for mail in mails:
            self._apply(mail, notice)
        return mails

    def _apply(self, mail: OutboxMail, notice: Notice) -> None:
        mail.notice = clean_reply(notice.link or notice.words)
        match notice.kind:
            case NoticeKind.VERIFY:
                mail.state = OutboxState.NEEDS_CLICK
                mail.settle_at = self._work.now + timedelta(hours=CLICK_HOURS)
                self._work.emit(ClickNeeded(user_id=mail.user_id, outbox_id=mail.id))
                return
            case NoticeKind.UNAPPROVED if mail.user_id is not None:
                scope = scope_of_user(mail.user_id, kind_of(mail.rcpt_to).key)
                Stops(self._work).stop(scope, user_id=mail.user_id, reason="unapproved-sender", words=notice.words)
            case (
                NoticeKind.REJECTED
                | NoticeKind.FORMAT
                | NoticeKind.NO_ATTACHMENT
                | NoticeKind.TOO_LARGE
                | NoticeKind.SUSPENDED
                | NoticeKind.UNAPPROVED
                | NoticeKind.UNKNOWN
            ):
                pass
            case _:
                assert_never(notice.kind)
        if notice.kind is not NoticeKind.UNKNOWN:
            mail.state, mail.settle_at = OutboxState.REJECTED, None
            Outbox(self._work).refresh_book(mail)
        self._work.emit(
            DeliveryRejected(
                user_id=mail.user_id,
                outbox_id=mail.id,
                reason=notice.kind.value,
                code=notice.code,
                words=notice.words,
            )
        )

    def _about(self, notice: Notice, senders: set[str], *, user_id: int | None) -> list[OutboxMail]:
        """By file name, else by minute: the newest where several fit, and none where they are several readers'."""
        candidates = self._candidates(notice, senders, user_id=user_id)
        if notice.files:
            named = [_nearest(_of_file(candidates, name), notice.sent_at) for name in notice.files]
            return list(dict.fromkeys(mail for mail in named if mail is not None))
        at = notice.sent_at
        if at is not None:
            near = [mail for mail in candidates if at - SLACK <= _handed_over(mail) <= at + timedelta(minutes=2)]
        else:
            near = [mail for mail in candidates if self._work.now - UNDATED <= _handed_over(mail)]
        if len({mail.user_id for mail in near}) != 1:
            return []
        nearest = _nearest(near, at)
        return [nearest] if nearest is not None else []

    def _candidates(self, notice: Notice, senders: set[str], *, user_id: int | None) -> Sequence[OutboxMail]:
        sent = sa.select(OutboxMail).where(
            OutboxMail.kind == OutboxKind.DELIVERY,
            OutboxMail.state.in_((OutboxState.ACCEPTED, OutboxState.NEEDS_CLICK, OutboxState.NO_REFUSAL)),
            OutboxMail.created_at > self._work.now - LOOK_BACK,
            sa.or_(*(OutboxMail.rcpt_to.like(f"%@{domain}") for domain in notice.domains)),
        )
        if user_id is not None:
            sent = sent.where(OutboxMail.user_id == user_id)
        if notice.rcpt_to:
            sent = sent.where(OutboxMail.rcpt_to == notice.rcpt_to)
        found = self._session.scalars(sent.order_by(OutboxMail.id.desc()).limit(2000)).all()
        return found if user_id is not None else [mail for mail in found if mail.mail_from.lower() in senders]

    def take_bounce(self, bounce: Bounce) -> OutboxMail | None:
        """Write a report down at the mail that it is about; None if it is none of ours, or nothing new."""
        mine = sa.select(OutboxMail).where(
            OutboxMail.message_id.in_(bounce.message_ids[:100]), OutboxMail.state.in_(HANDED_OVER)
        )
        mail = self._session.scalars(mine.order_by(OutboxMail.id.desc()).limit(1)).one_or_none()
        if mail is None or mail.state in (OutboxState.BOUNCED, OutboxState.REJECTED):
            return None
        mail.notice = clean_reply(bounce.reply)
        if bounce.kind is BounceKind.FAILED:
            mail.state, mail.settle_at = OutboxState.BOUNCED, None
            Outbox(self._work).refresh_book(mail)
            self.stop_if_it_keeps_bouncing(mail, words=mail.notice)
            self._work.emit(
                MailBounced(user_id=mail.user_id, outbox_id=mail.id, rcpt_to=mail.rcpt_to, words=mail.notice)
            )
        return mail

    def stop_if_it_keeps_bouncing(self, mail: OutboxMail, *, words: str) -> None:
        """Send nothing more to an address that has sent back, or refused for itself, so many mails in a row."""
        self._session.flush()
        if self._keeps_bouncing(mail):
            scope = scope_of_address(mail.rcpt_to)
            Stops(self._work).stop(scope, user_id=mail.user_id, reason="bounces", words=words)

    def _keeps_bouncing(self, mail: OutboxMail) -> bool:
        newest = (
            sa.select(OutboxMail.state, OutboxMail.mail_from, OutboxMail.last_reply)
            .where(
                OutboxMail.user_id == mail.user_id,
                OutboxMail.rcpt_to == mail.rcpt_to,
                OutboxMail.state.in_((*HANDED_OVER, OutboxState.FAILED)),
            )
            .order_by(OutboxMail.id.desc())
            .limit(MOST_LOOKED_AT)
        )
        told = [
            row.state in (OutboxState.BOUNCED, OutboxState.FAILED)
            for row in self._session.execute(newest)
            # Nobody reports on a mail with the null reverse-path, as answers have: that it was accepted says nothing.
            if (row.mail_from if row.state is not OutboxState.FAILED else is_bad_address(row.last_reply))
        ][:MOST_BOUNCES]
        return len(told) == MOST_BOUNCES and all(told)

    def settle(self) -> int:
        """Turn silence that has lasted long enough into `NO_REFUSAL`; how many deliveries that were."""
        due = sa.select(OutboxMail).where(OutboxMail.settle_at <= self._work.now)
        mails = self._session.scalars(due.order_by(OutboxMail.settle_at).limit(SETTLED_AT_ONCE)).all()
        for mail in mails:
            mail.settle_at = None
            if mail.state in (OutboxState.ACCEPTED, OutboxState.NEEDS_CLICK):
                mail.state = OutboxState.NO_REFUSAL
                self._work.emit(NoRefusalSeen(user_id=mail.user_id, outbox_id=mail.id))
        return len(mails)


def _handed_over(mail: OutboxMail) -> datetime:
    return mail.finished_at or mail.created_at


def _of_file(candidates: Iterable[OutboxMail], name: str) -> list[OutboxMail]:
    """Those whose attachment has this name, as far as a gateway writes it as we did."""
    wanted = _plain(name)
    return [mail for mail in candidates if mail.attachment_name is not None and _plain(mail.attachment_name) == wanted]


def _plain(name: str) -> str:
    """A file name without what mail programs and gateways change: blanks, underscores, case, letters beyond ASCII."""
    stem, _, extension = name.rpartition(".")
    ascii_name = attachment_name(title=stem or name, authors=(), storage_key="x/x", extension=extension)
    return "".join(letter for letter in ascii_name.lower() if letter.isalnum())


def _nearest(mails: Sequence[OutboxMail], at: datetime | None) -> OutboxMail | None:
    if at is None:
        return mails[0] if mails else None
    return min(mails, key=lambda mail: abs(_handed_over(mail) - at), default=None)
