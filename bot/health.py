"""Is it alive, is it ready, and how much of everything: HTTP on a loopback port for operators and Prometheus.

https://prometheus.io/docs/practices/naming/ for the names; labels come from our own code and never from a mail.
"""

from __future__ import annotations

import asyncio
import math
import shutil
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Enum, Gauge, Histogram, ProcessCollector
from prometheus_client import generate_latest as written
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bot.roles import ALL_ROLES, Role
from bot.web import WebServer
from core.ports import SendResult
from core.sizes import size_in_words

if TYPE_CHECKING:
    from bot.circuit import CircuitState
    from bot.jobs_table import JobCount

log = structlog.get_logger(__name__)

Check = Callable[[], Awaitable[object]]
"""None, or what is wrong in one sentence; what it raises is wrong too."""

PROBE_SECONDS = 60.0
"""How long the verdict of a costly check is good for: orchestrators ask every few seconds, and a relay takes somebody
who logs in so often, and for nothing, for an attacker."""
COSTLY = frozenset({"relay"})

CHECK_SECONDS = 5.0  # a probe's own limit is usually 10
LAG_INTERVAL_SECONDS = 1.0
_SHORT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_LONG = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


@dataclass(frozen=True, slots=True)
class HealthSettings:
    """Health and metrics over HTTP, without a password: for the machine itself or a network of your own."""

    host: str = "127.0.0.1"
    """Where it listens."""
    port: int = 8025
    """Its port; 0 for any free one."""


class Metrics:
    """What is counted, in a registry of its own. Safe from any thread; nothing here blocks or raises."""

    def __init__(self, roles: Iterable[Role] = ALL_ROLES) -> None:
        self.circuits: dict[str, CircuitState] = {}
        """By what they protect; one that is not here has been closed all the time."""
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        role = Gauge("inkpost_role", "1 for each role of this process", ["role"], registry=registry)
        for name in sorted(roles):
            role.labels(name).set(1)
        self._accept = Histogram(
            "inkpost_accept_seconds",
            "From the end of a mail's data to its commit",
            buckets=_SHORT,
            registry=registry,
        )
        self._processed = Counter(
            "inkpost_mails_processed", "Mails read, by what became of them", ["outcome"], registry=registry
        )
        self._jobs = Histogram(
            "inkpost_job_seconds", "Jobs run, by task and result", ["task", "result"], buckets=_LONG, registry=registry
        )
        self._deliveries = Counter(
            "inkpost_deliveries", "Attempts to hand a mail to its next hop, by result", ["result"], registry=registry
        )
        self._circuit = Enum(
            "inkpost_circuit_state",
            "Circuit breakers, by what they protect",
            ["circuit"],
            states=["closed", "open", "half_open"],
            registry=registry,
        )
        self._mailboxes = Gauge(
            "inkpost_mailbox_up",
            "Mailboxes that mail is fetched from: 1 if it can be read",
            ["mailbox"],
            registry=registry,
        )
        self._lag = Histogram(
            "inkpost_loop_lag_seconds", "How late the event loop is, once a second", buckets=_SHORT, registry=registry
        )

    def mail_accepted(self, seconds: float) -> None:
        """A mail was committed and answered 250, so long after its last byte."""
        self._accept.observe(seconds)

    def mail_processed(self, outcome: str) -> None:
        """`answered`, `silent`, `set-aside`, ..."""
        self._processed.labels(outcome).inc()

    def job_finished(self, task: str, outcome: str, seconds: float) -> None:
        """As the job engine tells it: its `observe`."""
        self._jobs.labels(task, outcome).observe(seconds)

    def delivery_tried(self, result: SendResult) -> None:
        self._deliveries.labels(type(result).__name__.lower()).inc()

    def circuit_changed(self, circuit: str, state: CircuitState) -> None:
        self._circuit.labels(circuit).state(state)
        self.circuits[circuit] = state

    def mailbox_tried(self, mailbox: str, is_up: bool) -> None:
        """A mailbox could be read, or not."""
        self._mailboxes.labels(mailbox).set(is_up)

    def loop_was_late(self, seconds: float) -> None:
        self._lag.observe(seconds)

    def watch_jobs(self, count: Callable[[], Iterable[JobCount]], *, clock: Callable[[], datetime]) -> None:
        """Have each scrape ask `count`, which may block on the database. Call once."""
        self.registry.register(_JobCollector(count, clock))

    def text(self) -> bytes:
        """All of it in Prometheus' text format. Blocks, if jobs are watched."""
        return written(self.registry)


