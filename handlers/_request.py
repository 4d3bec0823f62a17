"""What a command's handler is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from core.mail.answer import Answer
from core.mail.grammar import Command, Grammar
from core.mail.outgoing import Identity
from core.models import Listing, User
from core.services.accounts import Accounts
from core.services.book_manager import BookManager
from core.services.confirmations import Confirmations
from core.services.counted import Counted
from core.services.digests import Digests
from core.services.fetch_links import MakeLink
from core.services.forwards import Forwards
from core.services.inbox import Inbox
from core.services.kindle_sync import KindleSyncService
from core.services.news_aggregator import NewsAggregator
from core.services.newsletters import Newsletters
from core.services.outbox import Outbox
from core.services.reading_list import ReadingList
from core.services.stops import Stops
from core.services.threads import Numbered, Shown
from core.tokens import TokenSigner
from core.values import BookFormat, Staged
from core.work import Work


@dataclass(frozen=True)
class Request:
    """One command of one believed user, inside the mail's transaction. Handlers call services and return an `Answer`;
    what they raise as `BotError` undoes this command alone and is told to the user."""

    work: Work
    user: User
    command: Command
    grammar: Grammar
    attachments: tuple[Staged, ...]
    """What the mail carried, opened and stored before the transaction began."""
    replied_to: tuple[str, ...]
    """Message-IDs of the mails that it answers, nearest first."""
    is_too_old: bool
    """It answers a mail of which nothing is remembered any more."""
    cause: str
    """Unique to this command of this mail: prefix for the causes of the mails that it enqueues."""
    identity: Identity
    """Whom deliveries are from: exactly this address is what a user approves at Amazon."""
    signer: TokenSigner
    counted: Counted
    """What was counted of the user's library before the transaction."""
    converted: frozenset[BookFormat]
    """Formats of which calibre makes EPUBs here."""
    make_link: MakeLink | None
    """For what is too large to mail."""
    run_as_sure: Callable[[Command, tuple[str, ...]], Answer]
    """Does another command of the same user, who has confirmed it, with the Message-IDs that its mail answered."""

    @property
    def now(self) -> datetime:
        return self.work.now

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.user.timezone)

    def shown(self, kind: str) -> Numbered:
        """The things of this kind whose numbers the mail means: those that the mail which it answers showed, else those
        that were shown last."""
        if self.is_too_old:
            return Shown((), is_forgotten=True)
        session = self.work.session
        return Shown(Listing.shown(session, user_id=self.user.id, kind=kind, replied_to=self.replied_to))

    @cached_property
    def books(self) -> BookManager:
        return BookManager(self.work, counted=self.counted)

    @cached_property
    def kindle(self) -> KindleSyncService:
        return KindleSyncService(self.work, converted=self.converted, make_link=self.make_link)

    @cached_property
    def confirmations(self) -> Confirmations:
        return Confirmations(self.work, self.signer)

    @cached_property
    def accounts(self) -> Accounts:
        return Accounts(self.work)

    @cached_property
    def outbox(self) -> Outbox:
        return Outbox(self.work)

    @cached_property
    def stops(self) -> Stops:
        return Stops(self.work)

    @cached_property
    def inbox(self) -> Inbox:
        return Inbox(self.work)

    @cached_property
    def news(self) -> NewsAggregator:
        return NewsAggregator(self.work)

    @cached_property
    def forwards(self) -> Forwards:
        return Forwards(self.work)

    @cached_property
    def newsletters(self) -> Newsletters:
        return Newsletters(self.work)

    @cached_property
    def digests(self) -> Digests:
        return Digests(self.work)

    @cached_property
    def reading_list(self) -> ReadingList:
        return ReadingList(self.work)
