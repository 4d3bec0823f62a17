"""Newsletters: secret addresses at which a reader's letters come, each one a feed of theirs."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import sqlalchemy as sa

from core.errors import Conflict, NotFound, TooMuch
from core.events import EventBus, FeedUnsubscribed
from core.i18n import _
from core.mail.answer import Item, Items
from core.mail.authenticity import ALIAS_MARK, SECRET_SEPARATOR
from core.mail.outgoing import Identity
from core.models import Feed, Newsletter, Subscription
from core.models.feed import FeedState
from core.models.subscription import LONGEST_NAME
from core.models.user import hash_secret
from core.news.canonical import fold
from core.news.newsletter import Letter
from core.services.feed_checks import LONG_AGO, FeedChecks
from core.services.news_aggregator import NewsAggregator
from core.services.threads import Numbered
from core.tokens import TokenSigner
from core.work import Work

NEWSLETTERS: Final = "newsletters"
"""The kind of listing whose numbers mean newsletters."""
MOST_NEWSLETTERS: Final = 200  # of one reader
UNDO_HOURS: Final = 24.0
NONCE_BYTES: Final = 10
UNNAMED: Final = "Newsletter"
"""What one is called until its first letter says who writes it."""


class Newsletters:
    """Newsletters in one transaction. One of somebody else is not found."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._session = work.session
        self._news = NewsAggregator(work)

    def create(self, user_id: int, *, name: str, signer: TokenSigner) -> Newsletter:
        """A new address. Raises `BadRequest` and `Conflict` for the name, `TooMuch`."""
        count = len(self.all_of(user_id))
        if count >= MOST_NEWSLETTERS:
            raise TooMuch(
                _("You have {count} newsletters already.").format(count=count),
                fix=_("End one with: newsletter burn <name>"),
            )
        nonce, now = secrets.token_hex(NONCE_BYTES), self._work.now
        feed = Feed(
            url=f"mail:{nonce}", host="", title=name[:300] or UNNAMED, state=FeedState.LETTERS, created_at=now,
            next_check_at=now + 100 * LONG_AGO,
        )  # fmt: skip
        self._session.add(feed)
        subscription = self._news.subscribe(user_id, feed, name=name).subscription
        newsletter = Newsletter(
            user_id=user_id,
            feed=feed,
            name=name[:LONGEST_NAME] and subscription.name,
            nonce=nonce,
            secret_hash=hash_secret(_secrets(user_id, nonce, signer)[0]),
            created_at=now,
        )
        self._session.add(newsletter)
        self._session.flush()
        return newsletter

    def address(self, newsletter: Newsletter, *, identity: Identity, signer: TokenSigner) -> str | None:
        """Where its letters come to; None if the service has another key by now, and cannot know it any more."""
        made = _secrets(newsletter.user_id, newsletter.nonce, signer)
        secret = next((one for one in made if hash_secret(one) == newsletter.secret_hash), None)
        if secret is None:
            return None
        local_part, _, domain = identity.address.rpartition("@")
        return f"{local_part}{SECRET_SEPARATOR}{ALIAS_MARK}{secret}@{domain}"

    def all_of(self, user_id: int) -> Sequence[Newsletter]:
        """Those that take mail, the oldest first."""
        return Newsletter.of_user(self._session, user_id, burnt_since=self._work.now)

    def with_burnt(self, user_id: int) -> Sequence[Newsletter]:
        """Also those that may still be brought back."""
        since = self._work.now - timedelta(hours=UNDO_HOURS)
        return Newsletter.of_user(self._session, user_id, burnt_since=since)

    def subscription(self, newsletter: Newsletter) -> Subscription | None:
        """Its reader's subscription; None once it is burnt."""
        mine = sa.select(Subscription).where(
            Subscription.user_id == newsletter.user_id, Subscription.feed_id == newsletter.feed_id
        )
        return self._session.scalars(mine).one_or_none()

    def name_of(self, newsletter: Newsletter) -> str:
        subscription = self.subscription(newsletter)
        return subscription.name if subscription is not None else newsletter.name or UNNAMED

    def resolve(self, user_id: int, words: str, *, listing: Numbered | None) -> Newsletter:
        """The newsletter that a person means: `#12`, its number in a list, or words of its name; burnt ones too.

        Raises `NotFound`, and `Conflict` with a numbered choice.
        """
        text = words.strip().strip("“”\"'")
        mine = {one.id: one for one in self.with_burnt(user_id)}
        if text.removeprefix("#").isascii() and text.removeprefix("#").isdigit():
            number = int(text.removeprefix("#")[:9])
            wanted = number if text.startswith("#") else listing.item_id(number) if listing is not None else None
            if wanted in mine:
                return mine[wanted]
        names = {one: fold(self.name_of(one)) for one in mine.values()}
        exact = [one for one, name in names.items() if name == fold(text)]
        alike = exact or [one for one, name in names.items() if text and fold(text) in name]
        if len(alike) == 1:
            return alike[0]
        if not alike:
            raise NotFound(
                _("You have no newsletter called “{name}”.").format(name=text),
                fix=_("Write “newsletter list” for all."),
                code="newsletter.not-found",
            )
        raise Conflict(
            _("“{name}” may mean {count} of your newsletters.").format(name=text, count=len(alike)),
            fix=_("Name it by its number."),
            code="newsletter.several",
            blocks=(
                Items(
                    tuple(
                        Item(number, self.name_of(one), one.sender, command=f"newsletter show #{one.id}")
                        for number, one in enumerate(alike[:10], start=1)
                    ),
                    kind=NEWSLETTERS,
                    item_ids=tuple(one.id for one in alike[:10]),
                    total=len(alike),
                ),
            ),
        )

    def mute(self, newsletter: Newsletter) -> None:
        """Its letters are taken, and stay out of the papers."""
        self._news.pause(self._read(newsletter))

    def unmute(self, newsletter: Newsletter) -> None:
        self._news.resume(self._read(newsletter))

    def burn(self, newsletter: Newsletter) -> None:
        """Refuse mail for its address from the commit on; see `burn_with_its_feed`."""
        if newsletter.burnt_at is None:
            self._news.unsubscribe(self._read(newsletter))

    def bring_back(self, newsletter: Newsletter) -> None:
        """Undo `burn`, within `UNDO_HOURS`. Raises `Conflict` for one that takes mail, or a name that is taken."""
        if newsletter.burnt_at is None:
            raise Conflict(_("“{name}” takes mail already.").format(name=self.name_of(newsletter)))
        newsletter.burnt_at = None
        self._news.subscribe(newsletter.user_id, newsletter.feed, name=newsletter.name)

    def take(self, newsletter: Newsletter, letter: Letter, *, one_click_url: str) -> None:
        """An issue, into its reader's next paper. `one_click_url` is "" where nothing proves it."""
        newsletter.sender = letter.sender[:320]
        newsletter.one_click_url, newsletter.leave_mailto = one_click_url, letter.leaving.mailto
        subscription = self.subscription(newsletter)
        if not newsletter.name and subscription is not None and subscription.name.startswith(UNNAMED):
            newsletter.name = self._news.rename_freely(subscription, _name_in(letter))
        FeedChecks(self._work).take_letter(newsletter.feed, letter.entry)

    def _read(self, newsletter: Newsletter) -> Subscription:
        subscription = self.subscription(newsletter)
        if subscription is None:
            raise Conflict(
                _("“{name}” is burnt.").format(name=newsletter.name),
                fix=_("It can be brought back for {hours} hours: {command}").format(
                    hours=f"{UNDO_HOURS:.0f}", command=f"newsletter unburn #{newsletter.id}"
                ),
                code="newsletter.burnt",
            )
        return subscription


def subscribe(bus: EventBus) -> None:
    bus.subscribe(FeedUnsubscribed, burn_with_its_feed)


def burn_with_its_feed(work: Work, event: FeedUnsubscribed) -> None:
    """Who leaves the feed of a newsletter wants no more of its mail, by whatever command."""
    newsletter = Newsletter.of_feed(work.session, event.feed_id)
    if newsletter is not None:
        newsletter.burnt_at, newsletter.name = work.now, event.feed_name


def _secrets(user_id: int, nonce: str, signer: TokenSigner) -> tuple[str, ...]:
    return signer.secrets_of(("newsletter", str(user_id), nonce))


def _name_in(letter: Letter) -> str:
    """What to call a newsletter by its first letter."""
    author = letter.entry.authors[0] if letter.entry.authors else letter.sender.rpartition("@")[2]
    return author if not author.isdigit() else UNNAMED
