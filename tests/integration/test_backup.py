"""Backup and restore as docs/operations.md has it, rehearsed while mails come in."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.factories.books import make_epub
from tests.support.service import open_house


def back_up(data: Path, backup: Path) -> None:
    """The three steps, in their order."""
    backup.mkdir()
    with closing(sqlite3.connect(data / "inkpost.db")) as old, closing(sqlite3.connect(backup / "inkpost.db")) as new:
        old.backup(new)
    shutil.copytree(data / "blobs", backup / "blobs")
    shutil.copy(data / "sent.journal", backup / "sent.journal")


async def test_library_is_whole_after_a_restore_from_a_backup_that_was_made_at_work(tmp_path: Path) -> None:
    async with open_house(tmp_path / "old") as house:
        ada = await house.person()
        await ada.asks("", attach=[("one.epub", make_epub(title="Moby Dick"))])
        await ada.asks("kindle add ada@kindle.com")
        await house.settle()
        backup = tmp_path / "new" / "data"
        backup.parent.mkdir()
        writing = asyncio.create_task(ada.writes("", attach=[("two.epub", make_epub(title="Emma"))]))
        await asyncio.to_thread(back_up, tmp_path / "old" / "data", backup)
        await writing

    async with open_house(tmp_path / "new") as house:
        ada.house, ada.answers = house, 0
        await house.settle()  # what the copy of the database still had to do: at most the answer to “Emma”
        ada.answers = sum(mail.rcpt_to == ada.address for mail in house.world.mails)
        listed = (await ada.asks("list")).text
        await ada.asks("send moby")
        parcel = await house.world.wait_for("ada@kindle.com")

    assert "Moby Dick" in listed
    (book,) = parcel.message.iter_attachments()
    assert book.get_content_type() == "application/epub+zip"
