"""One pace for all workers: a turn that two take at once, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.opening import migrate
from bot.pace import Pacer, PaceSettings
from core.db import create_engine
from tests.factories.rows import NOW

PACER = Pacer(PaceSettings(interval_seconds={"kindle.com": 2.0}, per_minute={"kindle.com": 20}))
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def database(postgres_url: str) -> Iterator[sa.Engine]:
    engine = create_engine(postgres_url)
    migrate(engine)
    with Session(engine) as session, session.begin():
        PACER.take_turn(session, "ada@kindle.com", now=NOW)  # so that the provider has its row
    yield engine
    engine.dispose()


def test_turn_is_taken_by_one_worker_alone(database: sa.Engine) -> None:
    with Session(database) as first, Session(database) as second:
        assert PACER.take_turn(first, "ada@kindle.com", now=LATER) == 0.0
        second.execute(sa.text("SET LOCAL lock_timeout = '100ms'"))
        with pytest.raises(sa.exc.OperationalError, match="lock timeout"):  # it waits, for longer than we do here
            PACER.take_turn(second, "bob@kindle.com", now=LATER)
        second.rollback()
        first.commit()

        assert PACER.take_turn(second, "bob@kindle.com", now=LATER) == 2.0
