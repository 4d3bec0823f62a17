"""Each process's own folder, and the journal of one that is no more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bot.journal import Journal, JournalEntry
from bot.locks import DataDirBusy
from bot.places import abandoned, own_folder

HOLD = """
import sys
from pathlib import Path
from bot.places import own_folder
with own_folder(Path(sys.argv[1]), is_alone=sys.argv[2] == "alone") as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""


def hold(data_dir: Path, how: str = "one-of-many") -> tuple[subprocess.Popen[str], Path]:
    """A process that has its folder until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(data_dir), how],
        cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_processes_have_folders_of_their_own_and_take_over_those_of_the_dead(tmp_path: Path) -> None:
    first, folder = hold(tmp_path)
    second, other = hold(tmp_path)
    with abandoned(tmp_path, mine=tmp_path) as while_both_live:
        pass
    journal = Journal(folder / "sent.journal")
    journal.note(JournalEntry(1, "AAAAA-AAAAA", 1, "250 ok"))
    for process in (first, second):
        process.kill()
        process.communicate()

    with own_folder(tmp_path, is_alone=False) as mine, abandoned(tmp_path, mine=mine) as left:
        pending = Journal(mine / "sent.journal").pending

    assert while_both_live == ()
    assert folder != other
    assert mine == folder
    assert left == (other,)
    assert [entry.reference for entry in pending] == ["AAAAA-AAAAA"]


def test_one_process_alone_has_the_data_folder(tmp_path: Path) -> None:
    process, folder = hold(tmp_path, "alone")
    try:
        assert folder == tmp_path
        with pytest.raises(DataDirBusy, match=str(process.pid)), own_folder(tmp_path, is_alone=True):
            pass
    finally:
        process.kill()
        process.communicate()
