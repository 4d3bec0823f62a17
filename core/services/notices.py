"""Mails that nobody asked for: what became of a book behind the relay, told once, when there is no more to come."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import sqlalchemy as sa

from core.devices import kind_of
from core.events import ClickNeeded, DeliveryFailed, DeliveryRejected, EventBus, MailBounced, NoRefusalSeen
from core.i18n import N_, _, ngettext, speaking
from core.mail.answer import Answer, Fact, Facts, Paragraph, Problem, Result, Step, Steps
from core.mail.compose import AnswerContext, compose_notice
from core.mail.meanings import meanings_of
from core.mail.notices import NoticeKind, is_confirm_link
from core.mail.outgoing import Identity
from core.mail.status import explain
from core.models import Book, OutboxMail, SendingStop, User
from core.models.outbox import OutboxKind
from core.models.user import UserState
from core.references import new_reference
from core.services.fetch_links import MakeLink, link_blocks
from core.services.healing import climb, note_cure, refused_before
from core.services.outbox import Outbox
from core.services.threads import remember
from core.work import Work

_PART = re.compile(r"(?: \(\d+ of \d+\))+$")
"""As `core.books.kindle.fit` names parts."""


@dataclass(frozen=True, slots=True)
class FailureNotices:
    """Tells a user, once for each delivery, what they have to know of it: that it failed and why, or wants a click."""

    identity: Identity
    make_link: MakeLink | None = None

    def subscribe(self, bus: EventBus) -> None:
        bus.subscribe(DeliveryFailed, self._failed)
        bus.subscribe(DeliveryRejected, self._rejected)
        bus.subscribe(MailBounced, self._bounced)
        bus.subscribe(ClickNeeded, self._click_needed)
        bus.subscribe(NoRefusalSeen, self._settled)

    def _failed(self, work: Work, event: DeliveryFailed) -> None:
        mail = work.session.get(OutboxMail, event.outbox_id)
        if mail is not None and mail.wants and (refused := refused_before(work, mail)) is not None:
            # No other form of it could be made: what there is to tell is the refusal that it was to heal.
            self._tell(work, refused.id, cause="failed", tell=partial(_refused, kind=NoticeKind.REJECTED))
            return
        is_held = _is_held(work, event.outbox_id)

        def tell(failed: OutboxMail, book: Book | None) -> Problem:
            told = _told(failed, book, reason=event.reason, is_held=is_held)
            if book is None or self.make_link is None or not event.is_too_large:
                return told
            links = link_blocks(self.make_link, key=book.storage_key, filename=book.filename, now=work.now)
            return replace(told, blocks=(*links, *told.blocks))

        self._tell(work, event.outbox_id, cause="failed", tell=tell)

    def _bounced(self, work: Work, event: MailBounced) -> None:
        tell = partial(_told, reason=event.words, is_held=_is_held(work, event.outbox_id))
        self._tell(work, event.outbox_id, cause="failed", tell=tell)

    def _rejected(self, work: Work, event: DeliveryRejected) -> None:
        """Mend it and say nothing, as long as there is something to try; else tell, once for all the tries."""
        kind = NoticeKind(event.reason)
        mail = work.session.get(OutboxMail, event.outbox_id)
        if mail is not None and climb(work, mail, kind=kind, identity=self.identity) is not None:
            return
        self._tell(work, event.outbox_id, cause="failed", tell=partial(_refused, kind=kind))

    def _click_needed(self, work: Work, event: ClickNeeded) -> None:
        self._tell(work, event.outbox_id, cause="click", tell=_click)

    def _settled(self, work: Work, event: NoRefusalSeen) -> None:
        """The end of a delivery that was mended: the one mail about all of its tries."""
        mail = work.session.get(OutboxMail, event.outbox_id)
        if mail is not None and mail.rung:
            note_cure(work, mail)
            self._tell(work, event.outbox_id, cause="mended", tell=_mended)

    def _tell(
        self,
        work: Work,
        outbox_id: int,
        *,
        cause: str,
        tell: Callable[[OutboxMail, Book | None], Answer | Problem],
    ) -> None:
        """Enqueue the notice. Nobody is told of a failed answer or notice, nor at the address that failed."""
        mail = work.session.get(OutboxMail, outbox_id)
        user = work.session.get(User, mail.user_id) if mail is not None and mail.user_id is not None else None
        if mail is None or mail.kind is not OutboxKind.DELIVERY or user is None:
            return
        if user.address == mail.rcpt_to.lower() or user.state is not UserState.ACTIVE:
            return  # of one's own address `core.services.unreachable` tells elsewhere
        book = work.session.get(Book, mail.book_id) if mail.book_id is not None else None
        with speaking(user.language):
            outcome = tell(mail, book)
            notice = compose_notice(outcome, context=self._context(work, user, inbound_id=mail.inbound_id))
        told_of = mail.id if cause == "click" else mail.whole_id or mail.id  # each part has a link of its own to open
        row = Outbox(work).enqueue(
            notice,
            cause=f"{cause}:{told_of}",
            kind=OutboxKind.NOTICE,
            user_id=user.id,
            inbound_id=mail.inbound_id,
        )
        if row.message_id == notice.message_id:
            remember(work, notice.message_id, user_id=user.id, meanings=meanings_of((Result("", outcome),)))

    def _context(self, work: Work, user: User, *, inbound_id: int | None) -> AnswerContext:
        """The notice hangs below the answer to the mail that asked for the delivery."""
        mine = sa.select(OutboxMail.message_id).where(
            OutboxMail.inbound_id == inbound_id, OutboxMail.kind == OutboxKind.ANSWER
        )
        reference = new_reference()
        return AnswerContext(
            identity=self.identity,
            reference=reference,
            now=work.now,
            user_address=user.address,
            user_name=user.name,
            timezone=user.timezone,
            reply_address=self.identity.reply_address(user_id=user.id, reference=reference, now=work.now),
            original_message_id=work.session.scalars(mine).first() if inbound_id is not None else None,
        )


def _title_of(mail: OutboxMail, book: Book | None) -> str:
    """The book's, with the words for its part where it was sent in parts."""
    if book is None:
        return mail.subject.removeprefix("Book: ")
    part = _PART.search(mail.subject) if mail.whole_id is not None else None
    return f"{book.title}{part[0]}" if part is not None else book.title


