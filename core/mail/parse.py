"""A raw mail on the disk to values: RFC 5322 and MIME (RFC 2045-2047, 2231) as mail programs write them.

Whatever a mail holds, it is read as far as it can be and the rest is told in `defects`. Runs in a thread for small
mails and in a worker process for large ones; it has no state, and keeps no more of a mail in memory than its text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

from core.mail.author import NoAuthor, decide_author
from core.mail.charset import decode_words, one_line
from core.mail.contents import Contents
from core.mail.fields import Header, field_text
from core.mail.html import html_text
from core.mail.mailfile import MailFile
from core.mail.message import Author, ParsedMessage
from core.mail.skeleton import Bounds, Skeleton

_MAX_SUBJECT = 1000  # RFC 5322 2.1.1: a line has at most 998 characters
_MAX_MESSAGE_ID = 900  # with room for the field's name on a line of 998
_MAX_REFERENCES = 100  # RFC 5537 3.4.4 allows trimming; the last ones matter
_MAX_DATE = 200
_MESSAGE_ID = re.compile(rf"<[^<>\s]{{1,{_MAX_MESSAGE_ID - 2}}}>")


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseLimits(Bounds):
    """How much of a mail is read; what is beyond is cut off and told as a defect."""

    files: int = 500
    text_chars: int = 500_000
    addresses: int = 1000


_DEFAULT_LIMITS = ParseLimits()


def parse_message(path: Path, *, work_dir: Path, limits: ParseLimits = _DEFAULT_LIMITS) -> ParsedMessage:
    """The mail in the file `path` as values; its attachments are decoded into files in `work_dir`, which is made.

    Blocks. Never raises for what a mail holds; raises `OSError` if a file cannot be read or written.
    """
    work_dir.mkdir(parents=True, exist_ok=True)
    contents = Contents(work_dir, bounds=limits, files=limits.files, text_chars=limits.text_chars)
    with path.open("rb", buffering=0) as file:
        skeleton = contents.add_message(MailFile(file))
    header = skeleton.header
    author, author_defect = _author(skeleton)
    if header.has_junk:
        contents.note("lines in the header that are no fields")
    if _count_addresses(header) > limits.addresses:
        contents.note(f"more than {limits.addresses} addresses")
    return ParsedMessage(
        author=author,
        author_defect=author_defect,
        subject=one_line(decode_words(header.text(b"subject")))[:_MAX_SUBJECT],
        message_id=next(iter(_message_ids(header, b"message-id")), None),
        in_reply_to=_message_ids(header, b"in-reply-to"),
        references=_message_ids(header, b"references"),
        date=_date(header.text(b"date")),
        text=_text(contents)[: limits.text_chars],
        html="\n".join(contents.htmls)[: limits.text_chars],
        attachments=tuple(contents.attachments),
        headers=tuple((name.decode("ascii"), field_text(value)) for name, value in header.fields),
        content_type=skeleton.content_type,
        defects=tuple(contents.defects),
        holds_mail=contents.holds_mail,
    )


def _author(skeleton: Skeleton) -> tuple[Author | None, str]:
    if skeleton.is_header_cut:
        return None, "a header too large to be read"  # a second From field may stand behind the cut
    try:
        return decide_author(skeleton.block), ""
    except NoAuthor as error:
        return None, str(error)


def _text(contents: Contents) -> str:
    """Plain text if any was written, else that of the HTML."""
    plain = "\n".join(text.removesuffix("\n") for text in contents.texts)
    if plain.strip() or not contents.htmls:
        return plain
    return html_text("\n".join(contents.htmls))


def _message_ids(header: Header, name: bytes) -> tuple[str, ...]:
    return tuple(_MESSAGE_ID.findall(header.text(name))[-_MAX_REFERENCES:])


def _date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value[:_MAX_DATE])
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)  # -0000 says UTC, place unknown
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _count_addresses(header: Header) -> int:
    return sum(value.count(b"@") for name, value in header.fields if name.lower() in (b"to", b"cc", b"bcc"))
