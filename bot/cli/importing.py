"""`inkpost import`: somebody's books from a folder or a Calibre library."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bot.app import PRELOAD
from bot.cli.shared import ConfigPath, configuration, console, engine_of, progress_bar
from bot.config import Config
from bot.importing import Imported, Importer, ToImport, as_text, find_books
from bot.opening import open_blobs
from bot.sandbox import Sandbox
from bot.staging import Stager
from core.services.accounts import Accounts


def import_(folder: Path, *, user: str, config: ConfigPath = None) -> None:
    """Add a folder of books, or a Calibre library, to somebody's library; books that are there already are left out.

    Parameters
    ----------
    folder:
        With a metadata.db it is read as a Calibre library, else with all folders below it. Nothing in it is changed.
    user:
        The address of the person.
    """
    books, settings = find_books(folder), configuration(config)
    done = asyncio.run(_import(settings, books, user=user))
    for path, why in done.refused:
        console.print(f"{as_text(path)}: {why}", markup=False, soft_wrap=True)
    console.print(f"{done.added} added, {done.there_already} there already, {len(done.refused)} refused.")


async def _import(settings: Config, books: list[ToImport], *, user: str) -> Imported:
    engine = engine_of(settings)
    with engine.work() as work:
        user_id = Accounts(work).find(user).id
    sandbox = Sandbox(settings.sandbox, preload=PRELOAD)
    stager = Stager(blobs=open_blobs(settings), sandbox=sandbox, limits=settings.books)
    try:
        with progress_bar() as bar:
            task = bar.add_task("books", total=len(books))

            def advance(_book: ToImport) -> None:
                bar.advance(task)

            importer = Importer(engine, stager, user_id, at_once=settings.sandbox.workers)
            return await importer.run(books, progress=advance)
    finally:
        await sandbox.close()
