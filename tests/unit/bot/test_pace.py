"""The pace of mails to one provider."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from bot.pace import Pacer, PaceSettings

RULES = PaceSettings(interval_seconds={"kindle.com": 2.0}, per_minute={"kindle.com": 4, "slow.example": 1})


class Steps:
    """A clock that is moved by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_providers_without_a_rule_are_not_paced() -> None:
    pacer = Pacer(RULES, clock=Steps())

    assert [pacer.take_turn("a@example.org") for _ in range(100)] == [0.0] * 100


def test_turns_have_their_distance() -> None:
    clock = Steps()
    pacer = Pacer(RULES, clock=clock)

    assert pacer.take_turn("a@kindle.com") == 0.0
    assert pacer.take_turn("b@kindle.com") == 2.0
    clock.now += 0.5
    assert pacer.take_turn("b@kindle.com") == 1.5
    clock.now += 1.5
    assert pacer.take_turn("b@kindle.com") == 0.0


def test_rule_of_a_domain_holds_for_those_below_it_together() -> None:
    pacer = Pacer(RULES, clock=Steps())

    assert pacer.take_turn("a@free.KINDLE.com") == 0.0
    assert pacer.take_turn("a@kindle.com") == 2.0
    assert pacer.take_turn("a@notkindle.com") == 0.0


def test_minute_is_full_at_its_limit() -> None:
    clock = Steps()
    pacer = Pacer(RULES, clock=clock)
    for _ in range(4):
        assert pacer.take_turn("a@kindle.com") == 0.0
        clock.now += 2

    assert pacer.take_turn("a@kindle.com") == 52.0
    clock.now += 52
    assert pacer.take_turn("a@kindle.com") == 0.0


@given(st.lists(st.integers(0, 60).map(lambda halves: halves / 2), min_size=1, max_size=60))
def test_no_minute_has_more_than_its_limit(steps: list[float]) -> None:
    clock = Steps()
    pacer = Pacer(RULES, clock=clock)
    taken: list[float] = []
    for step in steps:
        clock.now += step
        if pacer.take_turn("a@kindle.com") == 0.0:
            taken.append(clock.now)

    assert all(later - earlier >= 2 for earlier, later in itertools.pairwise(taken))
    assert all(taken[i + 4] - taken[i] >= 60 for i in range(len(taken) - 4))
