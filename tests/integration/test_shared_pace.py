"""One pace for all workers: turns that many take at once, on PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.app import migrate
from bot.pace import Pacer, PaceSettings
from core.db import create_engine
from core.models import Pace
from tests.factories.rows import NOW

WORKERS = 8
RULES = PaceSettings(interval_seconds={"kindle.com": 2.0}, per_minute={"kindle.com": 20})


def test_one_of_many_workers_gets_the_turn(postgres_url: str) -> None:
    database = create_engine(postgres_url)
    migrate(database)

    def take(_worker: int) -> float:
        with Session(database) as session, session.begin():
            return Pacer(RULES).take_turn(session, "ada@kindle.com", now=NOW)

    try:
        with ThreadPoolExecutor(WORKERS) as workers:
            waits = sorted(workers.map(take, range(WORKERS)))
        with Session(database) as session:
            (pace,) = session.scalars(sa.select(Pace)).all()
    finally:
        database.dispose()

    assert waits == [0.0] + [2.0] * (WORKERS - 1)
    assert pace.turns == [NOW.timestamp()]
