"""SIGKILL at random moments while mails arrive: nothing accepted is lost, nothing known is sent twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.crash import run_kills


@pytest.mark.timeout(240)
async def test_two_hundred_mails_survive_a_process_that_is_killed_again_and_again(tmp_path: Path) -> None:
    tally = await run_kills(tmp_path, mails=200, kills=6, seed=2026)
    assert tally.is_good, str(tally)
    assert tally.accepted == 200
    assert tally.kills == 6
