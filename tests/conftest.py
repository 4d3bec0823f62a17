"""What holds for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def fresh_logs() -> Iterator[None]:
    """No test hears another's settings: a command line that was run in this process has set up logs of its own."""
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
