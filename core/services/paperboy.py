"""What follows for a reader's digests from what happens elsewhere."""

from __future__ import annotations

from core.events import EventBus, FeedSubscribed, SettingChanged
from core.services.digests import Digests
from core.work import Work


def subscribe(bus: EventBus) -> None:
    bus.subscribe(FeedSubscribed, _order_first)
    bus.subscribe(SettingChanged, _plan_again)


def _order_first(work: Work, event: FeedSubscribed) -> None:
    """Who reads a feed has a paper."""
    if event.user_id is not None:
        Digests(work).ensure(event.user_id)


def _plan_again(work: Work, event: SettingChanged) -> None:
    """In a new zone half past six is another moment."""
    if event.key == "timezone" and event.user_id is not None:
        Digests(work).plan_again(event.user_id)
