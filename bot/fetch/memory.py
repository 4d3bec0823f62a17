"""A budget of memory that fetches share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class MemoryBudget:
    """So many bytes at a time, given out in the order in which they were asked for. For one event loop."""

    def __init__(self, size_bytes: int) -> None:
        self._size_bytes = size_bytes
        self.held_bytes = 0
        self._turn = asyncio.Lock()
        self._returned = asyncio.Event()

    @asynccontextmanager
    async def held(self, wanted_bytes: int) -> AsyncIterator[None]:
        """Waits until there is room; what is larger than the whole budget gets all of it.

        Asked for once and in one piece: two fetches that each held a half and waited for more would wait for ever.
        """
        wanted_bytes = min(wanted_bytes, self._size_bytes)
        async with self._turn:
            while self.held_bytes + wanted_bytes > self._size_bytes:
                self._returned.clear()
                await self._returned.wait()
            self.held_bytes += wanted_bytes
        try:
            yield
        finally:
            self.held_bytes -= wanted_bytes
            self._returned.set()
