"""The circuit of a host, with the clock as an argument."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from core.news.circuit import HostCircuit

NOW = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)


def failed(times: int) -> HostCircuit:
    """The circuit of a host that failed so often, always at `NOW`."""
    circuit = HostCircuit()
    for _ in range(times):
        circuit = circuit.after_failure(NOW)
    return circuit


def test_four_failures_leave_it_closed() -> None:
    assert not failed(4).is_open(NOW)
    assert not failed(4).is_half_open(NOW)


def test_the_fifth_failure_opens_it() -> None:
    assert failed(5) == HostCircuit(failures=5, open_until=NOW + timedelta(seconds=60))
    assert failed(5).is_open(NOW + timedelta(seconds=59))


def test_when_the_rest_is_over_one_may_try() -> None:
    then = NOW + timedelta(seconds=60)

    assert not failed(5).is_open(then)
    assert failed(5).is_half_open(then)


def test_while_one_tries_nobody_else_does() -> None:
    then = NOW + timedelta(seconds=60)

    probed = failed(5).while_probed(then)

    assert probed.is_open(then + timedelta(seconds=119))
    assert probed.is_half_open(then + timedelta(seconds=120))


def test_a_probe_that_fails_doubles_the_rest() -> None:
    then = NOW + timedelta(seconds=60)

    assert failed(5).while_probed(then).after_failure(then).open_until == then + timedelta(seconds=120)


def test_a_success_forgets_all_failures() -> None:
    assert failed(7).after_success() == HostCircuit()


@pytest.mark.parametrize(
    ("failures", "seconds"), [(5, 60), (6, 120), (7, 240), (13, 15_360), (14, 21_600), (100, 21_600), (5_000, 21_600)]
)
def test_rests_double_up_to_six_hours(failures: int, seconds: int) -> None:
    assert failed(failures).open_until == NOW + timedelta(seconds=seconds)
