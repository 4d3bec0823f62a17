"""Healing: a book that a gateway refused goes again in another form, the gentlest first, at most three times.

Of a book that went in parts only the part that was refused does, made of that part: the others have arrived.
"""

from __future__ import annotations

from typing import Final

from core.books.kindle.order import LADDER, next_form
from core.devices import kind_of
from core.events import DeliveryMended
from core.mail.notices import NoticeKind
from core.mail.outgoing import AttachedFile, Identity, compose_delivery
from core.models import Book, Derived, Device, OutboxMail
from core.models.outbox import OutboxKind
from core.references import new_reference
from core.services.copies import file_name
from core.services.outbox import Outbox
from core.values import BookFormat
from core.work import Work

HEALS: Final = "heal:"  # and the id of the refused delivery: the cause of a mail that heals it
MOST_RUNGS: Final = 3  # a mail that was refused four times is not what the fifth form would mend


def climb(work: Work, refused: OutboxMail, *, kind: NoticeKind, identity: Identity) -> OutboxMail | None:
    """Queue the next form of a refused book; None where there is none, and its reader is to be told.

    Only what another form can mend: `kind` is that of the notice. Once for each refusal, however often it is called.
    """
    is_curable = kind is NoticeKind.REJECTED and kind_of(refused.rcpt_to).recipe == LADDER[0]
    if not is_curable or refused.rung >= MOST_RUNGS or refused.book_id is None or refused.device_id is None:
        return None
    book, device = work.session.get(Book, refused.book_id), work.session.get(Device, refused.device_id)
    if book is None or book.removed_at is not None or device is None or book.format is not BookFormat.EPUB:
        return None
    form = next_form(recipe_of(work, refused))
    if form is None:
        return None
    carried = Derived.of_key(work.session, refused.attachment_key or "")
    is_part = carried is not None and bool(carried.title)
    behind, part_key = (carried.title, carried.storage_key) if carried is not None and is_part else ("", None)
    mail = compose_delivery(
        identity=identity.for_reader(book.user_id),
        rcpt_to=refused.rcpt_to,
        reference=new_reference(),
        date=work.now,
        title=f"{book.title}{behind}",
        authors=book.authors,
        file=AttachedFile(
            key=book.storage_key,
            size_bytes=book.size_bytes,
            filename=file_name(
                book, kind=kind_of(refused.rcpt_to), key=book.storage_key, book_format=book.format, behind=behind
            ),
            media_type=book.format.media_type,
        ),
    )
    return Outbox(work).enqueue(
        mail,
        cause=f"{HEALS}{refused.id}",
        kind=OutboxKind.DELIVERY,
        user_id=refused.user_id,
        inbound_id=refused.inbound_id,
        book_id=book.id,
        device_id=device.id,
        heals=refused,
        part_key=refused.part_key or part_key,
        wants=form,
    )


def refused_before(work: Work, mail: OutboxMail) -> OutboxMail | None:
    """The refused delivery that a mail was to heal; None where it heals none."""
    refused_id = mail.cause.removeprefix(HEALS)
    return work.session.get(OutboxMail, int(refused_id)) if mail.cause.startswith(HEALS) else None


def recipe_of(work: Work, mail: OutboxMail) -> str:
    """Whose copy a mail carries: the gentlest one's where the book was as good as any copy."""
    copy = Derived.of_key(work.session, mail.attachment_key or "")
    return copy.recipe if copy is not None and copy.recipe in LADDER else LADDER[0]


def note_cure(work: Work, mail: OutboxMail) -> None:
    """A mended copy was not refused: the audit trail counts what cures."""
    work.emit(DeliveryMended(user_id=mail.user_id, outbox_id=mail.id, recipe=recipe_of(work, mail), rung=mail.rung))
