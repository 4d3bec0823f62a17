"""The mail within a forwarded mail: as a part of its own (RFC 2046 5.2.1), or quoted below what mail programs write."""

from __future__ import annotations

import email
import email.policy
import re
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Final

from lxml import etree
from lxml import html as lxml_html

from core.mail.message import ParsedMessage
from core.mail.parse import parse_message
from core.mail.quoting import FROM_FIELD, OTHER_FIELD, SEPARATORS
from core.mail.subjects import read_subject
from core.mail.text import own_text

MOST_BYTES: Final = 30_000_000  # of a mail that is looked through for another: more is attachments
_HEAD_LINES: Final = 12  # in which the fields of a quoted mail stand
_QUOTES: Final = (
    "//*[contains(concat(' ', normalize-space(@class), ' '), ' gmail_quote ')]",
    "//*[contains(concat(' ', normalize-space(@class), ' '), ' moz-forward-container ')]",
    "//*[contains(concat(' ', normalize-space(@class), ' '), ' yahoo_quoted ')]",
    "//*[contains(concat(' ', normalize-space(@class), ' '), ' protonmail_quote ')]",
    "//blockquote[@type='cite']",
)
_FRAMED: Final = re.compile(r"[-_=*~]{3,}.{0,80}[-_=*~]{3,}|[-_=*~]{10,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class InnerMail:
    """What was passed on. All of it is a stranger's."""

    subject: str
    author: str
    html: str
    text: str


def read_inner(message: ParsedMessage, path: Path, *, work_dir: Path) -> InnerMail:
    """The mail within the one in `path`, which was read as `message`; the part of its own if there is one.

    Blocks, for a worker. Raises `OSError` only.
    """
    if message.holds_mail and path.stat().st_size <= MOST_BYTES and (inner := _part(path, work_dir)) is not None:
        return InnerMail(
            subject=inner.subject,
            author=(inner.author.name or inner.author.address) if inner.author is not None else "",
            html=inner.html,
            text=inner.text,
        )
    return _quoted(message)


def _part(path: Path, work_dir: Path) -> ParsedMessage | None:
    """The first mail that is a part, read as any other."""
    whole = email.message_from_bytes(path.read_bytes(), policy=email.policy.compat32)
    for part in whole.walk():
        payload = part.get_payload()
        if part.get_content_type() != "message/rfc822" or not isinstance(payload, list) or not payload:
            continue
        if isinstance(payload[0], Message):
            inner = work_dir / "inner.eml"
            inner.write_bytes(payload[0].as_bytes())
            return parse_message(inner, work_dir=work_dir / "inner")
    return None


def _quoted(message: ParsedMessage) -> InnerMail:
    """What stands below the forwarding program's line, without the fields that it repeats."""
    lines = message.text.split("\n")
    own = len([line for line in own_text(message.text).split("\n") if line.strip()])
    start = _start(lines, own)
    fields, body = _head(lines[start:])
    subject = next((value for name, value in fields if name == "subject"), "")
    author = next((value for name, value in fields if name == "from"), "")
    return InnerMail(
        subject=read_subject(subject or message.subject).text,
        author=re.sub(r"\s*[<\[(].*", "", author).strip("\"' *") or author,
        html=_quote_of(message.html),
        text="\n".join(line.removeprefix("> ").removeprefix(">") for line in body).strip(),
    )


def _start(lines: list[str], own: int) -> int:
    """The line behind the author's own words, of which so many are not empty."""
    place = 0
    while own and place < len(lines):
        own -= bool(lines[place].strip())
        place += 1
    return place


def _head(lines: list[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """The quoted fields that we know, and the lines below them."""
    found: list[tuple[str, str]] = []
    last = 0
    for place, line in enumerate(lines[:_HEAD_LINES], start=1):
        plain = line.lstrip("> *")
        if SEPARATORS.fullmatch(line) or _FRAMED.fullmatch(line.strip()):
            last = place
        elif FROM_FIELD.match(line) and not any(name == "from" for name, _ in found):
            found.append(("from", _value(plain)))
            last = place
        elif OTHER_FIELD.match(line):
            found.append(("subject" if _SUBJECT.match(plain) else "other", _value(plain)))
            last = place
    return found, lines[last:]


_SUBJECT: Final = re.compile(
    r"(?i)(?:subject|betreff|objet|asunto|oggetto|assunto|onderwerp|ämne|emne|aihe|temat|předmět|predmet|тема|tárgy|konu"
    r"|主题|主旨|件名|제목)\b"
)


def _value(line: str) -> str:
    return re.split("[:：]", line, maxsplit=1)[1].strip(" *") if re.search("[:：]", line) else ""


def _quote_of(html: str) -> str:
    """The part of the HTML that mail programs mark as the forwarded mail; "" where none is marked."""
    if not html.strip():
        return ""
    try:
        parser = lxml_html.HTMLParser(encoding="utf-8", remove_comments=True, no_network=True)
        root = lxml_html.document_fromstring(html.encode("utf-8", "replace"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        return ""
    for where in _QUOTES:
        found = root.xpath(where)
        if isinstance(found, list) and found and isinstance(found[0], lxml_html.HtmlElement):
            quote = found[0]
            quote.tail = None
            for head in quote.xpath(
                ".//*[contains(@class, 'gmail_attr') or contains(@class, 'moz-email-headers-table')]"
            ):
                head.drop_tree()
            return str(lxml_html.tostring(quote, encoding="unicode"))
    return ""
