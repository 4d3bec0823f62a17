"""Jobs a second and the latency of a chain of three: `python -m tests.bench jobs [--database wheel]`."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bot.jobs import JobEngine, JobSettings, create_schema
from core.db import create_engine
from core.events import EventBus
from core.jobs import Job
from core.work import Work
from tests.support.postgres import database_to_measure

BACKLOG = 2000
BATCH = 50
CHAINS = 200
CHAIN_LENGTH = 3


def _engine(url: str) -> JobEngine:
    db = create_engine(url)
    with db.begin() as connection:
        create_schema(connection)
    return JobEngine(db, clock=lambda: datetime.now(UTC), bus=EventBus(), settings=JobSettings())


def _defer(*jobs: Job) -> Callable[[Work], None]:
    return lambda work: work.jobs.extend(jobs)


async def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 600  # a machine may have other things to do
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        await asyncio.sleep(0.002)


async def _throughput(engine: JobEngine, done: list[int]) -> tuple[float, float]:
    """Jobs deferred a second (transactions of `BATCH`), and done a second beside it."""
    started = time.perf_counter()
    for first in range(0, BACKLOG, BATCH):
        await engine.in_work(_defer(*(Job("count", {"number": n}) for n in range(first, first + BATCH))))
    deferred = time.perf_counter()
    await _until(lambda: len(done) == BACKLOG)
    return BACKLOG / (deferred - started), BACKLOG / (time.perf_counter() - started)


async def _latencies(engine: JobEngine, ends: dict[int, float], *, per_second: float) -> list[float]:
    """Milliseconds from before the first commit to the end of the third job, each job with a commit of its own."""
    starts: dict[int, float] = {}
    for chain in range(CHAINS):
        starts[chain] = time.perf_counter()
        await engine.in_work(_defer(Job("step", {"chain": chain, "left": CHAIN_LENGTH})))
        await asyncio.sleep(1 / per_second)
    await _until(lambda: len(ends) == CHAINS)
    return sorted(1000 * (ends[chain] - starts[chain]) for chain in range(CHAINS))


async def measure(url: str) -> None:
    engine = _engine(url)
    done: list[int] = []
    ends: dict[int, float] = {}

    @engine.task("count")
    async def count(number: int) -> None:
        done.append(number)

    @engine.task("step")
    async def step(chain: int, left: int) -> None:
        if left == 1:
            await engine.in_work(lambda _work: None)
            ends[chain] = time.perf_counter()
        else:
            await engine.in_work(_defer(Job("step", {"chain": chain, "left": left - 1}, lock=f"chain:{chain}")))

    await engine.open()
    worker = asyncio.create_task(engine.run_worker())
    deferred, throughput = await _throughput(engine, done)
    print(f"{engine.db.dialect.name}: deferred {deferred:,.0f}/s in batches of {BATCH}; done {throughput:,.0f} jobs/s")
    for per_second in (20, 100):
        ends.clear()
        times = await _latencies(engine, ends, per_second=per_second)
        median, worst = statistics.median(times), times[int(0.99 * len(times))]
        print(f"  {CHAIN_LENGTH} jobs in a chain, {per_second}/s: p50 {median:.1f} ms, p99 {worst:.1f} ms")
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    await engine.close()
    engine.db.dispose()


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench jobs", description=__doc__)
    parser.add_argument("--database", default="", help="postgresql://… (empty), or wheel; SQLite where not given")
    parser.add_argument("--short", action="store_true", help="nothing shorter is to be had: it takes seconds")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder, database_to_measure(options.database) as url:
        asyncio.run(measure(url or f"sqlite:///{Path(folder) / 'jobs.db'}"))
    return 0