def _refused(mail: OutboxMail, book: Book | None, *, kind: NoticeKind) -> Problem:
    """What the gateway said, in plain words, and the steps that mend it."""
    why, fix = map(_, _WHY_POCKETBOOK if kind_of(mail.rcpt_to).key == "pocketbook" else _WHY[kind])
    tries = " " + _("It was mended and sent {count} times in all.").format(count=mail.rung + 1) if mail.rung else ""
    again = (Step(_("Try again"), f"send #{book.id}"),) if book is not None else ()
    resume = (Step(_("I have approved it"), "kindle resume"),) if kind is NoticeKind.UNAPPROVED else ()
    parts = (Step(_("What became of its other parts?"), "status"),) if mail.whole_id is not None else ()
    return Problem(
        "delivery.rejected",
        _("“{title_of}” did not get to {rcpt_to}: {why}.{tries}").format(
            title_of=_title_of(mail, book), rcpt_to=mail.rcpt_to, why=why, tries=tries
        ),
        fix=fix.format(sender=mail.mail_from),
        blocks=(
            Facts((Fact(_("The gateway said"), mail.notice), Fact(_("Reference"), mail.reference))),
            Steps((*resume, *parts, *again, Step(_("My devices"), "kindle list"))),
        ),
    )


_WHY = {
    NoticeKind.REJECTED: (
        N_("Amazon could not make a Kindle book of the file"),
        N_("The book is still in your library. Another edition of it may work."),
    ),
    NoticeKind.FORMAT: (N_("Amazon does not take this kind of file any more"), N_("Mail me the book as EPUB.")),
    NoticeKind.NO_ATTACHMENT: (
        N_("Amazon saw no book in the mail"),
        N_("Try again; if it happens again, tell the operator of this service."),
    ),
    NoticeKind.TOO_LARGE: (N_("the file is larger than Amazon takes"), N_("Mail me a smaller edition of it.")),
    NoticeKind.UNAPPROVED: (
        N_("Amazon does not take mail from my address for you yet"),
        N_(
            "1. At Amazon, open “Manage Your Content and Devices”, “Preferences”, “Personal Document Settings”.\n"
            "2. Add {sender}, the whole address, to the “Approved Personal Document E-mail List”.\n"
            "3. Write to me: kindle resume. Until then your books wait here."
        ),
    ),
    NoticeKind.SUSPENDED: (
        N_("Amazon takes no mail from this service for now"),
        N_("The operator of this service has been told. Your book is still in your library."),
    ),
    NoticeKind.UNKNOWN: (N_("this came back, and I cannot read it"), N_("Look at your Kindle, and at what came back.")),
    NoticeKind.VERIFY: (N_("Amazon wants you to confirm it"), N_("Look for a mail of Amazon's to you.")),
}
"""Why, as half a sentence, and how to mend it; `{sender}` is the address that it was sent from."""
_WHY_POCKETBOOK = (
    N_("PocketBook says that the mail held no document that it takes"),
    N_("Try again: it is known to refuse a book once and to take it the next time."),
)


