"""What `share` and `unshare` have in common."""

from __future__ import annotations

from collections.abc import Sequence

from core.mail.words import fold
from core.services.household import Household
from handlers._request import Request

FEEDS = frozenset(("feeds", "feed", "abos", "abonnements", "suscripciones"))
"""Alone in front of the person, it is the list of one's feeds; a book of that name is meant by its number."""


def household(request: Request) -> Household:
    return Household(request.work)


def is_about_feeds(words: Sequence[str]) -> bool:
    plain = [fold(word) for word in words if fold(word) not in ("my", "meine", "mis")]
    return len(plain) == 1 and plain[0] in FEEDS
