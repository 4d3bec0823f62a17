"""The circuit breaker: a dead relay is probed, not hammered."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from bot.circuit import WHILE_PROBED_SECONDS, CircuitOpen, CircuitSettings, RelayCircuit
from core.ports import Deferred, Delivered, Refused, SendResult

DOWN = Deferred("no connection", is_peer_down=True)
TAKEN = Delivered("250 2.0.0 ok")


@dataclass
class Seconds:
    """interlock's `Clock`."""

    now: float = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def circuit(clock: Seconds) -> RelayCircuit:
    return RelayCircuit(CircuitSettings(), clock=clock)


async def run(circuit: RelayCircuit, *results: SendResult | None) -> None:
    for result in results:

        async def send(result: SendResult | None = result) -> SendResult | None:
            return result

        assert await circuit.run(send) is result


def state_of(circuit: RelayCircuit) -> str:
    return circuit.state


async def seconds_to_wait(circuit: RelayCircuit) -> float:
    with pytest.raises(CircuitOpen) as caught:
        await run(circuit, TAKEN)
    return caught.value.seconds


async def test_relay_that_fails_five_times_in_a_row_is_taken_for_dead(circuit: RelayCircuit) -> None:
    await run(circuit, DOWN, DOWN, DOWN, DOWN)
    assert state_of(circuit) == "closed"

    await run(circuit, DOWN)

    assert state_of(circuit) == "open"
    assert await seconds_to_wait(circuit) == 60


@pytest.mark.parametrize("result", [TAKEN, Refused("550 5.1.1 no"), Deferred("451 4.7.1 later")])
async def test_relay_that_answers_lives(circuit: RelayCircuit, result: SendResult) -> None:
    for _ in range(5):
        await run(circuit, DOWN, DOWN, DOWN, DOWN, result)

    assert state_of(circuit) == "closed"


async def test_large_mails_that_take_minutes_do_not_count_against_the_relay(
    circuit: RelayCircuit, clock: Seconds
) -> None:
    async def slowly() -> SendResult:
        clock.now += 600
        return TAKEN

    for _ in range(10):
        await circuit.run(slowly)

    assert state_of(circuit) == "closed"


async def test_one_mail_probes_and_the_others_wait(circuit: RelayCircuit, clock: Seconds) -> None:
    await run(circuit, *[DOWN] * 5)
    clock.now = 60
    let_go = asyncio.Event()

    async def slowly() -> SendResult:
        await let_go.wait()
        return TAKEN

    probe = asyncio.create_task(circuit.run(slowly))
    await asyncio.sleep(0)

    assert await seconds_to_wait(circuit) == WHILE_PROBED_SECONDS
    let_go.set()
    await probe
    assert state_of(circuit) == "closed"
    await run(circuit, TAKEN)


async def test_probe_that_fails_waits_for_another_minute(circuit: RelayCircuit, clock: Seconds) -> None:
    await run(circuit, *[DOWN] * 5)
    clock.now = 61

    await run(circuit, DOWN)

    assert await seconds_to_wait(circuit) == 60


@pytest.mark.parametrize("result", [Refused("550 5.1.1 no"), Deferred("451 4.7.1 later"), TAKEN])
async def test_probe_that_is_answered_closes_the_circuit(
    circuit: RelayCircuit, clock: Seconds, result: SendResult
) -> None:
    await run(circuit, *[DOWN] * 5)
    clock.now = 60

    await run(circuit, result)

    assert state_of(circuit) == "closed"


async def test_job_without_anything_to_send_is_no_probe(circuit: RelayCircuit, clock: Seconds) -> None:
    await run(circuit, *[DOWN] * 5)
    clock.now = 60

    await run(circuit, None, None)

    assert state_of(circuit) == "half_open"
    await run(circuit, DOWN)
    assert state_of(circuit) == "open"


async def test_job_without_anything_to_send_does_not_count_as_success(circuit: RelayCircuit) -> None:
    await run(circuit, DOWN, DOWN, DOWN, DOWN, None, DOWN)

    assert state_of(circuit) == "open"


async def test_our_own_error_says_nothing_of_the_relay_and_keeps_its_cause(
    circuit: RelayCircuit, clock: Seconds
) -> None:
    await run(circuit, *[DOWN] * 5)
    clock.now = 60

    async def fail() -> SendResult:
        raise LookupError("ours") from OSError("why")

    with pytest.raises(LookupError) as caught:
        await circuit.run(fail)

    assert isinstance(caught.value.__cause__, OSError)
    assert state_of(circuit) == "half_open"
    await run(circuit, TAKEN)


async def test_cancelled_probe_gives_its_place_back(circuit: RelayCircuit, clock: Seconds) -> None:
    await run(circuit, *[DOWN] * 5)
    clock.now = 60

    async def for_ever() -> SendResult:
        await asyncio.Event().wait()
        return TAKEN

    probe = asyncio.create_task(circuit.run(for_ever))
    await asyncio.sleep(0)
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe

    await run(circuit, TAKEN)
    assert state_of(circuit) == "closed"


async def test_changes_are_heard_of(clock: Seconds) -> None:
    heard: list[str] = []
    circuit = RelayCircuit(CircuitSettings(failures=2), clock=clock, on_change=heard.append)

    await run(circuit, DOWN, DOWN)
    clock.now = 60
    await run(circuit, TAKEN)

    assert heard == ["open", "half_open", "closed"]
