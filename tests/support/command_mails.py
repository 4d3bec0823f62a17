"""The tables of mails in tests/data: how a row becomes a mail, and when its meaning was understood."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from core.mail.grammar import Command, Misreading, NotUnderstood
from core.mail.message import Attachment, ParsedMessage
from core.values import BookFormat


def _table(name: str) -> list[dict[str, Any]]:
    text = (Path(__file__).parents[1] / "data" / name).read_text(encoding="utf-8")
    mails: list[dict[str, Any]] = tomllib.loads(text)["mail"]
    return mails


MAILS = _table("commands.toml")
NEWS_MAILS = _table("commands_news.toml")
"""Of commands that only the real grammar has."""
FORMATS = {each.value: each for each in BookFormat}
TYPES = {"asc": "application/pgp-signature", "jpg": "image/jpeg"}


def mail(subject: str = "", body: str = "", *, reply: bool = False, files: tuple[str, ...] = ()) -> ParsedMessage:
    return ParsedMessage(
        author=None,
        author_defect="",
        subject=subject,
        message_id="<1@reader.example>",
        in_reply_to=("<0@inkpost.example>",) if reply else (),
        references=(),
        date=None,
        text=body,
        html="",
        attachments=tuple(attachment(name) for name in files),
        headers=(),
        content_type="text/plain",
        defects=(),
    )


def attachment(name: str) -> Attachment:
    extension = name.rpartition(".")[2]
    return Attachment(
        filename=name,
        declared_type=TYPES.get(extension, "application/octet-stream"),
        path=Path(name),
        size_bytes=1,
        sha256="0" * 64,
        format=FORMATS.get(extension),
        is_feed_list=extension == "opml",
        is_archive=extension == "zip",
    )


def told(found: Command | NotUnderstood) -> str:
    """As the `means` of the table writes it."""
    if isinstance(found, NotUnderstood):
        reason = "" if found.reason is Misreading.UNKNOWN else found.reason.value
        return f"?{reason}"
    words = (f"{{{word}}}" if " " in word else word for word in found.words)
    parts = [found.name, *words]
    for preposition, behind in found.phrases.items():
        parts += [f">{preposition}", *(f"{{{word}}}" if " " in word else word for word in behind)]
    parts += [f"{key}={{{value}}}" for key, value in found.options.items()]
    return " ".join(parts + ([f"~{found.corrected_from}"] if found.corrected_from else []))


def agrees(found: Command | NotUnderstood, meaning: str) -> bool:
    if not isinstance(found, NotUnderstood):
        return told(found) == meaning
    reason, _, suggestions = meaning.partition(" ")
    wanted = [line.strip() for line in suggestions.split("|") if line.strip()]
    return told(found) == reason and list(found.suggestions[: len(wanted)]) == wanted


def name_of(case: dict[str, Any]) -> str:
    return f"{case.get('subject', '')!s}/{case.get('body', '')!s}"[:60] or "empty"


def mail_of(case: dict[str, Any]) -> ParsedMessage:
    return mail(
        case.get("subject", ""),
        case.get("body", ""),
        reply=case.get("reply", False),
        files=tuple(case.get("files", ())),
    )


def is_understood(found: tuple[Command | NotUnderstood, ...], case: dict[str, Any]) -> bool:
    means: list[str] = case["means"]
    return len(found) == len(means) and all(agrees(*pair) for pair in zip(found, means, strict=True))
