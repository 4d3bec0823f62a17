"""What holds for every test."""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis
import pytest
import structlog

# What takes long on a busy machine is no failure: a test never asserts a time.
hypothesis.settings.register_profile(
    "inkpost", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("inkpost")


@pytest.fixture(autouse=True)
def fresh_logs() -> Iterator[None]:
    """No test hears another's settings: a command line that was run in this process has set up logs of its own."""
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