class _JobCollector(Collector):
    def __init__(self, count: Callable[[], Iterable[JobCount]], clock: Callable[[], datetime]) -> None:
        self._count = count
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        labels = ["queue", "task", "status"]
        jobs = GaugeMetricFamily("inkpost_jobs", "Jobs by queue, task and status", labels=labels)
        overdue = GaugeMetricFamily(
            "inkpost_jobs_overdue_seconds", "How long the oldest of these jobs has been due", labels=labels
        )
        try:
            counts = list(self._count())
        except Exception:  # a scrape ends here: while the database is away, all else is worth seeing all the more
            log.warning("jobs could not be counted", exc_info=True)
            return
        now = self._clock()
        for one in counts:
            values = [one.queue, one.task, one.status]
            jobs.add_metric(values, one.jobs)
            overdue.add_metric(values, max(0.0, (now - one.due_at).total_seconds()))
        yield jobs
        yield overdue


class HealthServer(WebServer):
    """`/healthz`, `/readyz` and `/metrics`. `checks` by name say whether the service can do its work."""

    def __init__(
        self,
        settings: HealthSettings,
        *,
        metrics: Metrics,
        checks: Mapping[str, Check],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._metrics = metrics
        self._checks = {
            name: _Rarely(name, check, metrics, monotonic) if name in COSTLY else partial(_verdict, check)
            for name, check in checks.items()
        }
        self.is_up = False
        """Whether everything is started and nothing goes down: until then it is not ready whatever the checks say."""
        self._lag_seconds = 0.0
        self._watch: asyncio.TimerHandle | None = None
        app = web.Application()
        app.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._show_metrics),
            ]
        )
        super().__init__(app, host=settings.host, port=settings.port)

    async def start(self) -> None:
        """Raises `OSError` if the port is taken."""
        await super().start()
        self._watch_loop()

    async def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        await super().close()

    async def _healthz(self, _request: web.Request) -> web.Response:
        """200 as long as the loop turns: a process that does not answer in time is the one to restart."""
        return web.json_response({"status": "alive", "loop_lag_seconds": round(self._lag_seconds, 4)})

    async def _readyz(self, _request: web.Request) -> web.Response:
        """200, or 503 with what is wrong, by name."""
        if not self.is_up:
            return _not_ready({"service": "it is starting, or going down"})
        verdicts = await asyncio.gather(*(check() for check in self._checks.values()))
        wrong = {name: verdict for name, verdict in zip(self._checks, verdicts, strict=True) if verdict is not None}
        if wrong:
            return _not_ready(wrong)
        return web.json_response({"status": "ready"})

    async def _show_metrics(self, _request: web.Request) -> web.Response:
        text = await asyncio.to_thread(self._metrics.text)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    def _watch_loop(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + LAG_INTERVAL_SECONDS

        def look() -> None:
            self._lag_seconds = max(0.0, loop.time() - due)
            self._metrics.loop_was_late(self._lag_seconds)
            self._watch_loop()

        self._watch = loop.call_at(due, look)


def room_check(folder: Path, *, needed_bytes: int) -> Check:
    """Whether the folder's disk has room for so much: with less it still answers what only looks."""

    async def check() -> str | None:
        free_bytes = (await asyncio.to_thread(shutil.disk_usage, folder)).free
        if free_bytes >= needed_bytes:
            return None
        return f"{size_in_words(free_bytes)} are free for {folder}, and a mail may have {size_in_words(needed_bytes)}"

    return check


def _not_ready(wrong: Mapping[str, str]) -> web.Response:
    return web.json_response({"status": "not ready", "wrong": wrong}, status=503)


class _Rarely:
    """A check whose verdict is kept for `PROBE_SECONDS`. While the circuit of the same name is not closed there is no
    need to ask: the mails that it lets through are the probes."""

    def __init__(self, name: str, check: Check, metrics: Metrics, monotonic: Callable[[], float]) -> None:
        self._name = name
        self._check = check
        self._metrics = metrics
        self._monotonic = monotonic
        self._verdict: str | None = None
        self._good_until = -math.inf
        self._turn = asyncio.Lock()  # those who ask at once share one probe

    async def __call__(self) -> str | None:
        if self._metrics.circuits.get(self._name, "closed") != "closed":
            self._good_until = -math.inf  # what was found before says nothing about the time after
            return "taken for dead after failures in a row; mail waits, and it is tried again by itself"
        async with self._turn:
            if self._monotonic() >= self._good_until:
                self._verdict = await _verdict(self._check)
                self._good_until = self._monotonic() + PROBE_SECONDS
            return self._verdict


async def _verdict(check: Check) -> str | None:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            found = await check()
    except TimeoutError:
        return f"no answer within {CHECK_SECONDS:.0f} s"
    except Exception as error:  # noqa: BLE001 - what a dependency's client raises is the answer to the question
        return f"{type(error).__name__}: {error}"
    return None if found is None else str(found)
