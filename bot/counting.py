"""What `popular` and `stats` tell, counted before the mail's transaction and kept while the library stays as it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from sqlalchemy.orm import Session

from bot.cache import Cache
from core.mail.grammar import Command, NotUnderstood
from core.models import Book
from core.services.counted import NOTHING_COUNTED, POPULAR, Counted, Stats, mark_of

T = TypeVar("T")

TTL_SECONDS = {"popular": 900.0, "stats": 600.0}
"""By the command that asks."""
SHAPE = 1  # of what is kept: raised with every change of it, since a Redis outlives an upgrade


class Database(Protocol):
    """What is needed of `bot.transactions.Transactions`."""

    async def in_read(self, ask: Callable[[Session], T]) -> T: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryCounter:
    """Counts outside of the transaction, which holds the one writer of SQLite and may wait for no Redis.

    What is kept has the user's mark in its key, so nothing has to be deleted: see `core.services.counted.mark_of`.
    """

    database: Database
    cache: Cache
    clock: Callable[[], datetime]

    async def count(self, user_id: int, commands: Iterable[Command | NotUnderstood]) -> Counted:
        """What these commands will ask; nothing is looked at where they ask for none of it."""
        wanted = TTL_SECONDS.keys() & {one.name for one in commands if isinstance(one, Command)}
        if not wanted:
            return NOTHING_COUNTED
        mark = await self.database.in_read(lambda session: mark_of(session, user_id))
        if not mark:
            return NOTHING_COUNTED

        def popular(session: Session) -> list[int]:
            return [book.id for book in Book.get_popular(session, user_id=user_id, limit=POPULAR)]

        def stats(session: Session) -> dict[str, Any]:
            return asdict(Stats.count(session, user_id, now=self.clock()))

        async def kept(name: str, ask: Callable[[Session], T]) -> T:
            def factory() -> Awaitable[T]:
                return self.database.in_read(ask)

            key = f"{name}-{SHAPE}:{user_id}:{mark}"
            return await self.cache.get_or_set(key, ttl_seconds=TTL_SECONDS[name], factory=factory)

        return Counted(
            mark,
            popular_ids=await kept("popular", popular) if "popular" in wanted else None,
            stats=_stats(await kept("stats", stats)) if "stats" in wanted else None,
        )


def _stats(kept: dict[str, Any]) -> Stats:
    return Stats(**kept | {"by_format": [(name, count) for name, count in kept["by_format"]]})
