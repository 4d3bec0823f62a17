"""The service as processes of the real program, with roles, over one PostgreSQL: started, killed and asked."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiosmtpd.smtp import SMTP, Envelope, Session

from bot.mailbox import LoopbackMailbox
from tests.support.ports import free_port
from tests.support.service import DOMAIN
from tests.support.warm_start import Forked, WarmStart

UP_SECONDS = 120.0  # five interpreters that start at once on two cores
DOWN_SECONDS = 30.0


@dataclass
class CountingMailbox(LoopbackMailbox):
    """Takes a moment for each mail, and says how many it had in hand for one recipient at a time."""

    most_at_once: int = 0
    _in_hand: dict[str, int] = field(default_factory=dict)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        rcpt_to = envelope.rcpt_tos[0]
        self._in_hand[rcpt_to] = self._in_hand.get(rcpt_to, 0) + 1
        self.most_at_once = max(self.most_at_once, self._in_hand[rcpt_to])
        await asyncio.sleep(0.01)
        try:
            return await super().handle_DATA(server, session, envelope)
        finally:
            self._in_hand[rcpt_to] -= 1


@dataclass(eq=False)
class Ship:
    """One process of the fleet."""

    roles: str
    process: asyncio.subprocess.Process | Forked
    health_port: int

    async def get(self, path: str) -> tuple[int, str]:
        """Status and body of a page of its health server."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.health_port}{path}") as answer,
        ):
            return answer.status, await answer.text()

    async def is_up(self) -> None:
        """Wait until it is ready. Raises `TimeoutError`, or `RuntimeError` if it ended."""
        await self.answers("/readyz")

    async def answers(self, path: str) -> None:
        """Wait until it says 200 to this page of its health server. Raises as `is_up` does."""
        async with asyncio.timeout(UP_SECONDS):
            while True:
                with suppress(aiohttp.ClientError):
                    if (await self.get(path))[0] == 200:
                        return
                if self.process.returncode is not None:
                    raise RuntimeError(f"{self.roles} ended with {self.process.returncode}")
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        """SIGTERM, and its exit status."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(DOWN_SECONDS):
            return await self.process.wait()


@dataclass
class Fleet:
    """Starts processes that share a database and a data folder."""

    folder: Path
    database_url: str
    relay_port: int
    settings: dict[str, Any] = field(default_factory=dict)
    smtp_port: int = field(default_factory=free_port)
    warm: WarmStart | None = None
    """Where given, it is asked for the processes: with nothing left to import."""
    ships: list[Ship] = field(default_factory=list)

    async def start(self, roles: str) -> Ship:
        """A process with these roles, on its way up."""
        health_port = free_port()
        ship = Ship(roles, await self._start(["serve", "--roles", roles], self.environment(health_port)), health_port)
        self.ships.append(ship)
        return ship

    async def _start(self, arguments: list[str], environment: dict[str, str]) -> asyncio.subprocess.Process | Forked:
        if self.warm is not None:
            return await self.warm(arguments, environment)
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", *arguments, env=environment, cwd=Path(__file__).parents[2]
        )

    def environment(self, health_port: int) -> dict[str, str]:
        """Of one of its processes: its whole configuration."""
        settings: dict[str, Any] = {
            "data_dir": self.folder / "data",
            "database_url": self.database_url,
            "service__domain": DOMAIN,
            "smtp__port": self.smtp_port,
            "relay__host": "127.0.0.1",
            "relay__port": self.relay_port,
            "relay__security": "plain",
            "pace__interval_seconds": {},
            "pace__per_minute": {},
            "limits__commands_an_hour": 0,
            "limits__uploads_a_minute": 0,
            "health__port": health_port,
            "log__level": "warning",
        } | self.settings
        return {name: value for name, value in os.environ.items() if not name.startswith("INKPOST_")} | {
            f"INKPOST_{key.upper()}": json.dumps(value) if isinstance(value, dict | list) else str(value)
            for key, value in settings.items()
        }


@asynccontextmanager
async def sailing(fleet: Fleet) -> AsyncIterator[Fleet]:
    """The fleet; whatever is still up at the end is killed."""
    try:
        yield fleet
    finally:
        for ship in fleet.ships:
            await ship.kill()