def _click(mail: OutboxMail, book: Book | None) -> Answer:
    return Answer(
        _("Amazon asks you to confirm: {title_of}").format(title_of=_title_of(mail, book)),
        (
            Paragraph(
                _(
                    "It comes to your Kindle only if you confirm it at Amazon, within 48 hours. I never "
                    "open such a link for you: it is your word that you wanted this book."
                )
            ),
            Facts(
                (
                    Fact(_("To confirm, open"), mail.notice, is_link=is_confirm_link(mail.notice)),
                    Fact(_("Reference"), mail.reference),
                )
            ),
            Paragraph(_("An address with digits in it, which nobody can guess, makes Amazon ask less often.")),
        ),
    )


def _mended(mail: OutboxMail, book: Book | None) -> Answer:
    times = ngettext("once", "{count} times", mail.rung).format(count=mail.rung)
    why = (Step(_("What was changed"), f"why #{book.id}"),) if book is not None else ()
    return Answer(
        _("Mended and sent again: {title_of}").format(title_of=_title_of(mail, book)),
        (
            Paragraph(
                _(
                    "Amazon refused it {times}. I mended a copy and sent that, and no refusal has come "
                    "since. Amazon does not confirm what it takes: look at your Kindle. The book in your "
                    "library is unchanged."
                ).format(times=times)
            ),
            Facts((Fact(_("To"), mail.rcpt_to), Fact(_("Reference"), mail.reference))),
            Steps((*why, Step(_("What became of it?"), f"status {mail.reference}"))),
        ),
    )


def _is_held(work: Work, outbox_id: int) -> bool:
    """Whether nothing goes to the address of a mail any more until its reader says so."""
    mail = work.session.get(OutboxMail, outbox_id)
    return (
        mail is not None and SendingStop.holding(work.session, user_id=mail.user_id, rcpt_to=mail.rcpt_to) is not None
    )


def _told(failed: OutboxMail, book: Book | None, *, reason: str, is_held: bool) -> Problem:
    again = (Step(_("Try again"), f"send #{book.id}"),) if book is not None else ()
    if failed.wants:  # it never left: no copy could be made of the book, and the words are ours
        return Problem(
            "delivery.not-made",
            _("“{title_of}” was not sent to {rcpt_to}: {reason}").format(
                title_of=_title_of(failed, book), rcpt_to=failed.rcpt_to, reason=reason
            ),
            blocks=(Facts((Fact(_("Reference"), failed.reference),)), Steps(again)),
        )
    held = _("The last mails to this address came back, so nothing more goes there until you write: kindle resume")
    resume = (Step(_("The address is right"), "kindle resume"),) if is_held else ()
    return Problem(
        "delivery.failed",
        _("“{title_of}” could not be sent to {rcpt_to}: {explain}.").format(
            title_of=_title_of(failed, book), rcpt_to=failed.rcpt_to, explain=explain(reason)
        ),
        fix=_("{kept} Look at the address of your device before you try again.").format(kept=_kept(failed, book)),
        blocks=(
            *((Paragraph(held),) if is_held else ()),
            Facts((Fact(_("The mail server said"), reason), Fact(_("Reference"), failed.reference))),
            Steps((Step(_("My devices"), "kindle list"), *resume, *again)),
        ),
    )


def _kept(failed: OutboxMail, book: Book | None) -> str:
    """Where the reader finds what did not arrive."""
    if book is not None:
        return _("The book is still in your library.")
    if failed.cause.startswith("digest:"):
        return _("To have your paper by mail, write: digest to mail.")
    return _("It is not in your library: “save” and a story's number, in reply to its letter, puts it there.")
