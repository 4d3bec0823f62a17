"""Real and hostile mails that nobody here wrote: all are read, nobody who must not be answered is."""

from __future__ import annotations

import email
import json
import os
from collections.abc import Iterator
from email.errors import MessageDefect
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from core.mail.authenticity import OurAddresses
from core.mail.filenames import clean_filename
from core.mail.loops import silence_reason
from core.mail.message import ParsedMessage
from core.mail.parse import parse_message
from core.mail.text import command_lines
from tests.unit.mail.test_mail_skeleton import comparable, library_leaves, own_leaves

CORPUS = Path(os.environ.get("INKPOST_CORPUS", Path(__file__).parents[4] / "shared" / "corpus"))
OURS = OurAddresses(frozenset({"books.example"}), frozenset({"bot"}))

Row = dict[str, Any]
Messages = dict[tuple[str, str], ParsedMessage]


def _rows(kind: str) -> list[Row]:
    manifest = CORPUS / kind / "MANIFEST.jsonl"
    if not manifest.is_file():
        pytest.skip(f"no corpus at {CORPUS} (INKPOST_CORPUS): real and hostile mails are not tried")
    return [json.loads(line) for line in manifest.read_text().splitlines()]


def _mails() -> list[Row]:
    """All rows of `mime` that are mails, with what is known of them."""
    return [row for row in _rows("mime") if "facts" in row]


@pytest.fixture(scope="module")
def messages(tmp_path_factory: pytest.TempPathFactory) -> Messages:
    """Every file of the kinds that hold mails, read, by kind and file; also those that are no mails."""
    folder = tmp_path_factory.mktemp("corpus")
    files = [(kind, row["file"]) for kind in ("mime", "security") for row in _rows(kind)]
    return {
        (kind, file): parse_message(CORPUS / kind / file, work_dir=folder / kind / file.replace("/", "_"))
        for kind, file in files
    }


def _silence(message: ParsedMessage) -> str | None:
    """By the reverse-path that the mail says it came with."""
    written = message.header("Return-Path")
    mail_from = "somebody@example.net" if written is None else written.strip().strip("<>")
    return silence_reason(message, mail_from=mail_from, ours=OURS)


def test_every_file_of_the_corpus_is_read(messages: Messages) -> None:
    for message in messages.values():
        assert not any(line.startswith(">") for line in command_lines(message.text))
        for attachment in message.attachments:
            assert attachment.path.stat().st_size == attachment.size_bytes
            assert attachment.filename == (clean_filename(attachment.filename) if attachment.filename else None)


def test_nobody_is_answered_who_must_not_be(messages: Messages) -> None:
    silent = [row["file"] for row in _mails() if row["facts"]["must_be_silent"]]

    assert [file for file in silent if _silence(messages["mime", file]) is None] == []


def test_most_mails_that_may_be_answered_are(messages: Messages) -> None:
    answerable = [row["file"] for row in _mails() if not row["facts"]["must_be_silent"]]
    silent = [file for file in answerable if _silence(messages["mime", file]) is not None]

    assert len(silent) * 10 < len(answerable), silent


def test_mails_that_go_in_circles_are_told_from_those_that_do_not(messages: Messages) -> None:
    for row in _rows("security"):
        if row["file"].startswith("mail-loops/") and row["file"].endswith(".eml"):
            is_silent = _silence(messages["security", row["file"]]) is not None

            assert is_silent is ("silence" in row["expected"]) or "or silence" in row["expected"], row["file"]


def test_no_forged_author_is_taken_for_the_victim(messages: Messages) -> None:
    """Where it is the header that forges, and not the envelope or the signature, there is no author."""
    forged = [
        message for (_, file), message in messages.items() if file.startswith("espoofer/") and file.endswith(".eml")
    ]

    for message in forged:
        if message.author is not None:
            assert message.all_headers("From") == [f"<{message.author.address}>"]


def test_the_files_that_a_mail_is_known_to_hold_are_found(messages: Messages) -> None:
    missing = {}
    for row in _mails():
        found = {attachment.filename for attachment in messages["mime", row["file"]].attachments}
        if not (expected := _file_names(row)) <= found:
            missing[row["file"]] = expected - found

    assert missing == {}


def _file_names(row: Row) -> set[str]:
    """The names that the manifest knows and that are files for us: not messages, reports, or forms of the text."""
    with (CORPUS / "mime" / row["file"]).open("rb") as file:
        message = email.message_from_binary_file(file)
    opaque = {
        part.get_filename()
        for part in message.walk()
        if part.get_content_maintype() in ("message", "multipart")
        or part.get_content_type() in ("text/rfc822-headers", "application/ms-tnef")
        or (part.get_content_maintype() == "text" and part.get_content_disposition() != "attachment")
    }
    names = [name for name in row["facts"]["attachments"] if name not in opaque]
    readable = [name for name in names if "\ufffd" not in name and "=?" not in name and len(name) < 80]
    return {cleaned for name in readable if (cleaned := clean_filename(name)) and cleaned.isascii()}


def test_the_parts_of_sound_mails_are_those_that_the_standard_library_finds() -> None:
    compared, differing = 0, []
    for row in _mails():
        raw = (CORPUS / "mime" / row["file"]).read_bytes()
        message = email.message_from_bytes(raw)
        if b"\n" not in raw or any(_defects(message)):
            continue
        compared += 1
        if comparable(own_leaves(raw)) != comparable(library_leaves(message)):
            differing.append(row["file"])

    # What is left are types and boundaries that the library does not read (comments, a missing semicolon, a blank).
    assert len(differing) * 50 < compared, differing


def _defects(message: Message) -> Iterator[MessageDefect]:
    for part in message.walk():
        part.get_payload(decode=True)  # which finds more of them
        yield from part.defects
