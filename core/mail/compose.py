"""The answer to a mail: plain text and HTML of the same results, threaded, marked as automatic (RFC 3834)."""

from __future__ import annotations

import base64
import binascii
import functools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import css_inline
import jinja2
from markupsafe import Markup

from core.i18n import _, dated, in_quotes, ngettext, pgettext, spoken
from core.mail.answer import Answer, AnswerFile, Facts, Items, Picture, Problem, Result
from core.mail.loops import LOOP_FIELD
from core.mail.meanings import Short, meanings_of
from core.mail.outgoing import Identity, OutgoingMail, boundary, head_of, to_address
from core.mail.subjects import LONGEST_COMMAND, MAX_SUBJECT, reply_subject
from core.mail.text import REPLY_MARKER, TAP_LINE
from core.mail.wrapping import jointed, wrapped

TEMPLATES = Path(__file__).parent / "templates"
MAX_REFERENCES = 20  # ids; RFC 5322 3.6.4 sets no limit, header limits of servers do (Postfix: 100 KiB)
MAX_NAME = 100  # characters of a display name
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,250}>")  # the printable ASCII of RFC 5322 3.6.4, at a length that folds
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_AUTO_REPLIED = "auto-replied"  # RFC 3834 5.1
_AUTO_GENERATED = "auto-generated"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerContext:
    """Whom an answer goes to, and what it answers. What is from the user's mail may hold anything."""

    identity: Identity
    reference: str
    """Of the answer, which its Message-ID is made of."""
    now: datetime
    user_address: str
    user_name: str = ""
    reply_address: str
    """Where replies and taps go: `Identity.reply_address`, or the secret address of who wrote to that."""
    timezone: str = "UTC"
    """IANA name."""
    is_for_reader: bool = True
    """Not for who is none: nothing that they write is obeyed, so nothing is offered."""
    original_subject: str = ""
    original_message_id: str | None = None
    original_references: tuple[str, ...] = ()


def compose_answer(results: Sequence[Result], *, context: AnswerContext) -> OutgoingMail:
    """The one answer to a mail, with all that came of it. Raises `ValueError` if there are no results."""
    if not results:
        raise ValueError("a mail without results has no answer")
    subject = reply_subject(context.original_subject) or one_line(_title(results), limit=MAX_SUBJECT)
    return _compose(results, context, subject=subject, submitted=_AUTO_REPLIED)


def compose_notice(outcome: Answer | Problem, *, context: AnswerContext) -> OutgoingMail:
    """A mail that nobody asked for at this moment: a delivery that failed. It hangs in the thread, if it has one."""
    result = Result("", outcome)
    subject = one_line(_title([result]), limit=MAX_SUBJECT)
    return _compose([result], context, subject=subject, submitted=_AUTO_GENERATED)


def mailto(address: str, command: str) -> str:
    """The URL that writes a command to an address (RFC 6068 2). Everything but letters, digits and `-._~@` is encoded,
    since web mails read a bare `+` as a blank."""
    return f"mailto:{quote(address, safe='@')}?subject={_in_url(command)}"


def _in_url(command: str) -> str:
    return quote(one_line(command, limit=LONGEST_COMMAND), safe="")


def taps(address: str) -> Callable[[str], str]:
    """Makes `mailto` of commands, with a text for whoever looks at what they are about to send."""
    begin, end = mailto(address, ""), f"&body={quote(_(TAP_LINE), safe='')}"
    return lambda command: f"{begin}{_in_url(command)}{end}"


def tap(address: str, command: str) -> str:
    """`taps` for one command."""
    return taps(address)(command)


def local_time(moment: datetime, timezone: str) -> str:
    """A time as people write it, in their zone: `22 Nov 2026, 15:04 (Europe/Berlin)`."""
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        zone = ZoneInfo("UTC")
    local = moment.astimezone(zone)
    at = dated(local, _("d MMM yyyy, HH:mm"))
    return f"{at} ({zone.key})"


def _title(results: Sequence[Result]) -> str:
    outcome = results[0].outcome
    first = outcome.title if isinstance(outcome, Answer) else outcome.text
    return first if len(results) == 1 else _("{first} (and {count} more)").format(first=first, count=len(results) - 1)


