"""Feeds that are to be checked now: one question to the tables of feeds, hosts and subscriptions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
import sqlalchemy.orm
from sqlalchemy.orm import Session

from core.db import UtcDateTime
from core.models.feed import IS_ACTIVE, Feed
from core.models.feed_host import FeedHost
from core.models.subscription import Subscription


class DueFeed(NamedTuple):
    """What a check needs to know.

    A row of all columns takes three times as long to load, and to ask for the hosts and the readers of a hundred feeds
    by their ids takes longer than all of this.
    """

    id: int
    url: str
    host: str
    etag: str
    last_modified: str
    body_sha256: str
    gap_seconds: float | None
    newest_at: datetime | None
    host_failures: int | None
    """None: the host has no row, and does well."""
    host_open_until: datetime | None
    has_readers: bool

    @classmethod
    def first(cls, session: Session, *, now: datetime, limit: int) -> Sequence[DueFeed]:
        """The longest overdue first; of each host one, and none while another is being checked."""
        return [cls(*row) for row in session.execute(_FIRST, {"now": now, "most": limit})]


def _first() -> sa.Select[Any]:
    """Put together once: that takes a millisecond."""
    now = sa.bindparam("now", type_=UtcDateTime)
    leased = sa.orm.aliased(Feed)
    place = sa.func.row_number().over(partition_by=Feed.host, order_by=(Feed.next_check_at, Feed.id))
    waiting = (
        sa.select(Feed.id, Feed.next_check_at, place.label("place"))
        .where(sa.text(f"feed.{IS_ACTIVE}"), Feed.next_check_at <= now)
        .where(~sa.exists().where(leased.host == Feed.host, leased.leased_until > now))
        .subquery()
    )
    first = sa.select(waiting.c.id).where(waiting.c.place == 1).order_by(waiting.c.next_check_at)
    has_readers = sa.exists().where(Subscription.feed_id == Feed.id)
    known = [getattr(Feed, name) for name in DueFeed._fields if hasattr(Feed, name)]
    return (
        sa.select(*known, FeedHost.failures, FeedHost.open_until, has_readers)
        .outerjoin(FeedHost, FeedHost.host == Feed.host)
        .where(Feed.id.in_(first.limit(sa.bindparam("most", type_=sa.Integer))))
        .order_by(Feed.next_check_at)
    )


_FIRST = _first()
