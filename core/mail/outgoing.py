"""The wire form of what we send: RFC 5322 messages with CRLF line ends, large attachments streamed in while sending."""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Final

import pybase64
from pathvalidate import sanitize_filename

from core.errors import Unavailable
from core.mail.authenticity import REPLY_PREFIX, SECRET_SEPARATOR
from core.mail.transliterate import to_ascii
from core.ports import BlobCorrupt
from core.tokens import TokenSigner

LINE_BYTES = 57  # RFC 2045 6.8: at most 76 columns of base64, which hold 57 bytes
ENCODED_LINE_BYTES = 78  # and their CRLF
LINES_IN_CHUNK = 840  # 65,520 bytes: the most whole lines in the 64 KiB that `MailBody` allows
MAX_LINE_BYTES = 998  # RFC 5322 2.1.1, without the CRLF
CHUNK_BYTES = 64 * 1024
LONGEST_LOCAL_PART = 64  # octets: RFC 5321 4.5.3.1.1
REPLY_BYTES = 34  # of `+r-` and a token
REPLY_DAYS = 30
"""How long a mail of ours can be answered by a tap, and is remembered: as long as people go back in their mail."""
NAME_LENGTH = 100
SHORT_FIELD: Final = 76  # name and value, with ": " between them, in a line that nothing folds (RFC 5322 2.1.1)

_LINES: Final = struct.Struct("76s" * LINES_IN_CHUNK)

# Fields of ids and URIs, which break when they are folded anywhere but at blanks.
_IDENTIFIERS = frozenset(
    {"message-id", "in-reply-to", "references", "list-unsubscribe", "list-unsubscribe-post", "list-id", "list-help"}
)
_PLAIN_ADDRESS = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*@[\w-]+(\.[\w-]+)*", re.ASCII)
"""RFC 5322 3.4.1, a dot-atom at a domain."""
_ADDRESSES = frozenset({"from", "to", "cc", "bcc", "reply-to", "sender"})


class BotPolicy(EmailPolicy):
    """`email.policy.SMTP` without its folding faults (CPython 3.11 to 3.13; drop this where the tests pass without).

    It turns Message-IDs of more than 78 columns into encoded-words, which ends threads, begins a subject of 70 to 77
    characters with a line end, which stands as a blank before it, and does not give back 10 to 20 in a hundred of mixed
    ASCII and non-ASCII subjects and names. A value that ends in a line break, which it lets
    through, would end the head.
    """

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        if isinstance(value, str) and value.splitlines(keepends=True) != value.splitlines():
            raise ValueError(f"a line break in {name}")
        if isinstance(value, (str, Address)) and _is_plain(name, text := str(value)):
            return name, text  # what is asked for is parsed then; most fields are only written
        return super().header_store_parse(name, value)

    def fold(self, name: str, value: Any) -> str:
        return self.fold_binary(name, value).decode("utf-8" if self.utf8 else "ascii", "surrogateescape")

    def fold_binary(self, name: str, value: Any) -> bytes:
        field, text = name.lower(), str(value)
        if _is_plain(name, text):
            return f"{name}: {text}\r\n".encode("ascii")  # what the library makes of it too, in a fiftieth of its time
        if text.isascii() and (
            field in _IDENTIFIERS or (field == "subject" and text.isprintable() and "=?" not in text)
        ):
            return f"{name}:{_fold_at_blanks(text, first_column=len(name) + 1)}\r\n".encode("ascii")
        if field == "subject" and not self.utf8 and not text.isascii():
            encoded = Header(text, "utf-8", maxlinelen=76, header_name=name).encode(linesep="\r\n")
            return f"{name}: {encoded}\r\n".encode("ascii")
        if field in _ADDRESSES and self.max_line_length != MAX_LINE_BYTES:
            return self.clone(max_line_length=MAX_LINE_BYTES).fold_binary(name, value)
        return super().fold_binary(name, value)


def _is_plain(name: str, text: str) -> bool:
    """Whether a field stands in its mail as it is: nothing to encode, and nothing to fold."""
    return len(name) + len(text) < SHORT_FIELD and text.isascii() and text.isprintable() and "=?" not in text


