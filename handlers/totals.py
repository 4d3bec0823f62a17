"""`totals`, also written `stats all`: the installation in numbers, for its administrators."""

from __future__ import annotations

from core.i18n import _, ngettext
from core.mail.answer import Answer, Fact, Facts, Step, Steps
from core.mail.grammar import CommandSpec, Example
from core.sizes import size_in_words
from core.values import Trust
from handlers._administration import GROUP, administration
from handlers._request import Request

SPEC = CommandSpec(
    name="totals",
    summary="Count everything that is kept here",
    usage=("totals", "stats all"),
    aliases=("stats all", "statistics all", "all stats", "statistik alle", "estadísticas todas"),
    max_words=0,
    trust=Trust.CHANGE,
    for_administrators=True,
    group=GROUP,
    examples=(Example("stats all", "of all users together"),),
)


def handle(request: Request) -> Answer:
    totals = administration(request).totals()
    rows = (
        (
            _("Users"),
            f"{totals.users}" + (_(" ({count} suspended)").format(count=totals.suspended) if totals.suspended else ""),
        ),
        (_("Books"), f"{totals.books}, {size_in_words(totals.size_bytes)}"),
        (
            _("Feeds"),
            ngettext(
                "{feeds}, with {count} subscription", "{feeds}, with {count} subscriptions", totals.subscriptions
            ).format(feeds=totals.feeds, count=totals.subscriptions),
        ),
        (_("Mails in 24 hours"), f"{totals.mails_a_day}"),
        (_("Waiting to be sent"), f"{totals.waiting}"),
        (_("Set aside"), f"{totals.set_aside}"),
    )
    return Answer(
        _("Everything in numbers"),
        (Facts(tuple(Fact(*row) for row in rows)), Steps((Step(_("All users"), "users"),))),
    )