def _compose(results: Sequence[Result], context: AnswerContext, *, subject: str, submitted: str) -> OutgoingMail:
    variables = {
        "results": results,
        "done": sum(isinstance(result.outcome, Answer) for result in results),
        "subject": subject,
        "marker": REPLY_MARKER,
        "reference": context.reference,
        "now": context.now,
        "language": spoken(),
        "mailto": taps(context.reply_address),
        "hint": _hint(results) if context.is_for_reader else "",
        "page_of": _page_of,
        "cid": functools.partial(_content_url, context.identity),
        "local": functools.cache(functools.partial(_local, timezone=context.timezone)),
    }
    message_id = context.identity.message_id(context.reference)
    fields = head_of(_fields(context, subject=subject, submitted=submitted))
    text = _template("answer.txt").render(variables)
    html = inliner().inline(_template("answer.html").render(variables))
    return OutgoingMail(
        reference=context.reference,
        message_id=message_id,
        mail_from="",  # RFC 3834 3.3, RFC 5321 4.5.5: should the answer fail, nobody is told of that
        rcpt_to=context.user_address,
        subject=subject,
        head=fields
        + _with_files(
            alternatives(text, html, mark=boundary(message_id), pictures=_pictures(results), identity=context.identity),
            _files(results),
            message_id,
        ),
    )


def _hint(results: Sequence[Result]) -> str:
    """How the answer can be answered, in the words that mean something to it."""
    meanings = meanings_of(results)
    number = next((word for word in meanings if word.isdigit()), "")
    words = [
        number,
        _("yes") if Short.YES in meanings else "",
        _("no") if Short.NO in meanings else "",
        _("more") if Short.MORE in meanings else "",
        _("undo") if Short.UNDO in meanings else "",
    ]
    said = in_quotes(word for word in words if word)
    if not said:
        return _("Tap a link, or reply with a command.")
    return _("Tap a link, or reply with a word: {words}.").format(words=said)


def _page_of(block: Items) -> str:
    if block.total:
        return _("Page {page} of {pages}, {total} in all").format(page=block.page, pages=block.pages, total=block.total)
    return _("Page {page} of {pages}").format(page=block.page, pages=block.pages)


def _initial(title: str) -> str:
    """The first letter of a title, for the tile of a book without a cover."""
    return next((letter.upper() for letter in title if letter.isalnum()), "·")


def _pictures(results: Sequence[Result]) -> list[Picture]:
    """Each once, in the order of the mail."""
    found: dict[str, Picture] = {}
    for block in (block for result in results for block in result.outcome.blocks):
        shown = block.items if isinstance(block, Items) else (block,) if isinstance(block, Facts) else ()
        found |= {one.picture.name: one.picture for one in shown if one.picture is not None}
    return list(found.values())


def _content_id(identity: Identity, picture: Picture) -> str:
    return f"{picture.name}@{identity.address.rpartition('@')[2]}"


def _content_url(identity: Identity, picture: Picture) -> str:
    """RFC 2392 2: the address of another part of the same mail."""
    return f"cid:{_content_id(identity, picture)}"


def _files(results: Sequence[Result]) -> list[AnswerFile]:
    return [file for each in results if isinstance(each.outcome, Answer) for file in each.outcome.files]


def _fields(context: AnswerContext, *, subject: str, submitted: str) -> Iterator[tuple[str, str | Address]]:
    yield "From", context.identity.from_header
    yield "Reply-To", reply_to(context.reply_address, identity=context.identity)
    yield "To", to_address(context.user_address, name=one_line(context.user_name, limit=MAX_NAME))
    yield "Subject", subject
    yield "Date", format_datetime(context.now)
    yield "Message-ID", context.identity.message_id(context.reference)
    answered = context.original_message_id
    if answered is not None and _MESSAGE_ID.fullmatch(answered):
        yield "In-Reply-To", answered
        earlier = [each for each in context.original_references if _MESSAGE_ID.fullmatch(each) and each != answered]
        yield "References", " ".join(_capped([*earlier, answered]))
    yield "Auto-Submitted", submitted
    yield "X-Auto-Response-Suppress", "All"  # [MS-OXCMAIL] 2.2.3.2.14: Exchange heeds this and not RFC 3834
    yield LOOP_FIELD, context.identity.address


def reply_to(address: str, *, identity: Identity) -> Address:
    """The address that commands go to, unless SMTP takes it for one and RFC 5322 does not."""
    try:
        return to_address(address, name=identity.name)
    except ValueError:
        return identity.from_header


def _capped(ids: Sequence[str]) -> list[str]:
    """The root of the thread and its latest mails, each once: what mail programs build the tree from."""
    unique = list(dict.fromkeys(ids))
    return unique if len(unique) <= MAX_REFERENCES else [unique[0], *unique[1 - MAX_REFERENCES :]]


