"""Which blobs are still needed: the one answer for all who would delete some."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from core.models import Book, Derived, DoomedBlob, OutboxMail, Takeout, Thumbnail
from core.models.outbox import OPEN_STATES
from core.services.inbox import Inbox
from core.work import Work


def needed_blobs(work: Work, keys: Iterable[str]) -> set[str]:
    """Those of these blobs that a row needs: of a book, a copy, a mail that came or has to go, a takeout."""
    session, wanted = work.session, list(keys)
    needed = Inbox(work).needed_texts(wanted) | Takeout.needed(session, wanted)
    for key in wanted:
        if Book.is_stored_for_somebody(session, key) or Derived.is_kept(session, key):
            needed.add(key)
    on_their_way = sa.select(OutboxMail.attachment_key).where(OutboxMail.state.in_(OPEN_STATES))
    return needed | {key for key in session.scalars(on_their_way) if key is not None and key in wanted}


def doom_unneeded(work: Work, keys: Iterable[str]) -> None:
    """Have upkeep delete those of these blobs that no row needs any more; of covers, what answers show goes at once."""
    wanted = set(keys)
    unneeded = sorted(wanted - needed_blobs(work, wanted))
    DoomedBlob.doom(work.session, unneeded)
    Thumbnail.forget(work.session, unneeded)
