"""Mails that nobody asked for: the word to a user that a book could not be handed over."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from core.events import DeliveryFailed, EventBus
from core.mail.answer import Fact, Facts, Problem, Step, Steps
from core.mail.authenticity import OurAddresses
from core.mail.compose import AnswerContext, compose_notice
from core.mail.outgoing import Identity
from core.mail.status import explain
from core.models import Book, Inbound, OutboxMail, User
from core.models.outbox import OutboxKind
from core.models.user import UserState
from core.references import new_reference
from core.services.outbox import Outbox
from core.work import Work


@dataclass(frozen=True, slots=True)
class FailureNotices:
    """Tells a user, once for each failed delivery, which book did not go out and why."""

    identity: Identity

    def subscribe(self, bus: EventBus) -> None:
        bus.subscribe(DeliveryFailed, self.tell)

    def tell(self, work: Work, event: DeliveryFailed) -> None:
        """Enqueue the notice. Nobody is told of a failed answer or notice, nor at the address that failed."""
        mail = work.session.get(OutboxMail, event.outbox_id)
        user = work.session.get(User, event.user_id) if event.user_id is not None else None
        if mail is None or mail.kind is not OutboxKind.DELIVERY or user is None:
            return
        if user.address == mail.rcpt_to.lower() or user.state is not UserState.ACTIVE:
            return
        book = work.session.get(Book, mail.book_id) if mail.book_id is not None else None
        notice = compose_notice(
            _told(mail, book, reason=event.reason), context=self._context(work, user, inbound_id=mail.inbound_id)
        )
        Outbox(work).enqueue(
            notice, cause=f"failed:{mail.id}", kind=OutboxKind.NOTICE, user_id=user.id, inbound_id=mail.inbound_id
        )

    def _context(self, work: Work, user: User, *, inbound_id: int | None) -> AnswerContext:
        """The notice hangs below the answer to the mail that asked for the delivery, and taps go where that mail went:
        we keep no secret of a user, but the address that they wrote to holds it."""
        inbound = work.session.get(Inbound, inbound_id) if inbound_id is not None else None
        mine = sa.select(OutboxMail.message_id).where(
            OutboxMail.inbound_id == inbound_id, OutboxMail.kind == OutboxKind.ANSWER
        )
        local_part, _, domain = self.identity.address.lower().rpartition("@")
        ours = OurAddresses(domains=frozenset({domain}), local_parts=frozenset({local_part}))
        return AnswerContext(
            identity=self.identity,
            reference=new_reference(),
            now=work.now,
            user_address=user.address,
            user_name=user.name,
            timezone=user.timezone,
            reply_address=ours.reply_address(inbound.rcpt_tos if inbound else (), default=self.identity.address),
            original_message_id=work.session.scalars(mine).first() if inbound is not None else None,
        )


def _told(failed: OutboxMail, book: Book | None, *, reason: str) -> Problem:
    title = book.title if book is not None else failed.subject
    again = (Step("Try again", f"send #{book.id}"),) if book is not None else ()
    return Problem(
        "delivery.failed",
        f"“{title}” could not be sent to {failed.rcpt_to}: {explain(reason)}.",
        fix="The book is still in your library. Look at the address of your device before you try again.",
        blocks=(
            Facts((Fact("The mail server said", reason), Fact("Reference", failed.reference))),
            Steps((Step("My devices", "kindle list"), *again)),
        ),
    )