def alternatives(
    text: str, html: str, *, mark: str, pictures: Sequence[Picture] = (), identity: Identity | None = None
) -> bytes:
    """The MIME fields and the body of multipart/alternative (RFC 2046 5.1.4: the plainest first), the pictures of the
    HTML beside it in a multipart/related (RFC 2387).

    Written here, since the standard library's generator takes as long for it as for all the rest.
    """
    if not pictures or identity is None:
        rich = _part(html, "html", mark=mark)
    else:
        inner = boundary(f"pictures of {mark}")
        rich = b"".join(
            (
                f'--{mark}\r\nContent-Type: multipart/related; type="text/html";\r\n'.encode(),
                f' boundary="{inner}"\r\n\r\n'.encode(),
                _part(html, "html", mark=inner),
                *(_picture_part(picture, mark=inner, identity=identity) for picture in pictures),
                f"--{inner}--\r\n".encode(),
            )
        )
    return b"".join(
        (
            f'MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary="{mark}"\r\n\r\n'.encode(),
            _part(text, "plain", mark=mark),
            rich,
            f"--{mark}--\r\n".encode(),
        )
    )


def _picture_part(picture: Picture, *, mark: str, identity: Identity) -> bytes:
    fields = (
        f"--{mark}\r\nContent-Type: image/jpeg\r\nContent-ID: <{_content_id(identity, picture)}>\r\n"
        "Content-Disposition: inline\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    )
    return fields.encode("ascii") + base64.encodebytes(picture.content).replace(b"\n", b"\r\n")


def _part(text: str, subtype: str, *, mark: str) -> bytes:
    """In lines of 76 bytes that 7-bit relays let alone (RFC 2045 6.7 and 6.8): in quoted-printable, which people can
    read, unless base64 is shorter, as for Chinese or Greek (1.4 bytes a byte against 3)."""
    plain = text.encode("utf-8", "replace")
    encoding, encoded = "quoted-printable", binascii.b2a_qp(plain)
    if len(encoded) > len(plain) * 3 // 2:
        encoding, encoded = "base64", base64.encodebytes(plain.replace(b"\n", b"\r\n"))
    fields = (
        f'--{mark}\r\nContent-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'
    )
    return fields.encode() + encoded.replace(b"\n", b"\r\n") + b"\r\n"


def _with_files(body: bytes, files: Sequence[AnswerFile], message_id: str) -> bytes:
    """MIME fields and body as they are, or as the first part of a multipart/mixed (RFC 2046 5.1.3)."""
    if not files:
        return body
    version = b"MIME-Version: 1.0\r\n"
    mark = boundary(f"files of {message_id}")
    opening = f'Content-Type: multipart/mixed;\r\n boundary="{mark}"\r\n\r\n--{mark}\r\n'.encode()
    parts = (_file_part(file, mark=mark) for file in files)
    return b"".join((version, opening, body.removeprefix(version), *parts, f"--{mark}--\r\n".encode()))


def _file_part(file: AnswerFile, *, mark: str) -> bytes:
    fields = (
        f'--{mark}\r\nContent-Type: {file.media_type}; name="{file.filename}"\r\n'
        f'Content-Disposition: attachment; filename="{file.filename}"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    )
    return fields.encode("ascii") + base64.encodebytes(file.content).replace(b"\n", b"\r\n")


def one_line(text: str, *, limit: int) -> str:
    """For a header field: no line breaks or control characters, at most `limit` characters."""
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else " " for letter in text)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _local(value: str | datetime, *, timezone: str) -> str:
    return local_time(value, timezone) if isinstance(value, datetime) else value


def visible(value: Any) -> Any:
    """What a template is given to print: text without the characters that would hide or turn round what is read."""
    return _CONTROLS.sub("", value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _jointed(value: str) -> Markup:
    return jointed(visible(value))


def _kind(value: object) -> str:
    return type(value).__name__


@functools.cache
def environment(*folders: Path) -> jinja2.Environment:
    """What the templates of our mails are made with: from these folders, then from that of the answers."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader((*folders, TEMPLATES)),
        autoescape=jinja2.select_autoescape(["html"]),
        undefined=jinja2.StrictUndefined,
        finalize=visible,
        auto_reload=False,  # else it asks the disk for each template of each mail whether it has changed
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["kind"] = _kind
    environment.filters["initial"] = _initial
    environment.filters["wrapped"] = wrapped
    environment.filters["jointed"] = _jointed
    environment.globals.update(_=_, ngettext=ngettext, pgettext=pgettext, dated=dated)
    return environment


@functools.cache
def _template(name: str) -> jinja2.Template:
    return environment().get_template(name)


@functools.cache
def inliner() -> css_inline.CSSInliner:
    """Puts the styles into the tags."""
    # Media queries cannot be inlined and stay in the head; nothing is ever fetched.
    return css_inline.CSSInliner(load_remote_stylesheets=False, keep_at_rules=True, minify_css=True)
