"""The pace of mails to one provider."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from bot.pace import MINUTE, Pacer, PaceSettings, wait_seconds
from tests.factories.rows import NOW, open_database

RULES = PaceSettings(interval_seconds={"kindle.com": 2.0}, per_minute={"kindle.com": 4, "slow.example": 1})


@dataclass
class Queue:
    """Mails that want to go, at times that are moved by hand."""

    session: Session
    seconds: float = 0.0

    def take_turn(self, rcpt_to: str, *, pacer: Pacer | None = None) -> float:
        return (pacer or Pacer(RULES)).take_turn(self.session, rcpt_to, now=NOW + timedelta(seconds=self.seconds))


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    with open_database(tmp_path / "inkpost.db") as engine, Session(engine) as session:
        yield Queue(session)


def test_providers_without_a_rule_are_not_paced(queue: Queue) -> None:
    assert [queue.take_turn("a@example.org") for _ in range(100)] == [0.0] * 100


def test_turns_have_their_distance(queue: Queue) -> None:
    assert queue.take_turn("a@kindle.com") == 0.0
    assert queue.take_turn("b@kindle.com") == 2.0
    queue.seconds += 0.5
    assert queue.take_turn("b@kindle.com") == 1.5
    queue.seconds += 1.5
    assert queue.take_turn("b@kindle.com") == 0.0


def test_rule_of_a_domain_holds_for_those_below_it_together(queue: Queue) -> None:
    assert queue.take_turn("a@free.KINDLE.com") == 0.0
    assert queue.take_turn("a@kindle.com") == 2.0
    assert queue.take_turn("a@notkindle.com") == 0.0


def test_minute_is_full_at_its_limit(queue: Queue) -> None:
    for _ in range(4):
        assert queue.take_turn("a@kindle.com") == 0.0
        queue.seconds += 2

    assert queue.take_turn("a@kindle.com") == 52.0
    queue.seconds += 52
    assert queue.take_turn("a@kindle.com") == 0.0


def test_another_worker_keeps_the_same_pace(queue: Queue) -> None:
    assert queue.take_turn("a@kindle.com", pacer=Pacer(RULES)) == 0.0
    assert queue.take_turn("a@kindle.com", pacer=Pacer(RULES)) == 2.0


def test_clock_that_was_set_back_stops_nothing(queue: Queue) -> None:
    queue.seconds = 86_400
    queue.take_turn("a@kindle.com")
    queue.seconds = 0

    assert queue.take_turn("a@kindle.com") == 0.0


@given(st.lists(st.integers(0, 60).map(lambda halves: halves / 2), min_size=1, max_size=60))
def test_no_minute_has_more_than_its_limit(steps: list[float]) -> None:
    taken: list[float] = []
    for now in itertools.accumulate(steps, initial=1000.0):
        if not wait_seconds(taken, now=now, interval=2.0, most=4):
            taken.append(now)

    assert all(later - earlier >= 2 for earlier, later in itertools.pairwise(taken))
    assert all(taken[i + 4] - taken[i] >= MINUTE for i in range(len(taken) - 4))
