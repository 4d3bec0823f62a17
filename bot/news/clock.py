"""When digests are due: a look at the rows at each full minute. Whether an issue is opened, its unique slot says."""

from __future__ import annotations

from datetime import UTC

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger

from bot.news.refresh import Database
from core.errors import Unavailable
from core.services.digests import Digests

log = structlog.get_logger(__name__)

PAGE = 200  # digests a transaction
LATE_SECONDS = 3600  # APScheduler's own limit of 1 s drops a round whenever the loop is busy


class DigestClock:
    """Opens the issues that are due. Any number of them may run, here and elsewhere, at once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": LATE_SECONDS}
        )

    async def start(self) -> None:
        """Look now, for what an outage missed, and then at each full minute."""
        await self.tick()
        self._scheduler.add_job(self.tick, CronTrigger(second=0, timezone=UTC), name="digests")
        self._scheduler.start()

    def close(self) -> None:
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    async def tick(self) -> None:
        """Open what is due now."""
        try:
            while await self._database.in_work(lambda work: Digests(work).open_due(limit=PAGE)) == PAGE:
                pass
        except Unavailable as error:
            log.warning("digests wait for the database", reason=str(error))
