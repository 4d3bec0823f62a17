"""Mails about feeds that nobody asked for: one that fails for long, one that is no more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from core.events import EventBus, FeedFailing, FeedGone
from core.i18n import _, dated
from core.mail.answer import Fact, Facts, Paragraph, Problem, Step, Steps
from core.mail.outgoing import Identity
from core.mail.words import as_one_word
from core.models import Feed, Subscription, User
from core.models.user import UserState
from core.services.answers import Answers
from core.work import Work


@dataclass(frozen=True, slots=True)
class FeedNotices:
    """Tells each reader of a feed, once, what has become of it."""

    identity: Identity

    def subscribe(self, bus: EventBus) -> None:
        bus.subscribe(FeedFailing, self.tell_failing)
        bus.subscribe(FeedGone, self.tell_gone)

    def tell_failing(self, work: Work, event: FeedFailing) -> None:
        feed = work.session.get_one(Feed, event.feed_id)
        since = feed.failing_since or work.now
        for subscription in Subscription.of_feed(work.session, feed.id):
            outcome = partial(_failing, subscription, since=since, reason=event.reason)
            self._tell(work, subscription, outcome, cause=f"feed-failing:{feed.id}:{since:%Y%m%d%H%M%S}")

    def tell_gone(self, work: Work, event: FeedGone) -> None:
        for subscription in Subscription.of_feed(work.session, event.feed_id):
            outcome = partial(_gone, subscription, url=event.url)
            self._tell(work, subscription, outcome, cause=f"feed-gone:{event.feed_id}:{work.now:%Y%m%d}")

    def _tell(self, work: Work, subscription: Subscription, outcome: Callable[[], Problem], *, cause: str) -> None:
        user = work.session.get_one(User, subscription.user_id)
        if user.state is UserState.ACTIVE:
            Answers(work).tell(outcome, user=user, identity=self.identity, cause=f"{cause}:{user.id}")


def _failing(subscription: Subscription, *, since: datetime, reason: str) -> Problem:
    facts = Facts((Fact(_("Address"), subscription.feed.url), Fact(_("Reason"), _(reason))))
    return Problem(
        "feed.failing",
        _("“{feed}” could not be read since {day}.").format(feed=subscription.name, day=dated(since, _("dd MMMM"))),
        fix=_("It is tried again by itself, and you hear no more of it. Look whether it has moved."),
        blocks=(facts, _steps(subscription)),
    )


def _gone(subscription: Subscription, *, url: str) -> Problem:
    return Problem(
        "feed.gone",
        _("“{subscription}” is no more: its server says that it is gone for good.").format(
            subscription=subscription.name
        ),
        fix=_("It is not asked again. Look on its site for another address and subscribe to that."),
        blocks=(Paragraph(_("Its address was {url}").format(url=url)), _steps(subscription)),
    )


def _steps(subscription: Subscription) -> Steps:
    return Steps((Step(_("Leave it"), f"unsubscribe {as_one_word(subscription.name)}"), Step(_("My feeds"), "feeds")))
