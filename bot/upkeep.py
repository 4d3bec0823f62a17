"""Upkeep: what has to be forgotten, at its time. APScheduler says when; the rows say what."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, timedelta

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from bot.transactions import Transactions
from core.errors import Unavailable
from core.models import DoomedBlob, Thumbnail
from core.ports import BlobStore
from core.services.book_manager import BookManager
from core.services.confirmations import forget_confirmations
from core.services.fates import Fates
from core.services.inbox import Inbox
from core.services.needs import needed_blobs
from core.services.outbox import Outbox
from core.services.takeouts import Takeouts
from core.services.threads import forget_threads
from core.work import Work

log = structlog.get_logger(__name__)

ROUND_SECONDS = 600
UPKEEP_TURN = 0x696E6B75  # "inku": a PostgreSQL advisory lock, beside `bot.jobs_table.REAPER_LOCK`
LATE_SECONDS = 3600  # APScheduler's own limit of 1 s drops a round whenever the loop is busy


@dataclass(frozen=True, slots=True)
class UpkeepSettings:
    """How long things are kept."""

    keep_mail_days: float = 30.0
    """How long the text of a mail that was dealt with is kept, and of one of ours that could not be sent. What became
    of it is kept for good."""


class Upkeep:
    """Rounds of forgetting. Each is small, may be missed, and may be done twice."""

    def __init__(self, settings: UpkeepSettings, *, database: Transactions, blobs: BlobStore) -> None:
        self._settings = settings
        self._database = database
        self._blobs = blobs
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": LATE_SECONDS}
        )

    def start(self) -> None:
        """Do a round at each interval, the first after one. Needs a running loop."""
        self._scheduler.add_job(self.round, IntervalTrigger(seconds=ROUND_SECONDS, timezone=UTC), name="upkeep")
        self._scheduler.start()

    def close(self) -> None:
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    async def round(self) -> None:
        """Delete the blobs that an earlier round doomed, then forget what is due.

        Rows first: a blob without a row is waste, a row without a blob would be a loss. And a round between the two:
        whoever stored the same bytes just before they were doomed has had the time to commit the row that needs them.
        """
        try:
            async with self._database.alone(UPKEEP_TURN) as is_alone:
                if is_alone:
                    await self._round()
        except Unavailable as error:
            log.warning("upkeep waits for the next round", reason=str(error))

    async def _round(self) -> None:
        """By one process at a time: what another has just forgotten may be stored and needed again."""
        keys = await self._database.in_work(self._doomed)
        await asyncio.to_thread(self._delete, keys)
        await self._database.in_work(lambda work: _forget_blobs(work, keys))
        await self._database.in_work(self._forget)
        while await self._database.in_work(lambda work: Fates(work).settle()):
            pass

    def _doomed(self, work: Work) -> list[str]:
        """The blobs to delete. One that a row needs again, since the same bytes came again, is spared."""
        keys = DoomedBlob.all_keys(work.session)
        needed = needed_blobs(work, keys)
        DoomedBlob.forget(work.session, needed)
        return [key for key in keys if key not in needed]

    def _forget(self, work: Work) -> None:
        BookManager(work).purge()
        forget_confirmations(work)
        forget_threads(work)
        Takeouts(work).forget_old()
        before = work.now - timedelta(days=self._settings.keep_mail_days)
        Inbox(work).forget_texts(before=before)
        Outbox(work).forget_texts(before=before)

    def _delete(self, keys: list[str]) -> None:
        for key in keys:
            self._blobs.delete(key)
        if keys:
            log.info("blobs deleted", count=len(keys))


def _forget_blobs(work: Work, keys: list[str]) -> None:
    DoomedBlob.forget(work.session, keys)
    Thumbnail.forget(work.session, keys)
