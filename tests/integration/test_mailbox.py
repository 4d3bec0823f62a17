"""The mailbox that stands in for the outside world."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.mailbox import LoopbackMailbox


async def test_what_does_not_come_is_told_by_its_address(tmp_path: Path) -> None:
    world = LoopbackMailbox(tmp_path)

    with pytest.raises(TimeoutError, match=r"mail 2 to ada@reader\.example has not come in 0 s"):
        await world.wait_for("ada@reader.example", count=2, timeout_seconds=0.01)
