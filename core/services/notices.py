"""Mails that nobody asked for: the word to a user that a book could not be handed over."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import EmailMessage

from core.events import DeliveryFailed, EventBus
from core.mail.outgoing import BOT_POLICY, Identity, OutgoingMail, to_address, to_bytes
from core.mail.status import clean_reply, explain
from core.models import Book, OutboxMail, User
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
        notice = self._compose(
            work, user, failed=mail, title=book.title if book is not None else mail.subject, reason=event.reason
        )
        Outbox(work).enqueue(
            notice, cause=f"failed:{mail.id}", kind=OutboxKind.NOTICE, user_id=user.id, inbound_id=mail.inbound_id
        )

    def _compose(self, work: Work, user: User, *, failed: OutboxMail, title: str, reason: str) -> OutgoingMail:
        reference = new_reference()
        message = EmailMessage(policy=BOT_POLICY)
        message["From"] = self.identity.from_header
        message["To"] = to_address(user.address, name=clean_reply(user.name))
        message["Subject"] = subject = f"Could not be sent: {clean_reply(title)}"
        message["Date"] = work.now
        message["Message-ID"] = message_id = self.identity.message_id(reference)
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834 5.1: so that no robot answers it
        message["MIME-Version"] = "1.0"
        message.set_content(
            f"“{title}” could not be sent to {failed.rcpt_to}: {explain(reason)}.\n"
            "\n"
            f"What the mail server said: {reason}\n"
            "\n"
            "The book is still in your library. Write “kindle list” to see your devices and their addresses,\n"
            "and “send” with the title of the book to try again.\n"
            "\n"
            f"Reference {failed.reference}\n"
        )
        return OutgoingMail(
            reference=reference,
            message_id=message_id,
            mail_from="",  # RFC 3834 3.3, RFC 5321 4.5.5: should the notice fail as well, nobody is told of that
            rcpt_to=user.address,
            subject=subject,
            head=to_bytes(message),
        )
