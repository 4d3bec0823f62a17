"""An outbox, and somebody whose mails are in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.services.notices import FailureNotices
from tests.support.outgoing import (
    IDENTITY,
    Ledger,
    Reader,
    add_reader,
)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "ledger.db")
    FailureNotices(IDENTITY).subscribe(ledger.bus)
    yield ledger
    ledger.close()


@pytest.fixture
def reader(ledger: Ledger) -> Reader:
    with ledger.work() as work:
        return add_reader(work)
