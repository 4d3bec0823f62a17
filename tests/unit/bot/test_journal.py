"""The journal of deliveries, and what a crash leaves of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bot import journal as journal_module
from bot.journal import SHRINK_AT_BYTES, Journal, JournalEntry, Stage

ENTRY = JournalEntry(outbox_id=7, reference="K7Q29-FDM3X", number=2, reply="250 2.0.0 “ok”\nqueued")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deliveries.journal"


def test_note_outlives_its_process(path: Path) -> None:
    program = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from bot.journal import Journal, JournalEntry\n"
        f"Journal(Path({str(path)!r})).note(JournalEntry(7, {ENTRY.reference!r}, 2, {ENTRY.reply!r}))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )

    process = subprocess.run([sys.executable, "-c", program], check=False, timeout=30)

    assert process.returncode == -signal.SIGKILL
    assert Journal(path).pending == (ENTRY,)


def test_what_is_noted_can_be_found_until_it_is_settled(path: Path) -> None:
    journal = Journal(path)
    journal.note(ENTRY)
    assert journal.find(7) == ENTRY

    journal.settle(ENTRY)

    assert journal.find(7) is None
    assert journal.pending == ()


def test_what_is_settled_late_does_not_take_a_later_attempt_along(path: Path) -> None:
    journal = Journal(path)
    later = replace(ENTRY, number=ENTRY.number + 1, stage=Stage.BEGUN)
    journal.note(later)

    journal.settle(ENTRY)

    assert journal.find(7) == later


def test_closed_journal_without_open_ends_is_empty(path: Path) -> None:
    journal = Journal(path)
    journal.note(ENTRY)
    journal.settle(ENTRY)

    journal.close()

    assert path.read_bytes() == b""


def test_closed_journal_keeps_its_open_ends(path: Path) -> None:
    journal = Journal(path)
    journal.note(ENTRY)

    journal.close()

    assert Journal(path).pending == (ENTRY,)


@pytest.mark.parametrize("torn", [b'{"outbox_id": 8, "ref', b"\0" * 20, b"null\n", b"[1]\n", b"\xff\xfe\n"])
def test_torn_line_spoils_neither_the_one_before_nor_the_one_after(path: Path, torn: bytes) -> None:
    journal = Journal(path)
    journal.note(ENTRY)
    with path.open("ab") as file:
        file.write(torn)

    after = replace(ENTRY, outbox_id=9)
    Journal(path).note(after)

    assert Journal(path).pending == (ENTRY, after)


def test_journal_does_not_grow_for_ever(path: Path) -> None:
    journal = Journal(path)

    for number in range(2000):
        entry = replace(ENTRY, outbox_id=number)
        journal.note(entry)
        journal.settle(entry)

    assert path.stat().st_size <= journal_module.SHRINK_AT_BYTES + 200


def test_journal_with_open_ends_is_not_emptied(path: Path) -> None:
    journal = Journal(path)
    journal.note(ENTRY)

    for number in range(100, 1100):
        entry = replace(ENTRY, outbox_id=number)
        journal.note(entry)
        journal.settle(entry)

    assert ENTRY in Journal(path).pending


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_does_not_make_a_mail_go_out_again(path: Path) -> None:
    journal = Journal(path)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, journal._file)
    os.close(full)

    journal.note(ENTRY)

    assert journal.find(7) == ENTRY


def test_journal_that_is_made_smaller_keeps_its_open_ends(path: Path) -> None:
    journal = Journal(path)
    open_end = replace(ENTRY, outbox_id=1, stage=Stage.WHOLE, reply="")
    journal.note(open_end)
    for number in range(2, 2000):
        entry = replace(ENTRY, outbox_id=number)
        journal.note(entry)
        journal.settle(entry)

    assert path.stat().st_size <= SHRINK_AT_BYTES + 1000
    assert open_end in Journal(path).pending


def test_line_without_a_stage_is_of_a_mail_that_was_taken(path: Path) -> None:
    """As the journal was written before it had stages."""
    path.write_text('{"outbox_id": 7, "reference": "K7Q29-FDM3X", "number": 2, "reply": "250 ok"}\n')

    assert [entry.stage for entry in Journal(path).pending] == [Stage.TAKEN]
