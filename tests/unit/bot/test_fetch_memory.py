"""The budget of memory that fetches share."""

from __future__ import annotations

import asyncio

from bot.fetch.memory import MemoryBudget


async def hold(budget: MemoryBudget, wanted_bytes: int, *, until: asyncio.Event) -> None:
    async with budget.held(wanted_bytes):
        await until.wait()


async def turns() -> None:
    """Lets every task that can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_who_waits_for_much_is_not_overtaken_for_ever_by_who_wants_little() -> None:
    budget, first_done, done = MemoryBudget(10), asyncio.Event(), asyncio.Event()
    done.set()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(hold(budget, 6, until=first_done))
        await turns()
        tasks.create_task(hold(budget, 10, until=first_done))
        small = tasks.create_task(hold(budget, 1, until=done))
        await turns()
        has_overtaken = small.done()
        first_done.set()

    assert not has_overtaken
    assert budget.held_bytes == 0


async def test_who_wants_more_than_there_is_gets_all_of_it() -> None:
    budget = MemoryBudget(10)

    async with asyncio.timeout(1.0), budget.held(1_000):
        held_bytes = budget.held_bytes

    assert (held_bytes, budget.held_bytes) == (10, 0)


async def test_who_gives_up_waiting_stands_in_nobodys_way() -> None:
    budget, done = MemoryBudget(10), asyncio.Event()
    holder = asyncio.create_task(hold(budget, 10, until=done))
    await turns()
    waiter = asyncio.create_task(hold(budget, 10, until=done))
    await turns()

    waiter.cancel()
    done.set()
    await asyncio.wait([holder, waiter])

    async with asyncio.timeout(1.0), budget.held(10):
        assert budget.held_bytes == 10
