"""A process that schedules: `python -m tests.support.scheduler_process <database URL>`.

Says "ready", waits for a line, then opens every issue that is due and leases every feed that it gets, eight at a time,
and prints what it leased: "<feed id> <host>" each. All of it at a time that stands still.
"""

from __future__ import annotations

import asyncio
import sys

from bot.jobs import JobEngine, JobSettings
from bot.news.clock import DigestClock
from core.db import create_engine
from core.events import EventBus
from core.models import Feed
from core.services.feed_checks import FeedChecks
from core.work import Work
from tests.factories.rows import NOW

AT_ONCE = 8
ROUNDS = 6  # so that none alone can lease all of the 120 hosts, and both together more than there are


def _lease(work: Work) -> list[tuple[int, str]]:
    claimed = FeedChecks(work).claim(limit=2)
    return [(feed.id, work.session.get_one(Feed, feed.id).host) for feed in claimed]


async def main(url: str) -> None:
    engine = JobEngine(create_engine(url), clock=lambda: NOW, bus=EventBus(), settings=JobSettings())
    clock = DigestClock(engine)
    await engine.in_read(lambda session: session.get(Feed, 0))
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await asyncio.gather(*(clock.tick() for _ in range(AT_ONCE)))
    for _ in range(ROUNDS):
        for leased in await asyncio.gather(*(engine.in_work(_lease) for _ in range(AT_ONCE))):
            for feed_id, host in leased:
                print(feed_id, host, flush=True)
    await engine.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
