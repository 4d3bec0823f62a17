"""What a paper that somebody asked for waits for: feeds that were never read, and full texts on their way."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.jobs import JobEngine
from core.models import Feed, Subscription
from core.models.feed import FeedState


@dataclass(frozen=True, slots=True)
class Awaited:
    """Asks the rows and the jobs. A job that has failed once is waited for no more: it may take an hour."""

    engine: JobEngine

    async def is_there(self, user_id: int, article_ids: Collection[int]) -> bool:
        """Whether more of this reader's feeds, or of these articles, will be there in a moment."""
        return bool(
            await self.engine.in_read(lambda session: unread_feeds(session, user_id))
        ) or await asyncio.to_thread(self._has_jobs, user_id, article_ids)

    def _has_jobs(self, user_id: int, article_ids: Collection[int]) -> bool:
        for status in ("doing", "todo"):
            looked_at = self.engine.list_jobs(status=status, task="discover_feed")
            fetched = self.engine.list_jobs(status=status, task="fetch_article") if article_ids else []
            if any(job.args["user_id"] == user_id and not job.attempts for job in looked_at):
                return True
            if any(job.args["article_id"] in article_ids and not job.attempts for job in fetched):
                return True
        return False


def unread_feeds(session: Session, user_id: int) -> Sequence[str]:
    """The names of a reader's feeds that were never looked at."""
    mine = sa.select(Subscription.name).where(Subscription.user_id == user_id, Subscription.paused_at.is_(None))
    unread = mine.join(Feed).where(Feed.last_checked_at.is_(None), Feed.state == FeedState.ACTIVE)
    return session.scalars(unread.order_by(Subscription.id)).all()
