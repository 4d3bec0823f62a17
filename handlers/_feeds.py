"""How feeds look in answers, which feeds a command means, and what addresses people write."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from core.errors import BadRequest
from core.i18n import _, dated
from core.mail.answer import Answer, Block, Item, Items, Paragraph, Step, Steps
from core.mail.links import web_address
from core.mail.words import as_one_word
from core.models import Article, Feed, Subscription
from core.services.news_aggregator import FEEDS, NewsAggregator
from core.work import Work
from handlers._request import Request

HEADLINES = 5
MOST_ADDRESSES = 20  # of one command: each may be a fetch

# A host as people write it, with no scheme before it: `heise.de`, `localhost:8080/feed`.
_HOST = re.compile(r"(?:[\w-]+\.)+[^\W\d][\w-]+\.?(?::\d{1,5})?(?:[/?#]\S*)?|[\w.-]+:\d{1,5}(?:/\S*)?")


def address_of(word: str) -> str | None:
    """The web address that a word is, in full, None if it is none."""
    plain = word.strip("<>()[]\"',;").rstrip(".!")
    return web_address(word) or (f"https://{plain}" if _HOST.fullmatch(plain) else None)


def addresses_of(words: Sequence[str]) -> tuple[str, ...]:
    """The addresses that words are, each once; what stands between them ("to", "and") is left out.

    Raises `BadRequest` where there is none, or too many.
    """
    found = tuple(dict.fromkeys(address for word in words if (address := address_of(word)) is not None))
    if not found:
        said = " ".join(words)[:100]
        text = _("“{said}” is no address of a web page.").format(said=said) if said else _("Which address?")
        raise BadRequest(text, fix=_("Write it as your browser shows it: https://example.org/"))
    if len(found) > MOST_ADDRESSES:
        raise BadRequest(
            _("These are {count} addresses.").format(count=len(found)),
            fix=_("At most {most} in one command.").format(most=MOST_ADDRESSES),
        )
    return found


def meant_feeds(request: Request, words: Sequence[str]) -> tuple[Subscription, ...]:
    """The feeds that words mean: numbers of the last list, an address, or words of one name.

    Raises `BadRequest` for no words, `NotFound`, and `Conflict` with a numbered choice for several.
    """
    if not words:
        raise BadRequest(_("Which feed?"), fix=_("Name it by its number in “feeds”, or by words of its name."))
    listing = request.shown(FEEDS)
    are_numbers = all(word.isascii() and word.isdigit() for word in words)
    wanted = words if are_numbers else (" ".join(words),)
    found = [request.news.resolve(request.user.id, _in_full(one), listing=listing) for one in wanted]
    return tuple(dict.fromkeys(found))


def _in_full(words: str) -> str:
    return address_of(words) or words if "/" in words else words


def short_time(moment: datetime, *, zone: ZoneInfo, now: datetime) -> str:
    """`06:12` of today, `22 Nov 06:12` of the months around, `Nov 2024` of what is far."""
    local = moment.astimezone(zone)
    if local.date() == now.astimezone(zone).date():
        return f"{local:%H:%M}"
    return dated(local, _("d MMM HH:mm") if abs(moment - now) < timedelta(days=180) else _("MMM yyyy"))


def welcome(work: Work, feed: Feed, *, user_id: int, is_new: bool) -> Answer:
    """What a reader of a feed is told who has subscribed to it: its newest headlines, or what is wrong with it."""
    mine = next((one for one in NewsAggregator(work).all_of(user_id) if one.feed_id == feed.id), None)
    name = mine.name if mine is not None else feed.title
    headlines = Article.newest(work.session, feed.id, limit=HEADLINES)
    blocks: list[Block] = []
    if feed.last_error:
        blocks.append(
            Paragraph(
                _("It could not be read just now: {why} It is tried again by itself.").format(why=_(feed.last_error))
            )
        )
    elif not headlines:
        blocks.append(Paragraph(_("There is nothing in it yet.")))
    else:
        blocks.append(Paragraph(_("Its newest stories:")))
        blocks.append(
            Items(
                tuple(Item(number, one.title or _("Untitled")) for number, one in enumerate(headlines, 1)),
                kind="headlines",
            )
        )
    steps = (
        Step(_("A paper now"), "digest now"),
        Step(_("My feeds"), "feeds"),
        Step(_("Leave it"), f"unsubscribe {as_one_word(name)}", reply="undo" if is_new else ""),
    )
    title = _("Subscribed: {name}") if is_new else _("You read it already: {name}")
    return Answer(title.format(name=name), (*blocks, Steps(steps)))
