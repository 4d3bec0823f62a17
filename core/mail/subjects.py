"""Subjects: the `Re:` and `Fwd:` that mail programs put before them in many languages, and tags of gateways."""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.mail.words import clean_line

# RFC 5322 3.6.5 knows "Re: " alone; these are what mail programs write instead.
_REPLY = (
    "re|aw|antw|antwort|sv|vs|réf|ref|rép|rif|r|res|resp|odp|ynt|atb|ats|bls|vá|на|отв|ответ|ha|απ|σχετ|השב|رد"
    "|回复|回覆|答复|答覆|返信|返|답장|回信"
)
_FORWARD = (
    "fw|fwd|wg|tr|rv|rvc|enc|encaminhado|i|inoltra|vb|vl|pd|doorst|ilt|πρθ|továbbítás|пер|пересл|fs|trs|הועבר"
    "|إعادة توجيه|转发|轉寄|轉發|転送|전달"
)
_COUNTER = r"(?:\s?\[\d{1,3}\]|\s?\(\d{1,3}\)|[\^*]\d{1,3})?"  # `RE[2]:`, `Re(3):`, `Re^2:`
_PREFIX = re.compile(rf"(?:(?P<reply>{_REPLY})|(?P<forward>{_FORWARD})){_COUNTER}\s?[:：]\s*", re.IGNORECASE)
# "[External] ", "{Spam?} ", "*****SPAM***** ", "EXTERNAL: "
_TAG = re.compile(
    r"(?:\[[^\[\]]{1,40}\]|\{[^{}]{1,40}\}|\*{2,}[\w ?-]{1,40}\*{2,}"
    r"|<?ext(?:ern(?:al|e?s?)?)?>?:|\(extern(?:al)?\))\s*",
    re.IGNORECASE,
)
MAX_SUBJECT = 200  # what fits two lines of a header and a phone; RFC 5322 2.1.1 allows a line of 998

LONGEST_COMMAND = 900  # of a subject that a tap writes: what such a line holds, with its name and what a prefix adds


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject without what mail programs and gateways put before it."""

    text: str
    is_reply: bool = False
    is_forward: bool = False


def read_subject(subject: str) -> Subject:
    """The subject as its author typed it, cleaned for reading; the outermost prefix says what kind of mail it is."""
    text, outermost = _strip(clean_line(subject))
    is_forward = outermost is not None and outermost["forward"] is not None
    return Subject(text, is_reply=outermost is not None and not is_forward, is_forward=is_forward)


def reply_subject(subject: str) -> str:
    """`Re:` and what the user wrote, once, on one line; "" for an empty subject.

    Its letters are left as they are, since mail programs only put mails with the same subject into one thread.
    """
    text, _ = _strip(" ".join("".join(letter if letter.isprintable() else " " for letter in subject).split()))
    if len(text) > MAX_SUBJECT:
        text = text[: MAX_SUBJECT - 1].rstrip() + "…"
    return f"Re: {text}" if text else ""


def _strip(text: str) -> tuple[str, re.Match[str] | None]:
    """The text without prefixes and tags, and the first prefix."""
    outermost: re.Match[str] | None = None
    while True:
        if prefix := _PREFIX.match(text):
            outermost = outermost or prefix
            text = text[prefix.end() :]
        elif (tag := _TAG.match(text)) and tag.end() < len(text):
            text = text[tag.end() :]
        else:
            return text, outermost
