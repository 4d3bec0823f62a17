"""Threads: which mail of ours a mail answers, by its address or by Message-IDs, and what short words then mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.errors import BadRequest
from core.i18n import _
from core.mail.answer import Step, Steps
from core.mail.meanings import Meanings
from core.mail.outgoing import REPLY_DAYS, Identity
from core.models import Listing, OutboxMail, ReplyContext
from core.tokens import TokenSigner
from core.work import Work

KEPT_FOR = timedelta(days=REPLY_DAYS)
MOST_ANSWERED = 40  # Message-IDs that are looked up: mail programs keep the last twenty or so of a thread
ASKED_BACK = "confirm "


@dataclass(frozen=True, slots=True)
class Thread:
    """What a mail answers."""

    replied_to: tuple[str, ...] = ()
    """Message-IDs, the nearest first."""
    meanings: Meanings | None = None
    """What short words in it mean; None where it answers no mail of ours, or one that is forgotten."""
    is_too_old: bool = False
    """It answers a mail of ours of which nothing is remembered any more."""
    is_somebody_elses: bool = False
    """It came to the reply address of a mail to another user, or to one that we never made."""


class Threads:
    """Threads of one user."""

    def __init__(self, session: Session, *, user_id: int, identity: Identity, signer: TokenSigner) -> None:
        self._session = session
        self._user_id = user_id
        self._identity = identity
        self._signer = signer

    def find(self, *, tokens: Sequence[str], replied_to: Sequence[str], now: datetime) -> Thread:
        """`tokens` are those of the addresses that the mail came to, `replied_to` its own word, the nearest first."""
        ids = list(dict.fromkeys(replied_to))[:MOST_ANSWERED]
        if not tokens:
            return self._by_ids(ids, now=now) if ids else Thread()
        token = self._signer.read_reply(tokens[0], user_id=self._user_id)
        if token is None:
            return Thread(is_somebody_elses=True)
        answered = self._identity.message_id(token.reference)
        ids = [answered, *(each for each in ids if each != answered)]
        if now.date() > token.last_day:
            return Thread(tuple(ids), is_too_old=True)
        return self._by_ids(ids, now=now, proven=answered)

    def _by_ids(self, ids: list[str], *, now: datetime, proven: str = "") -> Thread:
        """Only a token shows that the mail was read in which we asked back: a Message-ID is no secret."""
        context = ReplyContext.nearest(self._session, ids, user_id=self._user_id, since=now - KEPT_FOR)
        if context is None:
            return Thread(tuple(ids), is_too_old=self._is_known(ids))
        meanings: dict[str, list[str]] = context.meanings
        if context.message_id != proven:
            meanings = {word: lines for word, lines in meanings.items() if not lines[0].startswith(ASKED_BACK)}
        return Thread(tuple(ids), meanings)

    def _is_known(self, ids: Sequence[str]) -> bool:
        mine = sa.select(OutboxMail.id).where(OutboxMail.user_id == self._user_id, OutboxMail.message_id.in_(ids))
        return self._session.scalars(mine.limit(1)).first() is not None


def remember(work: Work, message_id: str, *, user_id: int, meanings: Meanings) -> None:
    """Keep what short replies to a mail of ours mean."""
    kept = {word: list(lines) for word, lines in meanings.items()}
    row = {"message_id": message_id, "user_id": user_id, "meanings": kept, "created_at": work.now}
    work.session.execute(_REMEMBER, row)


_REMEMBER = sa.insert(ReplyContext.metadata.tables[ReplyContext.__tablename__])


def forget_threads(work: Work) -> None:
    """Forget what mails meant whose addresses are no longer good."""
    before = work.now - KEPT_FOR
    work.session.execute(sa.delete(ReplyContext).where(ReplyContext.created_at < before))
    work.session.execute(sa.delete(Listing).where(Listing.created_at < before))


class Numbered(Protocol):
    """Things that were shown with numbers."""

    def item_id(self, number: int) -> int | None:
        """The row at a number, None if nothing stood there. Raises `BadRequest` where that is forgotten."""
        ...


@dataclass(frozen=True, slots=True)
class Shown:
    """What stands at which number of a thread, the nearest mail first: page two is answered, and 2 is of page one."""

    listings: Sequence[Listing]
    is_forgotten: bool = False

    def item_id(self, number: int) -> int | None:
        if self.is_forgotten:
            raise forgotten()
        found = (listing.item_id(number) for listing in self.listings)
        return next((item_id for item_id in found if item_id is not None), None)


def forgotten() -> BadRequest:
    """What is said to numbers in reply to a mail that is too old."""
    return BadRequest(
        _("The mail that you answer is more than 30 days old, and I no longer know what stood at its numbers."),
        fix=_("Have it shown anew, or name the thing by its title."),
        code="thread.too-old",
        blocks=(Steps((Step(_("My books"), "list"), Step(_("My feeds"), "feeds"))),),
    )
