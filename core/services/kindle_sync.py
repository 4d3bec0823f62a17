"""Devices, and the books that go to them."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from core.devices import DEVICE_KINDS, DeviceKind, kind_of
from core.errors import BadRequest, Conflict, NotFound, TooMuch
from core.events import BookSent, DeviceAdded, DeviceRemoved
from core.i18n import _, ngettext
from core.limits import DAY
from core.mail.outgoing import AttachedFile, Identity, compose_delivery
from core.models import Book, Device, OutboxMail
from core.models.outbox import OutboxKind
from core.pages import Page, fetch_page
from core.references import new_reference, parse_reference
from core.services.accounts import checked_address
from core.services.copies import file_name
from core.services.fetch_links import MakeLink, link_blocks
from core.services.outbox import Outbox
from core.sizes import size_in_words
from core.values import BookFormat
from core.work import Work

MAX_DEVICES = 20
CONVERTED = frozenset(map(BookFormat, ("fb2", "cbz", "md", "odt", "docx", "txt", "html")))
"""Formats of which we make EPUBs ourselves."""


class Wish(enum.Enum):
    """How a book is to be sent."""

    AS_IT_IS = "as it is"
    """Or as the device takes it."""
    AS_EPUB = "as EPUB"
    CONVERT = "converted by Amazon"


_NAME = re.compile(r"[\w][\w-]{0,49}")


class KindleSyncService:
    """A user's devices and deliveries in one transaction. A device or mail of somebody else is not found."""

    def __init__(
        self, work: Work, *, converted: frozenset[BookFormat] = frozenset(), make_link: MakeLink | None = None
    ) -> None:
        """`converted` are formats of which calibre makes EPUBs here; `make_link` is for what is too large to mail."""
        self._work = work
        self._make_link = make_link
        self._converted = converted
        self._session = work.session

    def add_device(self, user_id: int, address: str, *, name: str | None = None, kind: str | None = None) -> Device:
        """A new device, the default one if it is the first. Raises `BadRequest`, `Conflict`."""
        address = checked_address(address)
        chosen = _checked_kind(address, kind)
        devices = self.devices(user_id)
        if any(device.address == address for device in devices):
            raise Conflict(
                _("{address} is one of your devices already.").format(address=address),
                fix=_("Write “kindle list” to see them."),
            )
        if len(devices) >= MAX_DEVICES:
            raise TooMuch(
                _("You have {MAX_DEVICES} devices already.").format(MAX_DEVICES=MAX_DEVICES),
                fix=_("Remove one with: kindle remove <device>"),
            )
        taken = {device.name for device in devices}
        device = Device(
            user_id=user_id,
            name=_free_name(chosen.key, taken) if name is None else _checked_name(name, taken),
            kind=chosen.key,
            address=address,
            is_default=not devices,
            created_at=self._work.now,
        )
        self._session.add(device)
        self._session.flush()
        self._work.emit(DeviceAdded(user_id=user_id, device_id=device.id, address=address))
        return device

    def devices(self, user_id: int) -> list[Device]:
        """The default first, then by name."""
        return Device.of_user(self._session, user_id)

    def device(self, user_id: int, wanted: str | None) -> Device:
        """The device of this name, number in `kindle list`, address or kind; None means the default. `NotFound`."""
        devices = self.devices(user_id)
        if not devices:
            raise NotFound(
                _("You have no device yet."),
                fix=_("Add your Kindle with: kindle add <its address>@kindle.com"),
                code="device.none",
            )
        if wanted is None:
            return devices[0]
        word = _as_name(wanted)
        for number, device in enumerate(devices, start=1):
            if word in (_as_name(device.name), device.address, str(number)):
                return device
        alike = [device for device in devices if device.kind == word]
        if len(alike) == 1:
            return alike[0]
        names = ", ".join(device.name for device in devices)
        raise NotFound(
            _("None of your devices is called “{wanted}”.").format(wanted=wanted),
            fix=_("You have: {names}.").format(names=names),
            code="device.not-found",
        )

    def set_default(self, user_id: int, wanted: str) -> Device:
        """Raises `NotFound`."""
        device = self.device(user_id, wanted)
        for other in self.devices(user_id):
            other.is_default = False
        self._session.flush()  # first none, then one: the index allows no two at any time
        device.is_default = True
        self._session.flush()
        return device

    def remove_device(self, user_id: int, wanted: str) -> Device:
        """Mails to it that wait are still sent. Another device becomes the default one. Raises `NotFound`."""
        device = self.device(user_id, wanted)
        self._session.delete(device)
        self._session.flush()
        rest = self.devices(user_id)
        if device.is_default and rest:
            rest[0].is_default = True
        self._work.emit(DeviceRemoved(user_id=user_id, device_id=device.id, address=device.address))
        return device

    def send(
        self, user_id: int, book: Book, device: Device, *, cause: str, identity: Identity, wish: Wish = Wish.AS_IT_IS
    ) -> OutboxMail:
        """Queue a book for a device. Raises `BadRequest` for a format, `TooMuch` for a size that it does not take.

        Where the device takes a copy and not the file itself, the copy is made before the mail goes, and the reader is
        told if it cannot be.
        """
        if book.user_id != user_id or device.user_id != user_id:
            raise NotFound(_("There is no such book or device."))
        kind = DEVICE_KINDS[device.kind]
        recipe, sent_format = _recipe(book, kind, wish, converted=self._converted)
        row = self.hand_in(
            device,
            title=book.title,
            authors=book.authors,
            file=AttachedFile(
                key=book.storage_key,
                size_bytes=book.size_bytes,
                filename=file_name(book, kind=kind, key=book.storage_key, book_format=sent_format),
                media_type=sent_format.media_type,
            ),
            cause=cause,
            identity=identity,
            book_id=book.id,
            wants=recipe,
            to_be_converted=wish is Wish.CONVERT,
            is_made_to_fit=sent_format is BookFormat.EPUB,
        )
        self._work.emit(BookSent(user_id=user_id, book_id=book.id, device_id=device.id, outbox_id=row.id))
        return row

    def hand_in(
        self,
        device: Device,
        *,
        title: str,
        authors: Sequence[str],
        file: AttachedFile,
        cause: str,
        identity: Identity,
        book_id: int | None = None,
        wants: str = "",
        to_be_converted: bool = False,
        is_made_to_fit: bool = False,
    ) -> OutboxMail:
        """Queue a file for a device, once for each `cause`: the door that all books and stories go through.

        `is_made_to_fit` where its copy is made smaller than what the device takes before it goes. Raises `TooMuch`.
        """
        outbox, kind = Outbox(self._work), DEVICE_KINDS[device.kind]
        if (known := outbox.of_cause(cause)) is not None:
            return known  # what was let in is not turned away by itself when the job runs again
        self.check_day(device)
        mail = compose_delivery(
            identity=identity.for_reader(device.user_id),
            rcpt_to=device.address,
            reference=new_reference(),
            date=self._work.now,
            title=title,
            authors=authors,
            file=file,
            to_be_converted=to_be_converted,
        )
        if mail.size_bytes > kind.max_mail_bytes and not is_made_to_fit:
            raise TooMuch(
                _("“{title}” is {size_in_words} as a mail, and {kind} takes at most {size_in_words2}.").format(
                    title=title,
                    size_in_words=size_in_words(mail.size_bytes),
                    kind=kind.name,
                    size_in_words2=size_in_words(kind.max_mail_bytes),
                ),
                fix=_("Mail me a smaller edition, such as one without pictures, or as EPUB: that I can make fit."),
                code="device.size",
                blocks=link_blocks(self._make_link, key=file.key, filename=file.filename, now=self._work.now)
                if self._make_link is not None
                else (),
            )
        return outbox.enqueue(
            mail,
            cause=cause,
            kind=OutboxKind.DELIVERY,
            user_id=device.user_id,
            book_id=book_id,
            device_id=device.id,
            wants=wants,
        )

    def check_day(self, device: Device) -> None:
        """Raises `TooMuch` for a reader who sent as many bytes in a day as one may, or as many books to such devices as
        their provider bears."""
        user_id, kind = device.user_id, DEVICE_KINDS[device.kind]
        day_ago = self._work.now - DAY
        mine = sa.select(OutboxMail.created_at, OutboxMail.rcpt_to, OutboxMail.size_bytes).where(
            OutboxMail.user_id == user_id, OutboxMail.created_at > day_ago, OutboxMail.kind == OutboxKind.DELIVERY
        )
        sent = self._session.execute(mine.order_by(OutboxMail.created_at)).all()
        alike = kind_of(device.address)  # a mailbox that is said to be a KOReader's counts with all mailboxes
        of_kind = [row.created_at for row in sent if kind_of(row.rcpt_to) is alike]
        if len(of_kind) >= kind.a_day:
            raise TooMuch(
                _("You have sent {count} books to {kind} in a day, which is as many as it bears.").format(
                    count=len(of_kind), kind=kind.name
                ),
                fix=_("It opens again in {in_words}.").format(in_words=_in_words(of_kind[0] + DAY - self._work.now)),
                code="device.pace",
            )
        most_bytes = self._work.limits.sent_bytes_a_day
        opens_at = _opens_at([(row.created_at, row.size_bytes) for row in sent], most_bytes=most_bytes)
        if opens_at is not None:
            raise TooMuch(
                _(
                    "You have sent {size_in_words} of books in a day, and {size_in_words2} is as much as "
                    "I send for one reader."
                ).format(
                    size_in_words=size_in_words(sum(row.size_bytes for row in sent)),
                    size_in_words2=size_in_words(most_bytes),
                ),
                fix=_("It opens again in {in_words}.").format(in_words=_in_words(opens_at - self._work.now)),
                code="limit.sent",
            )

    def deliveries(self, user_id: int, *, page: int = 1) -> Page[OutboxMail]:
        """The user's deliveries, newest first."""
        mine = sa.select(OutboxMail).where(OutboxMail.user_id == user_id, OutboxMail.kind == OutboxKind.DELIVERY)
        return fetch_page(self._session, mine.order_by(OutboxMail.id.desc()), page=page)

    def delivery(self, user_id: int, reference: str) -> OutboxMail | None:
        """The user's own delivery of a reference as a person writes it."""
        mine = sa.select(OutboxMail).where(OutboxMail.user_id == user_id, OutboxMail.kind == OutboxKind.DELIVERY)
        return self._session.scalars(mine.where(OutboxMail.reference == parse_reference(reference))).one_or_none()


