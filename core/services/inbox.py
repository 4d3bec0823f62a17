"""The inbox: the ledger of accepted mails, what became of each, and what operators may do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import undefer
from sqlalchemy.orm.attributes import set_committed_value

from core.errors import Conflict, NotFound
from core.i18n import _
from core.jobs import process_mail
from core.mail.authenticity import without_secret
from core.mail.message import ParsedMessage
from core.models import DoomedBlob, Inbound, User
from core.models.inbound import InboundState
from core.pages import Page, fetch_page
from core.references import parse_reference
from core.staging import BlobKind
from core.work import Work


@dataclass(frozen=True, slots=True)
class Taken:
    """A mail that is to be processed, and whose it is."""

    mail: Inbound
    user: User
    copy_of: Inbound | None
    """The mail that was answered before and that this one is a copy of, come by another way.

    By user: somebody else's copy is somebody else's mail. Two copies in two transactions at one time are kept apart by
    the index, and the later one is processed again.
    """


class Inbox:
    """The inbound ledger in one transaction."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._session = work.session

    def take(self, inbound_id: int) -> Inbound | None:
        """The mail, locked for this transaction, if it is still to be processed."""
        return self._session.scalars(_TO_PROCESS, {"inbound_id": inbound_id}).one_or_none()

    def take_of(self, inbound_id: int, *, user_id: int | None) -> Taken | None:
        """`take`, with whose mail it is. Raises `NoResultFound` if they are gone meanwhile."""
        found = self._session.execute(_OF_USER, {"inbound_id": inbound_id, "user_id": user_id}).one_or_none()
        if found is None:
            return None
        mail, user, first = found
        if user is None:
            raise NoResultFound(f"user {user_id} is gone")
        return Taken(mail, user, copy_of=None if first is None else self._session.get_one(Inbound, first))

    def close(self, mail: Inbound, *, outcome: str, reason: str, message: ParsedMessage, user_id: int | None) -> None:
        """Write down what became of the mail. `outcome`: as the row has it."""
        columns = {
            "state": InboundState.DONE,
            "outcome": outcome,
            "reason": reason[:500],
            "user_id": user_id,
            "author": message.author.address[:320] if message.author is not None else "",
            "subject": message.subject[:500],
            "processed_at": self._work.now,
        }
        # Not by a flush, which takes three times as long for one row.
        self._session.execute(_CLOSE, {"inbound_id": mail.id, **columns})
        for name, value in columns.items():
            set_committed_value(mail, name, value)

    def turn_away(self, mail: Inbound, *, reason: str, message: ParsedMessage, user_id: int) -> None:
        """Close a mail of which nothing was done because it was too much; the very same one may come again."""
        self.close(mail, outcome="limited", reason=reason, message=message, user_id=user_id)
        mail.dedupe_key = f"limited:{mail.reference}"

    def count_failure(self, inbound_id: int, *, reason: str, limit: int) -> int:
        """How often processing has failed with this time, 1-based; at `limit` the mail is set aside for the operator.

        0 if the mail is no longer to be processed: it was done or dropped meanwhile, and nothing is counted.
        """
        mail = self.take(inbound_id)
        if mail is None:
            return 0
        mail.attempts += 1
        mail.reason = reason[:500]
        if mail.attempts >= limit:
            mail.state = InboundState.SET_ASIDE
        return mail.attempts

    def find(self, reference: str) -> Inbound:
        """The mail of a reference as a person writes it. Raises `NotFound`."""
        wanted = parse_reference(reference)
        mail = self._session.scalars(sa.select(Inbound).where(Inbound.reference == wanted)).one_or_none()
        if mail is None:
            raise NotFound(
                _("No mail has the reference {reference}.").format(reference=reference), code="mail.not-found"
            )
        return mail

    def list_page(self, *, state: InboundState | None = None, page: int = 1) -> Page[Inbound]:
        """Newest first."""
        query = sa.select(Inbound).order_by(Inbound.id.desc())
        if state is InboundState.ACCEPTED:
            query = query.where(Inbound.state == state)
        elif state is not None:
            query = query.where(Inbound.is_in(state))
        return fetch_page(self._session, query, page=page)

    def retry(self, reference: str) -> Inbound:
        """Have a mail that was set aside, dropped or turned away processed again. Raises `NotFound`, `Conflict`.

        One that was turned away counts in the window in which it was received: until that opens, it is again.
        """
        mail = self.find(reference)
        if mail.state is InboundState.DONE and mail.outcome != "limited":
            raise Conflict(
                _("{reference} is done ({outcome}): its commands would run twice.").format(
                    reference=mail.reference, outcome=mail.outcome
                )
            )
        if mail.state is InboundState.ACCEPTED:
            raise Conflict(
                _("{reference} waits for its turn already.").format(reference=mail.reference),
                fix=_("If its job is gone, drop the mail and then retry it."),
            )
        if mail.raw_key is None and not self._has_raw(mail.id):
            raise Conflict(_("{reference} is too old: its text was not kept.").format(reference=mail.reference))
        mail.state = InboundState.ACCEPTED
        mail.outcome = ""
        mail.attempts = 0
        self._work.defer(process_mail(mail.id, order_key=mail.mail_from.lower() or mail.mail_key))
        return mail

    def drop(self, reference: str) -> Inbound:
        """Have a mail that is not done never processed. Raises `NotFound`, `Conflict`."""
        mail = self.find(reference)
        if mail.state is InboundState.DONE:
            raise Conflict(
                _("{reference} is done ({outcome}); there is nothing to drop.").format(
                    reference=mail.reference, outcome=mail.outcome
                )
            )
        mail.state = InboundState.DROPPED
        mail.processed_at = self._work.now
        return mail

    def forget_texts(self, *, before: datetime, limit: int = 1000) -> None:
        """Forget the raw text of mails dealt with before a time, and the secrets in the addresses that they came to.

        The blobs that held the texts are doomed. One that another mail still needs is not: the same bytes, come to
        other recipients, are one blob.
        """
        old = self._session.scalars(
            sa.select(Inbound)
            .options(undefer(Inbound.raw))
            .where(
                Inbound.is_in(InboundState.DONE, InboundState.DROPPED),
                Inbound.received_at < before,
                sa.or_(Inbound.raw.is_not(None), Inbound.raw_key.is_not(None)),
            )
            .limit(limit)
        ).all()
        keys = [mail.raw_key for mail in old if mail.raw_key is not None]
        for mail in old:
            mail.raw = mail.raw_key = None
            mail.rcpt_tos = [without_secret(address) for address in mail.rcpt_tos]
        self._session.flush()
        DoomedBlob.doom(self._session, set(keys) - self.needed_texts(keys))

    def needed_texts(self, keys: Iterable[str]) -> set[str]:
        """Those of these blobs that hold the raw text of a mail that is kept."""
        if not (wanted := {key for key in keys if key.startswith(f"{BlobKind.MAIL}/")}):
            return set()
        needed = self._session.scalars(sa.select(Inbound.raw_key).where(Inbound.raw_key.in_(wanted)))
        return {key for key in needed if key is not None}

    def _has_raw(self, inbound_id: int) -> bool:
        return bool(self._session.scalar(sa.select(Inbound.raw.is_not(None)).where(Inbound.id == inbound_id)))


