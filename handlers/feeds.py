"""`feeds [page]`: what the reader is subscribed to, and how it fares."""

from __future__ import annotations

from core.i18n import _, ngettext
from core.mail.answer import Answer, Item, Items, Paragraph, Step, Steps
from core.mail.grammar import CommandSpec, Example
from core.mail.words import as_one_word
from core.models import Subscription
from core.models.feed import FeedState
from core.services.news_aggregator import FEEDS
from handlers._arguments import beyond, page_of
from handlers._feeds import short_time
from handlers._request import Request

SPEC = CommandSpec(
    name="feeds",
    summary="Show your feeds and how they fare",
    usage=("feeds [page]",),
    details=(
        "For each feed: its section, when it was read last, when its newest article is from, when it is looked at "
        "again, and what is wrong with it if something is. Twenty feeds stand on a page. Until your next list the "
        "numbers mean these feeds: “unsubscribe 2”, “pause 3”."
    ),
    aliases=(
        "feed", "my feeds", "list feeds", "show feeds", "show my feeds", "subscriptions", "my subscriptions",
        "list subscriptions", "abos", "meine feeds", "abonnements", "suscripciones", "mis feeds",
    ),
    max_words=2,
    examples=(Example("feeds", "by section and name"), Example("feeds 2", "the second page")),
    group="News",
)  # fmt: skip


def handle(request: Request) -> Answer:
    wanted = page_of(request.command)
    page = request.news.list_page(request.user.id, wanted)
    if not page.rows:
        return Answer(
            _("You read no feeds yet"),
            (
                Paragraph(_("Name the address of a site that you like: subscribe https://example.org")),
                Steps((Step(_("How it is done"), "help subscribe"),)),
            ),
        )
    return Answer(
        _("Your feeds: {total}").format(total=page.total),
        (
            *beyond(wanted, page),
            Items(
                items=tuple(_item(request, *one) for one in enumerate(page.rows, start=page.first_number)),
                kind=FEEDS,
                item_ids=tuple(one.id for one in page.rows),
                page=page.page,
                pages=page.pages,
                total=page.total,
                more=Step(_("Next page"), f"feeds {page.page + 1}", reply="more") if page.page < page.pages else None,
            ),
            Steps((Step(_("My digests"), "digest list"), Step(_("As a file"), "export"))),
        ),
    )


def _item(request: Request, number: int, one: Subscription) -> Item:
    name = as_one_word(one.name)
    pause = Step(_("Resume"), f"resume {name}") if one.paused_at else Step(_("Pause"), f"pause {name}")
    return Item(
        number=number,
        title=one.name,
        detail=" · ".join(part for part in (one.section, *_health(request, one)) if part),
        steps=(pause, Step(_("Leave"), f"unsubscribe {name}")),
    )


def _health(request: Request, one: Subscription) -> tuple[str, ...]:
    """When it was read, what it had last, when it is looked at again; or why not."""
    feed = one.feed
    paused = _("paused") if one.paused_at else ""
    if feed.state is FeedState.GONE:
        return paused, _("gone for good: its server says so")
    if feed.state is FeedState.LETTERS:
        return paused, _by_mail(request, one)
    parts = (
        (_("read {when}"), feed.last_success_at, _("not read yet")),
        (_("newest article {when}"), feed.last_article_at, _("no article yet")),
        (_("next check {when}"), max(feed.next_check_at, request.now), ""),
    )
    told = [
        text.format(when=short_time(at, zone=request.zone, now=request.now)) if at is not None else without
        for text, at, without in parts
    ]
    failed = ngettext("{count} failed check: {why}", "{count} failed checks: {why}", feed.failures)
    trouble = failed.format(count=feed.failures, why=_(feed.last_error)) if feed.failures else ""
    return paused, *told, trouble


def _by_mail(request: Request, one: Subscription) -> str:
    """How a newsletter fares: it is never asked, so all that there is to know is when it wrote last."""
    if one.feed.last_success_at is None:
        return _("by mail, and nothing has come yet")
    at = short_time(one.feed.last_success_at, zone=request.zone, now=request.now)
    return _("by mail · newest letter {time}").format(time=at)
