"""Health and metrics as an operator's programs see them: over HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot import health
from bot.circuit import CircuitState
from bot.health import Check, HealthServer, HealthSettings, Metrics, room_check
from bot.jobs_table import JobCount
from core.errors import Unavailable
from core.ports import Deferred, Delivered

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


async def fine() -> str | None:
    return None


async def down() -> str | None:
    return "the relay is down"


async def broken() -> str | None:
    raise Unavailable("no route to the bucket")


@asynccontextmanager
async def running(metrics: Metrics, **checks: Check) -> AsyncIterator[str]:
    """The URL of a server on a free port."""
    server = HealthServer(HealthSettings(port=0), metrics=metrics, checks=checks)
    server.is_up = True
    await server.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        await server.close()


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


async def get_json(url: str) -> tuple[int, dict[str, object]]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.json()


async def samples(url: str) -> dict[str, float]:
    """Value by `name{label="value",...}`, as Prometheus' own parser reads it; labels in order of their names."""
    _, text = await get(f"{url}/metrics")
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


async def test_living_process_says_so() -> None:
    async with running(Metrics(), relay=down) as url:
        status, body = await get_json(f"{url}/healthz")

    assert (status, body["status"]) == (200, "alive")


async def test_service_is_ready_when_nothing_is_wrong() -> None:
    async with running(Metrics(), database=fine, relay=fine) as url:
        assert await get_json(f"{url}/readyz") == (200, {"status": "ready"})


async def test_service_that_is_still_starting_or_goes_down_is_not_ready() -> None:
    server = HealthServer(HealthSettings(port=0), metrics=Metrics(), checks={"database": fine})
    await server.start()
    try:
        status, body = await get_json(f"http://127.0.0.1:{server.port}/readyz")
        assert (status, body["wrong"]) == (503, {"service": "it is starting, or going down"})
    finally:
        await server.close()


async def test_all_that_is_wrong_is_told_by_name() -> None:
    async with running(Metrics(), database=fine, relay=down, storage=broken) as url:
        status, body = await get_json(f"{url}/readyz")

    assert status == 503
    assert body["wrong"] == {"relay": "the relay is down", "storage": "Unavailable: no route to the bucket"}


async def test_check_that_does_not_answer_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_SECONDS", 0.01)

    async with running(Metrics(), database=asyncio.Event().wait, relay=fine) as url:
        status, body = await get_json(f"{url}/readyz")

    assert (status, body["wrong"]) == (503, {"database": "no answer within 0 s"})


async def test_disk_without_room_for_a_mail_is_wrong(tmp_path: Path) -> None:
    async with running(Metrics(), disk=room_check(tmp_path, needed_bytes=10**18)) as url:
        status, body = await get_json(f"{url}/readyz")

    assert status == 503
    assert f"are free for {tmp_path}, and a mail may have " in str(body["wrong"])


async def test_disk_with_room_for_a_mail_is_right(tmp_path: Path) -> None:
    async with running(Metrics(), disk=room_check(tmp_path, needed_bytes=1)) as url:
        assert (await get_json(f"{url}/readyz"))[0] == 200


@dataclass
class Relay:
    """A relay that counts who asks it, at a time that stands until it is moved."""

    problem: str | None = None
    hangs: bool = False
    asked: int = 0
    now: float = 1000.0
    metrics: Metrics = field(default_factory=Metrics)

    async def check(self) -> str | None:
        self.asked += 1
        await asyncio.sleep(3600 if self.hangs else 0)
        return self.problem

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[str]:
        """The URL of `/readyz`."""
        server = HealthServer(
            HealthSettings(port=0), metrics=self.metrics, checks={"relay": self.check}, monotonic=lambda: self.now
        )
        server.is_up = True
        await server.start()
        try:
            yield f"http://127.0.0.1:{server.port}/readyz"
        finally:
            await server.close()


async def test_relay_is_asked_once_a_minute_at_most() -> None:
    relay = Relay()

    async with relay.watched() as url:
        at_once = await asyncio.gather(*(get_json(url) for _ in range(5)))
        relay.problem, relay.now = "it is down", relay.now + health.PROBE_SECONDS - 1
        assert [status for status, _ in [*at_once, await get_json(url)]] == [200] * 6
        assert relay.asked == 1

        relay.now += 1
        assert (await get_json(url))[1]["wrong"] == {"relay": "it is down"}
        assert relay.asked == 2