def _fold_at_blanks(text: str, *, first_column: int) -> str:
    """The words of `text` in lines of 78 columns where blanks allow it (RFC 5322 2.1.1)."""
    folded, column = "", first_column
    for word in text.split():
        if len(word) + 1 > MAX_LINE_BYTES - first_column:
            continue  # a stranger's Message-ID that no header line can hold
        fits = column + 1 + len(word) <= 78 or column == first_column
        folded += f" {word}" if fits else f"\r\n {word}"
        column = column + 1 + len(word) if fits else 1 + len(word)
    return folded


# 7bit: goes through relays without 8BITMIME, and nobody on the way needs to re-encode what a signature covers.
BOT_POLICY: Final = BotPolicy(linesep="\r\n", cte_type="7bit")


def to_bytes(message: EmailMessage) -> bytes:
    """The message as it goes over the wire. UTF-8 stands in header fields only where an address needs it (RFC 6532)."""
    return message.as_bytes(policy=_policy_of(message.raw_items()))


def head_of(fields: Iterable[tuple[str, str | Address]]) -> bytes:
    """Header fields as `to_bytes` writes them, without a message that they would have to be put into first: for the
    mails that are most of all."""
    stored = [BOT_POLICY.header_store_parse(*field) for field in fields]
    policy = _policy_of(stored)
    return b"".join(policy.fold_binary(*field) for field in stored)


def _policy_of(fields: Iterable[tuple[str, Any]]) -> BotPolicy:
    needs_utf8 = any(
        not address.addr_spec.isascii()
        for field, value in fields
        if field.lower() in _ADDRESSES and not value.isascii()
        for address in value.addresses
    )
    return BOT_POLICY.clone(utf8=True) if needs_utf8 else BOT_POLICY


def to_address(addr_spec: str, *, name: str = "") -> Address:
    """For an address field. Raises `ValueError` (or the library's own defect, which is one) for what is none."""
    if addr_spec.isascii() and not _PLAIN_ADDRESS.fullmatch(addr_spec):
        return Address(name, addr_spec=addr_spec)
    # The library would call a non-ASCII local part a defect, and takes long to see that a plain one has none.
    local_part, _, domain = addr_spec.rpartition("@")
    return Address(name, username=local_part, domain=domain)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who our mails are from: the address stands in the From field exactly as configured, since people approve it."""

    address: str
    name: str = ""
    has_readers_own: bool = False
    """Deliveries are from an address of each reader's own, so that one whom a gateway dislikes is not everybody."""
    signer: TokenSigner | None = None
    """Signs the addresses at which mails of ours are answered; without one they are answered at `address`."""

    def for_reader(self, user_id: int) -> Identity:
        """Whom this reader's deliveries are from: `books-17@inkpost.example`, or everybody's address."""
        if not self.has_readers_own:
            return self
        local_part, _, domain = self.address.rpartition("@")
        return replace(self, address=f"{local_part}-{user_id}@{domain}", has_readers_own=False)

    def reply_address(self, *, user_id: int, reference: str, now: datetime) -> str:
        """Where this user answers the mail with this reference: `books+r-<token>@inkpost.example`, for `REPLY_DAYS`."""
        local_part, _, domain = self.address.rpartition("@")
        if self.signer is None or len(local_part) > LONGEST_LOCAL_PART - REPLY_BYTES:
            return self.address
        last_day = now.date() + timedelta(days=REPLY_DAYS)
        token = self.signer.make_reply(user_id=user_id, reference=reference, last_day=last_day)
        return f"{local_part}{SECRET_SEPARATOR}{REPLY_PREFIX}{token}@{domain}"

    @property
    def from_header(self) -> Address:
        return to_address(self.address, name=self.name)

    def message_id(self, reference: str) -> str:
        """The Message-ID of the mail with this reference: the same whenever it is asked for."""
        return f"<{reference}@{self.address.rpartition('@')[2]}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedFile:
    """A blob that is made into an attachment while the mail is sent. `filename` is `attachment_name`'s."""

    key: str
    size_bytes: int
    filename: str
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMail:
    """A mail for one recipient, final but for its attachment. Raises `ValueError` for what no server would take."""

    reference: str
    message_id: str
    mail_from: str
    """Reverse-path, "" for the null one."""
    rcpt_to: str
    subject: str
    """For lists; what is sent stands in `head`."""
    head: bytes
    attachment: AttachedFile | None = None

    def __post_init__(self) -> None:
        # A bare CR or LF is how one mail is smuggled inside another, past servers that read line ends differently.
        line_ends = {self.head.count(end) for end in (b"\r", b"\n", b"\r\n")}
        if len(line_ends) > 1 or not self.head.endswith(b"\r\n"):
            raise ValueError("a message has CRLF line ends only")
        if max(map(len, self.head.split(b"\r\n"))) > MAX_LINE_BYTES:
            raise ValueError(f"a message has lines of at most {MAX_LINE_BYTES} bytes")
        if not self.head.isascii() and (self.mail_from + self.rcpt_to).isascii():
            raise ValueError("a message has 7-bit characters only, unless its addresses need SMTPUTF8")

    @property
    def size_bytes(self) -> int:
        """Of the whole encoded message, by arithmetic."""
        if self.attachment is None:
            return len(self.head)
        return len(self.head) + encoded_size(self.attachment.size_bytes) + len(closing(self.message_id))


