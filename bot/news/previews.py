"""The job `preview_issue`: what a digest's next issue would hold, told by mail. Chosen anew every half hour at most."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.cache import Cache
from bot.news.refresh import Database
from core.i18n import _, dated, speaking
from core.mail.outgoing import Identity
from core.models import Digest, DigestIssue, Feedback, Subscription, User
from core.services.answers import Answers
from core.services.gathering import Chosen, gather
from core.work import Work
from handlers._digests import preview_answer

TTL_SECONDS = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Previewer:
    """Tells readers what stands in their next issue. Remembers nothing of it: what was shown comes all the same."""

    database: Database
    cache: Cache
    identity: Identity

    async def preview(self, *, digest_id: int, user_id: int, cause: str) -> None:
        """The job. One mail for each `cause`."""
        key = await self.database.in_read(partial(_key, digest_id=digest_id, user_id=user_id))
        if key is None:
            return

        async def choose() -> dict[str, Any]:
            return await self.database.in_work(lambda work: _choose(work, digest_id))

        found = await self.cache.get_or_set(key, ttl_seconds=TTL_SECONDS, factory=choose)
        await self.database.in_work(lambda work: self._tell(work, found, user_id=user_id, cause=cause))

    def _tell(self, work: Work, preview: dict[str, Any], *, user_id: int, cause: str) -> None:
        user = work.session.get_one(User, user_id)
        local = datetime.fromisoformat(preview["made_at"]).astimezone(ZoneInfo(user.timezone))
        Answers(work).tell(
            partial(preview_answer, preview, local=local), user=user, identity=self.identity, cause=f"preview:{cause}"
        )


def _key(session: Session, *, digest_id: int, user_id: int) -> str | None:
    """Under which a preview is kept: another one as soon as the reader changes what it depends on, or gets an issue.
    None if the digest is gone."""
    digest = session.get(Digest, digest_id)
    if digest is None or digest.user_id != user_id:
        return None
    asks = (
        sa.select(sa.func.max(DigestIssue.id)).where(DigestIssue.user_id == user_id),
        sa.select(sa.func.max(Feedback.at)).where(Feedback.user_id == user_id),
        sa.select(User.timezone).where(User.id == user_id),
    )
    feeds = session.execute(
        sa.select(Subscription.feed_id, Subscription.name, Subscription.section, Subscription.paused_at)
        .where(Subscription.user_id == user_id)
        .order_by(Subscription.id)
    )
    orders = [
        [getattr(one, column.key) for column in sa.inspect(Digest).columns] for one in Digest.of_user(session, user_id)
    ]
    state = repr(([session.scalar(ask) for ask in asks], [tuple(feed) for feed in feeds], orders))
    return f"preview:{digest_id}:{hashlib.sha256(state.encode()).hexdigest()[:16]}"


def _choose(work: Work, digest_id: int) -> dict[str, Any]:
    """The preview as JSON."""
    digest = work.session.get_one(Digest, digest_id)
    user = work.session.get_one(User, digest.user_id)
    with speaking(user.language):
        return _preview(work, digest, zone=ZoneInfo(user.timezone))


def _preview(work: Work, digest: Digest, *, zone: ZoneInfo) -> dict[str, Any]:
    today = work.now.astimezone(zone).date()
    contents = gather(work.session, digest, local_date=today, now=work.now, slot="preview")
    due = digest.next_due_at.astimezone(zone) if digest.next_due_at is not None else None
    return {
        "digest": digest.name,
        "made_at": work.now.isoformat(),
        "next": _("The next issue comes on {when}.").format(when=dated(due, _("EEEE, d MMMM, 'at' HH:mm")))
        if due
        else _("It is off."),
        "stories": [{"title": one.story.title, "detail": _detail(one)} for one in contents.chosen],
        "minutes": contents.issue.minutes,
        "left_out": contents.issue.left_out,
    }


def _detail(chosen: Chosen) -> str:
    story = chosen.story
    parts = (
        story.section,
        story.feed,
        _("updated") if story.is_updated else "",
        _("{minutes} min").format(minutes=story.reading.minutes),
        _("{score} of 100").format(score=chosen.score),
    )
    return " · ".join(part for part in parts if part)
