"""Some days of overlapping feeds in short: the whole is `python -m tests.bench replay`."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from tests.support.replay import Script, replay


async def test_days_of_overlapping_feeds_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    script = Script(days=6, feeds=4, stories_a_day=4, step_hours=8, seed=3, start=date(2026, 10, 22), with_kindle=False)

    outcome = await replay(script, tmp_path)

    assert (outcome.repeats, outcome.lost, outcome.wrong_issues) == ([], [], [])
    assert outcome.stories == 24
    assert outcome.updates > 0
    assert outcome.issues >= 2 * (script.days - 2)