def _recipe(book: Book, kind: DeviceKind, wish: Wish, *, converted: frozenset[BookFormat]) -> tuple[str, BookFormat]:
    """What is to be made of a book for a device, "" for nothing, and the format that it is then. `BadRequest`."""
    name = book.format.value.upper()
    if wish is Wish.CONVERT and not (book.format is BookFormat.PDF and kind.knows_convert):
        raise BadRequest(
            _("Only a PDF on its way to a Kindle can be converted by Amazon, and “{book}” is {name}.").format(
                book=book.title, name=name
            ),
            fix=_("Send it without “convert”."),
            code="device.convert",
        )
    if book.format is BookFormat.EPUB:
        # A sound EPUB that fits needs nothing from `fit`; whether it fits the relay as well is known later.
        return kind.recipe, BookFormat.EPUB
    if wish is Wish.AS_EPUB or book.format not in kind.formats:
        if book.format in CONVERTED:
            return "epub", BookFormat.EPUB
        if book.format in converted:
            return "calibre", BookFormat.EPUB
        if book.format not in kind.formats or wish is Wish.AS_EPUB:
            what = (
                _("{device} does not take {format} by mail.")
                if wish is not Wish.AS_EPUB
                else _("{format} is not made EPUB.")
            )
            raise BadRequest(
                what.format(device=kind.name, format=name),
                fix=_(kind.advice) or _("Mail me the book as EPUB."),
                code="device.format",
            )
    return "", book.format