def encoded_size(size_bytes: int) -> int:
    """How many bytes a file takes in base64, with the line ends."""
    lines, rest = divmod(size_bytes, LINE_BYTES)
    return lines * ENCODED_LINE_BYTES + (4 * ((rest + 2) // 3) + 2 if rest else 0)


HEAD_ROOM_BYTES: Final = 8192  # of head and closing boundary, which have about one; a head of ten authors has three


def most_file_bytes(mail_bytes: int) -> int:
    """The largest file that a mail of at most so many encoded bytes can carry; 0 or less where it can carry none."""
    lines, rest = divmod(mail_bytes - HEAD_ROOM_BYTES, ENCODED_LINE_BYTES)
    return lines * LINE_BYTES + max(0, (rest - 2) // 4 * 3)


def boundary(message_id: str) -> str:
    """The boundary of a mail with an attachment. `=_` cannot occur in base64 or quoted-printable (RFC 2045 6.7)."""
    return "=_" + hashlib.sha256(message_id.encode()).hexdigest()[:40]


def closing(message_id: str) -> bytes:
    """What follows the attachment, and ends the message."""
    return f"\r\n--{boundary(message_id)}--\r\n".encode()


OpenBlob = Callable[[str], AbstractContextManager[BinaryIO]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedBody:
    """See `MailBody`: the head, then the blob in base64 as it is read, then the closing boundary.

    `chunks` raises what `BlobStore.open` raises, `Unavailable` where reading fails, and `BlobCorrupt` where the blob is
    not of the size that was announced. A sender that meets one of them lets go of the connection, so that half a mail
    is never taken for a whole.
    """

    head: bytes
    message_id: str
    attachment_key: str | None
    size_bytes: int
    open_blob: OpenBlob

    def chunks(self) -> Iterator[bytes]:
        for start in range(0, len(self.head), CHUNK_BYTES):
            yield self.head[start : start + CHUNK_BYTES]
        if self.attachment_key is None:
            return
        end = closing(self.message_id)
        left = self.size_bytes - len(self.head) - len(end)
        with self.open_blob(self.attachment_key) as file:
            for lines in _base64_lines(file):
                left -= len(lines)
                if left < 0:
                    break
                yield lines
        if left:
            raise BlobCorrupt(f"{self.attachment_key}: not of the size that the mail was made for")
        yield end


def _base64_lines(file: BinaryIO) -> Iterator[bytes]:
    """The file in base64 lines, each with its CRLF, as many as a chunk holds at a time."""
    while block := _read_full(file, LINE_BYTES * LINES_IN_CHUNK):
        encoded = pybase64.b64encode(block)
        if len(encoded) == _LINES.size:  # one call for 840 lines: a slice a line would take ten times as long
            lines = list(_LINES.unpack(encoded))
        else:
            lines = [encoded[start : start + 76] for start in range(0, len(encoded), 76)]
        lines.append(b"")
        yield b"\r\n".join(lines)


def _read_full(file: BinaryIO, size_bytes: int) -> bytes:
    """Exactly `size_bytes`, less only at the end: a store over a network may give less at a time."""
    try:
        block = file.read(size_bytes)
        while block and len(block) < size_bytes and (more := file.read(size_bytes - len(block))):
            block += more
    except OSError as error:
        raise Unavailable(f"a blob cannot be read: {error.strerror or error}") from error
    return block


def attach(message: EmailMessage, *, message_id: str, file: AttachedFile) -> bytes:
    """The head of `message` as multipart/mixed with `file` at its end, to be followed by the file in base64.

    The part's header is written here: the standard library would cut a long file name up as RFC 2231 has it, which
    readers' services do not put together again.
    """
    mark = boundary(message_id)
    message.make_mixed()
    message.set_boundary(mark)
    name = file.filename
    if not re.fullmatch(r"[ !#-\[\]-~]+", name):
        raise ValueError(f"not a name for a quoted string: {name!r}")
    part = (
        f'--{mark}\r\nContent-Type: {file.media_type};\r\n name="{name}"\r\n'
        f'Content-Disposition: attachment;\r\n filename="{name}"\r\n'
        "Content-Transfer-Encoding: base64\r\n\r\n"
    )
    return to_bytes(message).removesuffix(closing(message_id).removeprefix(b"\r\n")) + part.encode("ascii")


def attachment_name(
    *, title: str, authors: Sequence[str], storage_key: str, extension: str, length: int = NAME_LENGTH
) -> str:
    """A name that Kindle, Windows and people can read: `Dune - Frank Herbert.epub`, ASCII, at most `length` characters
    and the extension. A title that no table can write in ASCII is named by the start of its hash."""
    text = " - ".join(part for part in (to_ascii(title), to_ascii(", ".join(authors[:2]))) if part)
    stem = str(sanitize_filename(text.replace("/", "-").replace(":", " -"), platform="universal"))
    if len(stem) > length:
        stem = stem[:length].rpartition(" ")[0] or stem[:length]
    stem = stem.strip(" .-,") or f"Book {PurePosixPath(storage_key).stem[:8]}"
    return f"{stem}.{extension}"


def compose_delivery(
    *,
    identity: Identity,
    rcpt_to: str,
    reference: str,
    date: datetime,
    title: str,
    authors: Sequence[str],
    file: AttachedFile,
    to_be_converted: bool = False,
) -> OutgoingMail:
    """A book for a device, in the shape that Amazon takes: a single-part mail, one without a subject or a text, or an
    EPUB of another type than application/epub+zip comes back as "no attachment"."""
    if file.size_bytes < 1:
        raise ValueError("an empty file is not a book")
    plain_title = to_ascii(title)[:150] or file.filename
    message = EmailMessage(policy=BOT_POLICY)
    message["From"] = identity.from_header
    message["To"] = to_address(rcpt_to)
    # Never the title alone: a book called "Convert" would have Amazon convert it.
    # And that word alone where its owner asked for it (Amazon help, "convert").
    message["Subject"] = subject = "convert" if to_be_converted else f"Book: {plain_title}"
    message["Date"] = date
    message["Message-ID"] = message_id = identity.message_id(reference)
    message["MIME-Version"] = "1.0"
    by = to_ascii(", ".join(authors))[:300]
    what = f"{plain_title}\nby {by}" if by else plain_title
    message.set_content(f"{what}\n\nSent by Inkpost, reference {reference}.\n", charset="us-ascii")
    return OutgoingMail(
        reference=reference,
        message_id=message_id,
        mail_from=identity.address,
        rcpt_to=rcpt_to,
        subject=subject,
        head=attach(message, message_id=message_id, file=file),
        attachment=file,
    )
