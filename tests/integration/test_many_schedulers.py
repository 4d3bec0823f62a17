"""Several schedulers over one PostgreSQL: each issue is opened once, and each host is asked by one at a time."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.jobs import JobEngine, JobSettings
from bot.opening import migrate
from bot.upkeep import UPKEEP_TURN
from core.db import create_engine
from core.events import EventBus
from core.models import DigestIssue
from tests.factories.news import make_digest, make_feed, make_subscription
from tests.factories.rows import NOW, make_user

DIGESTS, HOSTS, FEEDS_A_HOST = 60, 120, 2


def _prepare(url: str) -> None:
    database = create_engine(url)
    migrate(database)
    with Session(database) as session, session.begin():
        user = make_user(session)
        for number in range(DIGESTS):
            make_digest(session, user, name=f"Paper {number}", next_due_at=NOW - timedelta(minutes=1))
        for host in range(HOSTS):
            for feed in range(FEEDS_A_HOST):
                row = make_feed(session, url=f"https://host{host}.example/{feed}", next_check_at=NOW)
                make_subscription(session, user, row, name=f"Feed {host}-{feed}")
    database.dispose()


async def test_two_schedulers_do_nothing_twice(postgres_url: str) -> None:
    _prepare(postgres_url)
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.support.scheduler_process", postgres_url,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(2)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    outputs = [out for out, _ in await asyncio.gather(*(process.communicate(b"go\n") for process in processes))]

    leased = [line.split() for out in outputs for line in out.decode().splitlines()]
    database = create_engine(postgres_url)
    with Session(database) as session:
        opened = Counter(session.scalars(sa.select(DigestIssue.digest_id)))
        jobs = session.scalar(sa.text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'build_issue'"))
    database.dispose()
    assert [process.returncode for process in processes] == [0, 0]
    assert set(opened.values()) == {1}
    assert (len(opened), jobs) == (DIGESTS, DIGESTS)
    assert all(outputs), "one of them did nothing, so nothing was tried"
    assert len(leased) == HOSTS, "while a feed of a host is leased, no other one is, and none twice"
    assert len({host for _, host in leased}) == HOSTS


async def test_only_one_process_is_at_its_turn(postgres_url: str) -> None:
    database = create_engine(postgres_url)
    one, other = (
        JobEngine(database, clock=lambda: NOW, bus=EventBus(), settings=JobSettings()) for _ in range(2)
    )  # as two processes: what tells them apart for PostgreSQL is the connection

    async with one.alone(UPKEEP_TURN) as is_first, other.alone(UPKEEP_TURN) as is_second, other.alone(1) as is_third:
        found = (is_first, is_second, is_third)
    async with other.alone(UPKEEP_TURN) as is_free_again:
        pass

    assert found == (True, False, True)
    assert is_free_again
    await asyncio.gather(one.close(), other.close())
    database.dispose()
