"""The jobs `forget_user` and `forget_mail`: the end of a person who wants to be forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

import structlog

from bot.jobs import JobEngine, RetryLater
from bot.jobs_table import JobRecord
from core.services.forgetting import Forgetting

log = structlog.get_logger(__name__)

LOOK_AGAIN_SECONDS = 60.0  # at whether the last mail is sent


@dataclass(frozen=True, slots=True)
class Forgetter:
    """Deletes what is kept about somebody. Runs again after any crash: what is deleted is deleted."""

    engine: JobEngine

    async def forget_user(self, *, user_id: int) -> None:
        """The job. Jobs that wait for this person are dropped too: they would find nobody."""
        await self._drop_jobs(user_id, addresses=())
        forgotten = await self.engine.in_work(lambda work: Forgetting(work).finish(user_id))
        await self._drop_jobs(user_id, addresses=forgotten.addresses if forgotten is not None else ())
        log.info("somebody is forgotten")

    async def forget_mail(self, *, outbox_id: int) -> None:
        """The job. Raises `RetryLater` while the mail is on its way."""
        if not await self.engine.in_work(lambda work: Forgetting(work).forget_mail(outbox_id)):
            raise RetryLater(LOOK_AGAIN_SECONDS)

    async def _drop_jobs(self, user_id: int, *, addresses: Collection[str]) -> None:
        locks = {f"paper:{user_id}", *(f"{kind}:{address}" for kind in ("mail",) for address in addresses)}
        for job in await asyncio.to_thread(self.engine.list_jobs):
            if _is_about(job, user_id, locks):
                await asyncio.to_thread(self.engine.drop, job.id)


def _is_about(job: JobRecord, user_id: int, locks: Collection[str]) -> bool:
    return job.args.get("user_id") == user_id or (job.lock or "") in locks
