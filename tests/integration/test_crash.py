"""SIGKILL at random moments while mails arrive: nothing accepted is lost, nothing known is sent twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.crash import Run


@pytest.mark.timeout(480)
async def test_mails_survive_a_process_that_is_killed_again_and_again(tmp_path: Path) -> None:
    tally = await Run(tmp_path, kills=3, seed=2026, mails_per_second=20)()
    assert tally.is_good, str(tally)
    assert tally.accepted > 3  # how many come between kills is the machine's; a busy one took 16
    assert (tally.kills.total(), tally.checks) == (3, 4)