def _opens_at(sent: Sequence[tuple[datetime, int]], *, most_bytes: int) -> datetime | None:
    """When less than `most_bytes` will have been sent within a day, oldest first; None if that is now, or for 0."""
    rest, opens_at = sum(size for _, size in sent), None
    for sent_at, size in sent:
        if not 0 < most_bytes <= rest:
            break
        rest, opens_at = rest - size, sent_at + DAY
    return opens_at


def _in_words(span: timedelta) -> str:
    hours = -(-int(span.total_seconds()) // 3600)
    return ngettext("an hour", "{count} hours", max(hours, 1)).format(count=hours)


def _checked_kind(address: str, wanted: str | None) -> DeviceKind:
    by_domain = kind_of(address)
    if wanted is None:
        return by_domain
    kind = DEVICE_KINDS.get(wanted.strip().lower())
    if kind is None:
        raise BadRequest(
            _("There is no kind of device called “{wanted}”.").format(wanted=wanted),
            fix=_("There are {DEVICE_KINDS}.").format(DEVICE_KINDS=", ".join(DEVICE_KINDS)),
        )
    if kind.domains and kind is not by_domain:
        ends = " or ".join(f"@{domain}" for domain in kind.domains)
        raise BadRequest(
            _("A {kind} address ends in {ends}, and {address} does not.").format(
                kind=kind.name, ends=ends, address=address
            )
        )
    return kind


def _as_name(text: str) -> str:
    """How a device is called that a person calls so: “my Kobo” is kobo."""
    return "-".join(text.lower().split()).removeprefix("my-")


def _checked_name(name: str, taken: set[str]) -> str:
    name = _as_name(name)
    if _NAME.fullmatch(name) is None or name.isdigit():
        raise BadRequest(
            _("“{name}” cannot be a device's name.").format(name=name),
            fix=_("One word of letters, digits and hyphens."),
        )
    if name in taken:
        raise Conflict(
            _("You have a device called {name} already.").format(name=name), fix=_("Choose another name: name=…")
        )
    return name


def _free_name(stem: str, taken: set[str]) -> str:
    names = (stem, *(f"{stem}-{number}" for number in range(2, MAX_DEVICES + 2)))
    return next(name for name in names if name not in taken)
