"""What is counted of a library, before the transaction that tells it: how, and for how long it is true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.models import AuditEntry, Book

POPULAR = 10
LATELY = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Stats:
    """A library in numbers."""

    books: int
    size_bytes: int
    by_format: Sequence[tuple[str, int]]
    """(extension, how many), the most first."""
    added_lately: int
    """In the last 30 days."""
    sent: int
    """How often a book was handed to the relay."""

    @classmethod
    def count(cls, session: Session, user_id: int, *, now: datetime) -> Stats:
        """Looks at every book of the user."""
        mine = Book.of_user(user_id).subquery()
        per_format = sa.select(
            mine.c.format, sa.func.count(), sa.func.sum(mine.c.size_bytes), sa.func.sum(mine.c.download_count)
        )
        rows = session.execute(per_format.group_by(mine.c.format)).all()
        lately = sa.select(sa.func.count()).where(mine.c.added_at > now - LATELY)
        return cls(
            books=sum(count for _, count, _, _ in rows),
            size_bytes=sum(int(size) for _, _, size, _ in rows),  # PostgreSQL sums to a Decimal
            by_format=sorted(((kind.value, count) for kind, count, _, _ in rows), key=lambda pair: -pair[1]),
            added_lately=session.scalar(lately) or 0,
            sent=sum(int(sent) for _, _, _, sent in rows),
        )


@dataclass(frozen=True, slots=True)
class Counted:
    """What was known of one user's library at `mark`. Ask `holds` before it is told: the same mail may have changed
    the library since, and so may others."""

    mark: str = ""
    popular_ids: Sequence[int] | None = None
    stats: Stats | None = None

    def holds(self, session: Session, user_id: int) -> bool:
        return self.mark != "" and self.mark == mark_of(session, user_id)


NOTHING_COUNTED = Counted()


def mark_of(session: Session, user_id: int) -> str:
    """The last thing that happened to a user, "" for nothing: while it is the same, so is the library.

    Every event (`BookAdded`, `BookRemoved`, `BookSynced`, ...) is written to the trail by the transaction that made it
    true, so the mark changes for all processes with that commit, and comes back to what it was with a rollback.
    """
    last = session.execute(_LAST, {"user_id": user_id}).one_or_none()
    return "" if last is None else f"{last.at:%Y%m%d%H%M%S%f}-{last.id}"


_TRAIL = AuditEntry.metadata.tables[AuditEntry.__tablename__]
_LAST = (
    sa.select(_TRAIL.c.at, _TRAIL.c.id)
    .where(_TRAIL.c.user_id == sa.bindparam("user_id"))
    .order_by(_TRAIL.c.at.desc(), _TRAIL.c.id.desc())
    .limit(1)
)
