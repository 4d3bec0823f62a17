"""Copies of books for devices, in a transaction: which a mail wants, which there are, the mail that carries it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.books.kindle.order import next_form
from core.devices import DEVICE_KINDS, DeviceKind, kind_of
from core.errors import BotError
from core.mail.outgoing import AttachedFile, Identity, OutgoingMail, attachment_name, compose_delivery, most_file_bytes
from core.models import Book, Derived, Device, OutboxMail, User
from core.models.outbox import OPEN_STATES, OutboxKind
from core.references import new_reference
from core.services.outbox import Outbox
from core.values import BookFormat
from core.work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyToMake:
    """A copy that a mail waits for, with all that it takes."""

    outbox_id: int
    recipe: str
    book_id: int
    storage_key: str
    """Of the original, or of the part of it that the copy is made of."""
    part_key: str
    """The same where it is a part; else ""."""
    format: BookFormat
    filename: str
    title: str
    authors: tuple[str, ...]
    book_language: str
    """As the library has it, "" where it knows none."""
    budget_bytes: int
    """Of one file."""
    language: str
    """Of its reader, in which it is told what was done to the book."""


@dataclass(frozen=True, slots=True)
class MadeCopy:
    """A file of a copy, in the store."""

    key: str
    size_bytes: int
    format: BookFormat
    title: str


class Copies:
    """Copies in one transaction."""

    def __init__(self, work: Work, *, identity: Identity) -> None:
        self._work = work
        self._session = work.session
        self._identity = identity

    def wanted(self, outbox_id: int, *, version: dict[str, int], size_limit: int | None) -> CopyToMake | None:
        """What is to be made before the mail can go. None: nothing, or it was there and the mail carries it now.

        `size_limit` is the relay's, of a whole mail; `version` that of each recipe.
        """
        mail = self._session.get(OutboxMail, outbox_id)
        if mail is None or not mail.wants or mail.state not in OPEN_STATES or mail.book_id is None:
            return None
        book = self._session.get_one(Book, mail.book_id)
        most = min(filter(None, (self._kind(mail).max_mail_bytes, size_limit)))
        budget = most_file_bytes(most)
        part = self._part(mail)
        part_key = part.storage_key or "" if part is not None else ""
        known = Derived.of(
            self._session,
            book.id,
            part_key=part_key,
            recipe=mail.wants,
            version=version[mail.wants],
            budget_bytes=budget,
        )
        if known:
            self._attach(mail, book, known)
            return None
        return CopyToMake(
            outbox_id=mail.id,
            recipe=mail.wants,
            book_id=book.id,
            storage_key=part_key or book.storage_key,
            part_key=part_key,
            format=book.format,
            filename=book.filename,
            title=f"{book.title}{part.title if part is not None else ''}",
            authors=tuple(book.authors),
            book_language=book.language or "",
            budget_bytes=budget,
            language=User.language_of(self._session, book.user_id),
        )

    def keep(
        self, wanted: CopyToMake, files: Sequence[MadeCopy], *, version: int, fixes: Sequence[dict[str, Any]]
    ) -> None:
        """Write the copy down, and have the mail carry it. No files: the original is as good. May run twice."""
        mail = self._session.get(OutboxMail, wanted.outbox_id)
        if mail is None or not mail.wants or mail.state not in OPEN_STATES:
            return
        book = self._session.get_one(Book, wanted.book_id)
        is_fitted = any(fix["rule"] in ("smaller-pictures", "parts") for fix in fixes)
        budget = wanted.budget_bytes if is_fitted else 0
        mine: dict[str, Any] = {
            "book_id": book.id,
            "part_key": wanted.part_key,
            "recipe": wanted.recipe,
            "version": version,
        }
        known = Derived.of(self._session, **mine, budget_bytes=wanted.budget_bytes)
        if not known:
            original = MadeCopy("", book.size_bytes, book.format, book.title)
            for part, file in enumerate(files or (original,), start=1):
                row = Derived(
                    **mine,
                    budget_bytes=budget,
                    part=part,
                    title=file.title.removeprefix(book.title),
                    format=file.format,
                    storage_key=file.key or None,
                    size_bytes=file.size_bytes,
                    fixes={"fixes": list(fixes)} if part == 1 else {},
                    created_at=self._work.now,
                )
                self._session.add(row)
            self._session.flush()
            known = Derived.of(self._session, **mine, budget_bytes=wanted.budget_bytes)
        self._attach(mail, book, known)

    def send_as_it_is(self, wanted: CopyToMake) -> None:
        """No copy could be made, for a reason of ours; the original is no worse than it was."""
        mail = self._session.get(OutboxMail, wanted.outbox_id)
        if mail is not None and mail.state in OPEN_STATES:
            mail.wants = ""

    def refuse(self, wanted: CopyToMake, error: BotError) -> bool:
        """No copy can be made. Of a book that is being healed the next form is wanted then: True, it is to be made.
        Else the reader is told."""
        mail = self._session.get(OutboxMail, wanted.outbox_id)
        if mail is not None and mail.state in OPEN_STATES and mail.rung and (form := next_form(wanted.recipe)):
            mail.wants = form
            return True
        Outbox(self._work).refuse(wanted.outbox_id, error)
        return False

    def _attach(self, mail: OutboxMail, book: Book, copies: Sequence[Derived]) -> None:
        """The first file goes with the mail that was promised, each other one with a mail of its own behind it."""
        first, *rest = copies
        subject = mail.subject
        if first.storage_key is not None:
            made = self._compose(mail, book, first, reference=mail.reference)
            assert made.attachment is not None
            mail.head, mail.size_bytes, mail.subject = made.head, made.size_bytes, made.subject[:500]
            mail.attachment_key, mail.attachment_name = made.attachment.key, made.attachment.filename
            mail.attachment_type = made.attachment.media_type
        if subject == "convert":
            mail.subject = subject
        mail.wants = ""
        if rest and mail.whole_id is None:
            mail.whole_id = mail.id
        for one in rest:
            Outbox(self._work).enqueue(
                self._compose(mail, book, one, reference=new_reference()),
                cause=f"{mail.cause}:part-{one.part}"[:200],
                kind=OutboxKind.DELIVERY,
                user_id=mail.user_id,
                inbound_id=mail.inbound_id,
                book_id=mail.book_id,
                device_id=mail.device_id,
                part_of=mail,
            )
        self._session.flush()

    def _compose(self, mail: OutboxMail, book: Book, copy: Derived, *, reference: str) -> OutgoingMail:
        assert copy.storage_key is not None
        title = f"{book.title}{copy.title}"
        return compose_delivery(
            identity=replace(self._identity, address=mail.mail_from),
            rcpt_to=mail.rcpt_to,
            reference=reference,
            date=mail.created_at,
            title=title,
            authors=book.authors,
            file=AttachedFile(
                key=copy.storage_key,
                size_bytes=copy.size_bytes,
                filename=file_name(
                    book, kind=self._kind(mail), key=copy.storage_key, book_format=copy.format, behind=copy.title
                ),
                media_type=copy.format.media_type,
            ),
        )

    def _part(self, mail: OutboxMail) -> Derived | None:
        """The part of a book that a mail is to carry another form of."""
        return Derived.of_key(self._session, mail.part_key) if mail.part_key is not None else None

    def _kind(self, mail: OutboxMail) -> DeviceKind:
        device = self._session.get(Device, mail.device_id) if mail.device_id is not None else None
        return DEVICE_KINDS[device.kind] if device is not None else kind_of(mail.rcpt_to)


def file_name(book: Book, *, kind: DeviceKind, key: str, book_format: BookFormat, behind: str = "") -> str:
    """What the file is called on the device; `behind` (“ (1 of 3)”) is never cut off."""
    name = attachment_name(
        title=book.title,
        authors=book.authors,
        storage_key=key,
        extension=book_format.value,
        length=kind.name_length - len(behind),
    )
    stem, _, extension = name.rpartition(".")
    return f"{stem}{behind}.{extension}"
