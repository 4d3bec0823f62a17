"""The circuit breaker around the relay: a dead one is probed with one mail at a time, and the others wait."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, cast

import structlog
from interlock import CircuitBreaker, CircuitOpenError, Config, State
from interlock.protocols import Clock, CoreEventListener

from core.ports import Deferred, SendResult

CircuitState = Literal["closed", "open", "half_open"]

log = structlog.get_logger(__name__)

WHILE_PROBED_SECONDS = 10.0  # how long a mail waits when another one is just trying whether the relay lives


@dataclass(frozen=True, slots=True)
class CircuitSettings:
    """When the relay is taken for dead, and how often it is tried then. Mail waits, and no attempt is counted."""

    failures: int = 5
    """So many failures in a row to reach or to use the relay."""
    probe_seconds: float = 60.0
    """How long to wait before one mail is tried; if the relay takes or refuses it, the relay lives."""


class CircuitOpen(Exception):
    """The relay is taken for dead: try again in `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the relay is down; again in {seconds:.0f} s")
        self.seconds = seconds


class _NothingLearned(BaseException):
    """Nothing was sent, so nothing is known of the relay; `error` is what kept us, if it was an error.

    Not an `Exception`, since interlock takes each of those for a verdict: only what ends a call from outside, such as
    a cancellation, gives a probe's place back.
    """

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.error = error


class RelayCircuit:
    """Closed: all mails are tried. Open: none. Half open: one."""

    def __init__(
        self,
        settings: CircuitSettings,
        *,
        clock: Clock | None = None,
        on_change: Callable[[CircuitState], None] = lambda _state: None,
    ) -> None:
        """`clock` has a `monotonic()` in seconds; the system's by default. `on_change` hears of each new state."""
        self._breaker = CircuitBreaker(
            name="relay",
            config=Config(
                window_size=settings.failures,
                minimum_number_of_calls=settings.failures,
                failure_rate_threshold=1.0,  # of a window of that size: failures in a row
                slow_call_duration_threshold=math.inf,  # a large mail takes minutes, and says nothing bad by that
                permitted_calls_in_half_open=1,
                wait_duration_in_open=settings.probe_seconds,
            ),
            clock=clock,
            classifier=_PeerDown(),
            listener=_Watch(on_change),
        )

    @property
    def state(self) -> CircuitState:
        """For `/readyz`."""
        return cast(CircuitState, self._breaker.state.value)

    async def run(self, send: Callable[[], Awaitable[SendResult | None]]) -> SendResult | None:
        """What `send` returns; None, and any exception of it, leaves the circuit as it was. Raises `CircuitOpen`."""

        async def guarded() -> SendResult:
            try:
                result = await send()
            except Exception as error:
                raise _NothingLearned(error) from error
            if result is None:
                raise _NothingLearned
            return result

        try:
            return await self._breaker.call_async(guarded)
        except CircuitOpenError as error:
            seconds = WHILE_PROBED_SECONDS if error.retry_after is None else error.retry_after
            raise CircuitOpen(seconds) from error
        except _NothingLearned as nothing:
            if nothing.error is not None:
                raise nothing.error from nothing.error.__cause__
            return None


class _PeerDown:
    """interlock's `FailureClassifier`. A relay that refuses or defers a mail lives."""

    def is_failure(self, *, result: object, exception: Exception | None) -> bool:
        return isinstance(result, Deferred) and result.is_peer_down


class _Watch(CoreEventListener):
    """interlock's listener."""

    def __init__(self, on_change: Callable[[CircuitState], None]) -> None:
        self._on_change = on_change

    def on_state_change(self, *, name: str, old: State, new: State) -> None:
        log.warning("relay circuit changed", old=old.value, new=new.value)
        self._on_change(cast(CircuitState, new.value))