_TO_PROCESS = (
    sa.select(Inbound)
    .where(Inbound.id == sa.bindparam("inbound_id"), Inbound.state == InboundState.ACCEPTED)
    .with_for_update()
)
_TABLE = Inbound.metadata.tables[Inbound.__tablename__]
_ROWS = _TABLE.c
_COPIES = _TABLE.alias().c
_FIRST_COPY = sa.select(_COPIES.id).where(
    _COPIES.user_id == sa.bindparam("user_id"),
    _COPIES.mail_key == Inbound.mail_key,
    _COPIES.outcome == sa.literal_column("'answered'"),  # as its index has it
    _COPIES.id != Inbound.id,
)
# One question for each mail: three would cost three times as much.
_OF_USER = (
    sa.select(Inbound, User, _FIRST_COPY.correlate(Inbound).scalar_subquery())
    .outerjoin(User, User.id == sa.bindparam("user_id"))
    .where(Inbound.id == sa.bindparam("inbound_id"), Inbound.state == InboundState.ACCEPTED)
    .with_for_update(of=Inbound)
)
_CLOSE = (
    sa.update(_TABLE)
    .where(_ROWS.id == sa.bindparam("inbound_id"))
    .values(
        {
            name: sa.bindparam(name)
            for name in ("state", "outcome", "reason", "user_id", "author", "subject", "processed_at")
        }
    )
)
