"""`inkpost storage copy|link`: where the books are."""

from __future__ import annotations

from pathlib import Path

import cyclopts

from bot.cli.shared import ConfigPath, configuration, console, fail, progress_bar
from bot.opening import open_blobs
from bot.storage import open_store
from bot.storage.copying import copy_blobs
from core.ports import BlobStat

storage = cyclopts.App(name="storage", help="The store of books and large mails.")
LINK_DAYS = 7  # the longest that a signed URL of Cloud Storage (V4) may be good for


@storage.command
def copy(source: str, target: str) -> None:
    """Copy every blob that the target lacks, and compare it. What was broken off goes on where it was.

    Parameters
    ----------
    source:
        local:<folder> or gs://<bucket>/<prefix>
    target:
        Likewise. Then set storage_url to it, with the service stopped, and copy once more for what came meanwhile.
    """
    folder = Path(source.removeprefix("local:")).expanduser()
    if source.startswith("local:") and not folder.is_dir():  # opening it would make one
        fail(f"{folder}: there is no such folder")
    stores = open_store(source), open_store(target)
    with progress_bar() as bar:
        task = bar.add_task("blobs", total=sum(1 for _ in stores[0].list()))

        def advance(_blob: BlobStat) -> None:
            bar.advance(task)

        done = copy_blobs(*stores, progress=advance)
    console.print(f"{done.copied} copied ({done.copied_bytes / 1e6:.1f} MB), {done.there_already} there already.")
    if done.wrong:
        fail("These are not the same in both:", *(f"  {key}" for key in done.wrong))


@storage.command
def link(key: str, *, filename: str, days: int = LINK_DAYS, config: ConfigPath = None) -> None:
    """A link to one blob for somebody to whom it cannot be mailed. Whoever has it can fetch the blob.

    Parameters
    ----------
    key:
        As it stands in the database, e.g. books/ab/ab12….epub
    filename:
        What it is to be called when it is saved.
    days:
        How long the link is good for, at most seven.
    """
    blobs = open_blobs(configuration(config))
    if blobs.stat(key) is None:
        fail(f"There is no blob {key}.")
    url = blobs.link(key, filename=filename, seconds=min(max(days, 1), LINK_DAYS) * 86400)
    if url is None:
        fail(
            "A folder on a disk has no links that others could follow.",
            f"Copy the file yourself, or move the store to Cloud Storage: inkpost storage copy local:… gs://…, {key}",
        )
    console.print(url, markup=False, soft_wrap=True)
