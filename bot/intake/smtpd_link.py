"""What the service and the process that speaks SMTP for it say to each other: pickles of lists of messages, on a stream
of their own."""

from __future__ import annotations

import asyncio
import copyreg
import pickle
from collections.abc import Callable
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal, cast

from bot.intake.received import Receipt, ReceivedMail
from bot.intake.session import SmtpHouse
from core.values import Envelope, Peer

_LENGTH_BYTES = 4  # of a pickle, in front of it


@dataclass(frozen=True, slots=True)
class SmtpdPlan:
    """All that the process has to know: the first that it is told."""

    house: SmtpHouse
    ports: tuple[tuple[int, bool], ...]
    """Descriptors of the sockets to listen on, and whether TLS begins what comes there."""
    has_logins: bool
    spool: Path
    """A folder for it alone."""
    idle_seconds: float
    """It ends when no client has come for so long."""


Ask = Literal["accept", "verify", "refuse_alias"]
"""What only the service can do, for it alone has the database."""


@dataclass(frozen=True, slots=True)
class Question:
    number: int
    ask: Ask
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    number: int
    value: Any
    unavailable: str | None = None
    """Why there is no value, but may be later."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The process listens."""


@dataclass(frozen=True, slots=True)
class GoDown:
    """The process shall close as a listener does, and end."""


Message = SmtpdPlan | Question | Answer | Ready | GoDown


def _pickle_as_call(kind: type) -> None:
    """Have instances of a dataclass pickled as calls of it: left to itself it looks its fields up for each, which takes
    twice as long."""
    values = attrgetter(*(one.name for one in fields(kind)))
    copyreg.pickle(kind, lambda instance: (kind, values(instance)))


for _kind in (Question, Answer, ReceivedMail, Peer, Envelope, Receipt):
    _pickle_as_call(_kind)


class SmtpdLink(asyncio.Protocol):
    """One end of the stream. Both are ours, so what comes is believed."""

    def __init__(self, *, hear: Callable[[Message], None], end: Callable[[], None]) -> None:
        """`end` is called once, when the other end is gone."""
        self._hear = hear
        self._end = end
        self._waiting = bytearray()
        self._leaving: list[Message] = []
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        start = 0
        while (end := self._end_of_pickle(start)) <= len(self._waiting):
            pickled = self._waiting[start + _LENGTH_BYTES : end]
            start = end
            for message in pickle.loads(pickled):  # noqa: S301 - by our own process, over a pair that nobody else has
                self._hear(message)
        del self._waiting[:start]

    def _end_of_pickle(self, start: int) -> int:
        """Where the pickle at `start` ends; beyond what is here as long as its length is not."""
        length = self._waiting[start : start + _LENGTH_BYTES]
        return start + _LENGTH_BYTES + (int.from_bytes(length, "big") if len(length) == _LENGTH_BYTES else 1)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._end()

    def send(self, message: Message) -> None:
        """With all that is said in the same turn of the loop. Does nothing once the other end is gone."""
        if not self._leaving:
            asyncio.get_running_loop().call_soon(self._send_all)
        self._leaving.append(message)

    def _send_all(self) -> None:
        messages, self._leaving = self._leaving, []
        if self._transport is not None and messages:
            pickled = pickle.dumps(messages, pickle.HIGHEST_PROTOCOL)
            self._transport.write(len(pickled).to_bytes(_LENGTH_BYTES, "big") + pickled)

    def close(self) -> None:
        """When all that was sent has left."""
        self._send_all()
        if self._transport is not None:
            self._transport.close()
