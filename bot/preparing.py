"""What is done before a delivery: the copy that its device takes is made, in a worker process, once for each book."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import structlog

from bot.calibre import Calibre
from bot.sandbox import Sandbox, SandboxError
from core.books.kindle.order import RECIPES, Dish, Order, cook
from core.books.limits import BookLimits
from core.errors import BotError, TooMuch
from core.i18n import _, speaking
from core.mail.outgoing import Identity
from core.ports import BlobNotFound, BlobStore
from core.services.copies import Copies, CopyToMake, MadeCopy
from core.staging import BlobKind, blob_key, file_sha256
from core.work import Work

log = structlog.get_logger(__name__)

T = TypeVar("T")

COPY_SECONDS = 120.0
"""A book of 147 MB of photographs takes 8 s to be made to fit, on a machine with nothing else to do."""


class Database(Protocol):
    """What is needed of `bot.transactions.Transactions`."""

    async def in_work(self, act: Callable[[Work], T]) -> T: ...


@dataclass(frozen=True, kw_only=True)
class Preparer:
    """Makes copies. May be called for one mail as often as anybody likes: what it made is found again.

    A copy that cannot be made for a fault of the book's is told to its reader. For a fault of ours (a worker that died)
    the original is sent, if it fits.
    """

    database: Database
    blobs: BlobStore
    sandbox: Sandbox
    calibre: Calibre
    identity: Identity
    limits: BookLimits
    work_root: Path
    size_limit: Callable[[], Awaitable[int | None]]
    """The relay's, of a whole encoded mail."""
    versions: dict[str, int] = field(default_factory=lambda: {name: one.version for name, one in RECIPES.items()})

    async def prepare(self, outbox_id: int) -> None:
        """Have the mail carry what its device takes. For a mail that does already there is nothing to do."""
        limit = await self.size_limit()
        wanted = await self.database.in_work(
            lambda work: self._copies(work).wanted(outbox_id, version=self.versions, size_limit=limit)
        )
        if wanted is not None:
            with speaking(wanted.language):  # what is mended is kept as it is said
                await self._make(wanted)

    async def _make(self, wanted: CopyToMake) -> None:
        with tempfile.TemporaryDirectory(dir=self.work_root) as name:
            folder = Path(name)
            try:
                dish = await self._cook(wanted, folder)
            except BotError as error:
                await self._give_up(wanted, error)
                return
            except (SandboxError, BlobNotFound) as error:
                log.error("copy of a book failed", recipe=wanted.recipe, book_id=wanted.book_id, reason=str(error))
                await self._send_original(wanted)
                return
            files = await asyncio.to_thread(self._store, dish)
        await self.database.in_work(
            lambda work: self._copies(work).keep(wanted, files, version=dish.version, fixes=fixes_of(dish))
        )
        log.info(
            "copy made",
            recipe=dish.recipe,
            book_id=wanted.book_id,
            files=len(files),
            rules=[f.rule for f in dish.fixes],
        )

    def _copies(self, work: Work) -> Copies:
        return Copies(work, identity=self.identity)

    async def _cook(self, wanted: CopyToMake, folder: Path) -> Dish:
        source, made = folder / "original", folder / "made"
        await asyncio.to_thread(self.blobs.get_file, wanted.storage_key, source)
        made.mkdir()
        if wanted.recipe == "calibre":
            source = await self.calibre.convert(source, book_format=wanted.format, folder=folder / "calibre")
        order = Order(
            title=wanted.title,
            authors=wanted.authors,
            language=wanted.book_language,
            filename=wanted.filename,
            format=wanted.format,
            budget_bytes=wanted.budget_bytes,
            limits=self.limits,
        )
        return await self.sandbox.run(cook, wanted.recipe, source, made, order, timeout_seconds=COPY_SECONDS)

    def _store(self, dish: Dish) -> list[MadeCopy]:
        stored = []
        for file in dish.files:
            key = blob_key(BlobKind.COPY, file_sha256(file.path), extension=file.format.value)
            self.blobs.put_file(key, file.path, media_type=file.format.media_type)
            stored.append(MadeCopy(key, file.path.stat().st_size, file.format, file.title))
        return stored

    async def _send_original(self, wanted: CopyToMake) -> None:
        if wanted.recipe in SENT_AS_THEY_ARE and await self._fits(wanted):
            await self.database.in_work(lambda work: self._copies(work).send_as_it_is(wanted))
            return
        error = TooMuch(
            _("“{title}” takes too long, or too much memory, to be made ready for your device.").format(
                title=wanted.title
            ),
            fix=_("Mail me a smaller or simpler copy."),
            code="device.size",
        )
        await self._give_up(wanted, error)

    async def _fits(self, wanted: CopyToMake) -> bool:
        stat = await asyncio.to_thread(self.blobs.stat, wanted.storage_key)
        return stat is not None and stat.size_bytes <= wanted.budget_bytes

    async def _give_up(self, wanted: CopyToMake, error: BotError) -> None:
        log.info("copy cannot be made", recipe=wanted.recipe, book_id=wanted.book_id, code=error.code)
        if await self.database.in_work(lambda work: self._copies(work).refuse(wanted, error)):
            await self.prepare(wanted.outbox_id)  # the next form: each is stronger, so that this ends


SENT_AS_THEY_ARE = ("minimal", "fit")
"""Recipes whose original is what the device takes, or nearly."""


def fixes_of(dish: Dish) -> list[dict[str, Any]]:
    """As `Derived.fixes` keeps them."""
    return [
        {"rule": fix.rule, "count": fix.count, "changes": [[change.place, change.what] for change in fix.changes]}
        for fix in dish.fixes
    ]