async def test_relay_that_does_not_answer_is_not_asked_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_SECONDS", 0.01)
    relay = Relay(hangs=True)

    async with relay.watched() as url:
        assert [status for status, _ in (await get_json(url), await get_json(url))] == [503, 503]

    assert relay.asked == 1


@pytest.mark.parametrize("state", ["open", "half_open"])
async def test_relay_whose_circuit_is_not_closed_is_not_asked_and_not_ready(state: CircuitState) -> None:
    relay = Relay()

    async with relay.watched() as url:
        await get_json(url)
        relay.metrics.circuit_changed("relay", state)
        status, body = await get_json(url)
        assert (status, relay.asked) == (503, 1)
        assert "taken for dead" in str(body["wrong"])

        relay.metrics.circuit_changed("relay", "closed")
        assert ((await get_json(url))[0], relay.asked) == (200, 2)


async def test_what_was_counted_is_shown() -> None:
    metrics = Metrics()
    metrics.mail_accepted(0.004)
    metrics.mail_processed("answered")
    metrics.mail_processed("answered")
    metrics.job_finished("deliver", "postponed", 0.2)
    metrics.delivery_tried(Delivered("250 ok"))
    metrics.delivery_tried(Deferred("451 later"))
    metrics.circuit_changed("relay", "open")

    async with running(metrics) as url:
        shown = await samples(url)

    assert shown['inkpost_accept_seconds_bucket{le="0.0025"}'] == 0
    assert shown['inkpost_accept_seconds_bucket{le="0.005"}'] == 1
    assert shown['inkpost_mails_processed_total{outcome="answered"}'] == 2
    assert shown['inkpost_job_seconds_count{result="postponed",task="deliver"}'] == 1
    assert shown['inkpost_deliveries_total{result="delivered"}'] == 1
    assert shown['inkpost_deliveries_total{result="deferred"}'] == 1
    assert shown['inkpost_circuit_state{circuit="relay",inkpost_circuit_state="open"}'] == 1
    assert shown['inkpost_circuit_state{circuit="relay",inkpost_circuit_state="closed"}'] == 0
    assert shown["process_resident_memory_bytes"] > 1 << 20


async def test_jobs_are_counted_when_they_are_asked_for() -> None:
    counts = [JobCount("outbound", "deliver", "todo", 3, NOW - timedelta(seconds=90))]
    metrics = Metrics()
    metrics.watch_jobs(lambda: counts, clock=lambda: NOW)

    async with running(metrics) as url:
        first = await samples(url)
        counts[:] = [JobCount("outbound", "deliver", "todo", 1, NOW + timedelta(seconds=90))]
        second = await samples(url)

    labels = '{queue="outbound",status="todo",task="deliver"}'
    assert (first[f"inkpost_jobs{labels}"], first[f"inkpost_jobs_overdue_seconds{labels}"]) == (3, 90)
    assert (second[f"inkpost_jobs{labels}"], second[f"inkpost_jobs_overdue_seconds{labels}"]) == (1, 0)


async def test_the_rest_is_shown_while_the_database_is_away() -> None:
    def away() -> list[JobCount]:
        raise Unavailable("no database")

    metrics = Metrics()
    metrics.watch_jobs(away, clock=lambda: NOW)
    metrics.mail_processed("answered")

    async with running(metrics) as url:
        shown = await samples(url)

    assert shown['inkpost_mails_processed_total{outcome="answered"}'] == 1
    assert not any(name.startswith("inkpost_jobs{") for name in shown)


async def test_two_services_in_a_process_count_for_themselves() -> None:
    one, other = Metrics(), Metrics()
    one.mail_processed("answered")

    assert b"answered" in one.text()
    assert b"answered" not in other.text()


async def test_late_loop_is_noticed_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "LAG_INTERVAL_SECONDS", 0.01)
    metrics = Metrics()

    async with running(metrics) as url, asyncio.timeout(60):
        for late in (1, 2):
            time.sleep(0.2)  # noqa: ASYNC251 - the very thing that must not happen
            while (await samples(url))["inkpost_loop_lag_seconds_sum"] < late * 0.15:
                pass  # each look lets the loop turn
        _, body = await get_json(f"{url}/healthz")

    assert "loop_lag_seconds" in body
