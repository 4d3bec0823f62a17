"""The kinds of devices that get books by mail, as data: a new kind is a row of this table."""

from __future__ import annotations

from dataclasses import dataclass

from core.i18n import N_
from core.values import BookFormat

MB = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceKind:
    """What one provider's gateway takes. Sizes are of the whole encoded mail."""

    key: str
    name: str
    """For people."""
    domains: tuple[str, ...]
    """Addresses at these domains are of this kind; () is the kind of all others."""
    formats: frozenset[BookFormat]
    max_mail_bytes: int
    advice: str
    """What to do with a format that it does not take, and that we cannot make another of."""
    recipe: str = "fit"
    """Of its EPUBs (`core.books.kindle.recipes`); `fit` leaves them as they are while they are small enough."""
    name_length: int = 100
    """Characters of a file name, without its ending."""
    knows_convert: bool = False
    """Whether its gateway converts a PDF that comes under the subject “convert”."""
    quiet_hours: float = 0.0
    """For how long a gateway that confirms nothing may still refuse; 0 for one that is not asked about."""
    a_day: int = 1000
    """Deliveries that one reader may have in a day: gateways suspend senders of many documents."""


DEVICE_KINDS = {
    kind.key: kind
    for kind in (
        DeviceKind(
            key="kindle",
            name="Kindle",
            domains=("kindle.com", "free.kindle.com"),
            # Amazon help, "Supported file types": MOBI and AZW3 are refused since 2023 (E001), comics never were taken.
            formats=frozenset(map(BookFormat, ("epub", "pdf", "docx", "rtf", "txt", "html"))),
            max_mail_bytes=50 * MB,  # Amazon help 201974220: 50 MB by mail
            advice=N_("Kindles take EPUB, PDF, DOCX, RTF, TXT and HTML by mail. Mail me the book as EPUB."),
            recipe="minimal",
            knows_convert=True,
            quiet_hours=2.0,  # refusals come after 16 s to 15 min; mail that was "just a bit delayed" took an hour
            a_day=100,  # Amazon suspends senders of "a large number of documents", and says no number
        ),
        DeviceKind(
            key="pocketbook",
            name="PocketBook",
            domains=("pbsync.com",),
            formats=frozenset(BookFormat),
            max_mail_bytes=70 * MB,
            advice="",
            name_length=40,  # longer ones are cut on the device, and then two books have one name
        ),
        DeviceKind(
            key="koreader",
            name="KOReader",
            domains=(),  # whatever mailbox it fetches from: said with kind=koreader
            # KOReader's user guide, "Supported formats"; RTF and ODT are read by no engine of its own.
            formats=frozenset(
                map(BookFormat, ("epub", "pdf", "fb2", "mobi", "azw3", "cbz", "docx", "txt", "html", "md"))
            ),
            max_mail_bytes=25 * MB,  # a mailbox at Gmail or one like it
            advice=N_("Mail me the book as EPUB."),
            name_length=60,
        ),
        DeviceKind(
            key="email",
            name="e-mail",
            domains=(),
            formats=frozenset(BookFormat),
            max_mail_bytes=25 * MB,  # Gmail's cap, and that of most others
            advice="",
        ),
    )
}


def kind_of(address: str) -> DeviceKind:
    """The kind that an address is by its domain."""
    domain = address.rpartition("@")[2].lower()
    return next((kind for kind in DEVICE_KINDS.values() if domain in kind.domains), DEVICE_KINDS["email"])
