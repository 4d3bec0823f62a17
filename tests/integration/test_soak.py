"""A database that is locked, a disk that is full and name servers that are silent for moments, while mails come: see
`tests.bench.soak`.

The relay is well here: what it defers comes back after a minute, which is longer than a test may take.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.soak import Soak


@pytest.mark.timeout(300)
async def test_faults_of_the_disk_and_the_database_lose_no_mail(tmp_path: Path) -> None:
    soak = Soak(tmp_path, seconds=6, seed=1, well_seconds=1.0, spell_seconds=0.5, has_ill_relay=False)

    found = await soak()

    assert not found.lost, str(found)
    assert (found.doubled, found.told) == (0, {})
    assert found.drained_seconds is not None, str(found)
    assert found.faults["database locked"] >= 1
    assert found.accepted > 30
