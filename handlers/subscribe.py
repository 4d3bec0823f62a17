"""`subscribe <url> [as <name>] [in <section>]`: a feed, the feed of a page, or all feeds of an attached list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

from core import jobs
from core.errors import BadRequest, BotError, Conflict, RefusedFile
from core.i18n import N_, _, ngettext
from core.mail.answer import Answer, Block, Columns, Paragraph, Step, Steps
from core.mail.grammar import CommandSpec, Example
from core.models import Feed, Subscription
from core.models.subscription import LONGEST_NAME
from core.news.opml import Opml, OpmlFeed
from core.services.household import Household
from core.services.news_aggregator import FOUND_FEEDS
from core.services.threads import Numbered
from core.values import AttachmentKind, RefusedAttachment, StagedFeedList, Trust
from handlers._arguments import phrase
from handlers._feeds import addresses_of, welcome
from handlers._request import Request

SPEC = CommandSpec(
    name="subscribe",
    makes=True,
    summary="Read a site's news in your paper",
    usage=("subscribe <address> [as <name>] [in <section>]", "subscribe <number>", "subscribe feeds of <person>"),
    details=(
        "The address may be that of a feed (RSS, Atom, JSON Feed), or of any page of the site: its feed is looked for. "
        "Where there are several, you choose one by its number. Several addresses in one mail are several feeds.\n\n"
        "Attach a list of feeds from another reader (OPML), and you are subscribed to all of them; no command is "
        "needed.\n\n"
        "With your first feed you get a digest, a paper that comes every morning at 06:30: see “digest”."
    ),
    aliases=("follow", "sub", "add feed", "subscribe to", "abonniere", "abonnieren", "suscribir", "suscríbeme"),
    prepositions=("as", "in"),
    trust=Trust.DELIVER,
    takes_attachments=frozenset({AttachmentKind.FEED_LIST}),
    takes_links=True,
    examples=(
        Example("subscribe https://www.quantamagazine.org", "finds the site's feed"),
        Example("subscribe https://lwn.net/headlines/rss as LWN in Tech", "under a name, in a section of your paper"),
        Example("subscribe 2", "the second feed of those that a page has"),
    ),
    group="News",
)

MOST_ROWS = 100  # of the answer's table: the problems stand first, and who has more feeds has seen enough


def handle(request: Request) -> Answer:
    lists = [one for one in request.attachments if isinstance(one, StagedFeedList)]
    refused = [one for one in request.attachments if isinstance(one, RefusedAttachment)]
    words = request.command.words
    if lists and not any(one.opml.feeds or one.opml.skipped for one in lists):
        raise BadRequest(
            _("There is no feed in {filename}.").format(filename=lists[0].filename),
            fix=_("Export the list from your reader anew, and attach that file."),
        )
    if lists:
        return _subscribe_lists(request, [one.opml for one in lists])
    if len(words) > 2 and words[0].lower() == "feeds" and words[1].lower() in _OF:
        return _subscribe_shared(request, " ".join(words[2:]))
    if not words and not request.command.phrases and refused:
        first = refused[0]
        raise RefusedFile(f"{first.filename}: {first.text}", fix=first.fix, code=first.code)
    name, section = phrase(request.command, "as"), phrase(request.command, "in")
    urls = _chosen(request, words) if _are_numbers(words) else addresses_of(words)
    if name and len(urls) > 1:
        raise BadRequest(
            _("You gave one name for {count} feeds.").format(count=len(urls)), fix=_("Give each a command of its own.")
        )
    return _merged(
        [_subscribe(request, url, number=number, name=name, section=section) for number, url in enumerate(urls, 1)]
    )


def _are_numbers(words: tuple[str, ...]) -> bool:
    return bool(words) and all(word.isascii() and word.isdigit() for word in words)


def _chosen(request: Request, words: tuple[str, ...]) -> tuple[str, ...]:
    """The addresses of the feeds that stood at these numbers of a choice."""
    listing = request.shown(FOUND_FEEDS)
    return tuple(_chosen_feed(request, listing, word).url for word in dict.fromkeys(words))


def _chosen_feed(request: Request, listing: Numbered, word: str) -> Feed:
    feed = request.news.found_feed(listing, int(word[:9]))
    if feed is None:
        raise BadRequest(
            _("There is no feed at {word} of a choice.").format(word=word),
            fix=_("Subscribe by an address: subscribe https://…"),
        )
    return feed


def _subscribe(request: Request, url: str, *, number: int, name: str, section: str) -> Answer:
    """At once if the feed is known; else it is looked at first, and a mail tells what came of it."""
    feed = request.news.known_feed(url)
    if feed is None:
        request.work.defer(
            jobs.discover_feed(
                url, user_id=request.user.id, name=name, section=section, cause=f"{request.cause}:{number}"
            )
        )
        return Answer(_("Looking at {url}").format(url=url), (Paragraph(_("You hear from me when I have read it.")),))
    done = request.news.subscribe(request.user.id, feed, name=name, section=section)
    return welcome(request.work, feed, user_id=request.user.id, is_new=done.is_new)


def _merged(answers: list[Answer]) -> Answer:
    if len(answers) == 1:
        return answers[0]
    blocks: list[Block] = []
    for answer in answers:
        blocks += [Paragraph(f"{answer.title}."), *(block for block in answer.blocks if not isinstance(block, Steps))]
    return Answer(_("{count} addresses").format(count=len(answers)), (*blocks, Steps((Step(_("My feeds"), "feeds"),))))


# Lists -----------------------------------------------------------------------------------------------------------


_OF = ("of", "from", "von", "de")


def _subscribe_shared(request: Request, whom: str) -> Answer:
    """All feeds of somebody who shares them, under the names that they have there."""
    household = Household(request.work)
    owner = household.person(request.user.id, whom)
    return _subscribe_lists(request, [Opml(feeds=tuple(household.feeds_of(owner, reader_id=request.user.id)))])


def _subscribe_lists(request: Request, lists: list[Opml]) -> Answer:
    """Each feed of the lists, with what came of it; they are read later, by and by."""
    rows: list[tuple[str, str, str]] = []
    known = {one.feed_id: one for one in request.news.all_of(request.user.id)}
    for one in lists:
        rows += [_subscribe_listed(request, feed, known) for feed in one.feeds]
        rows += [(skipped.name, "", f"{_SKIPPED}: {skipped.reason}") for skipped in one.skipped]
    counts = Counter(state.partition(":")[0] for _name, _section, state in rows)
    rows.sort(key=lambda row: not row[2].startswith(_SKIPPED))
    new, there, skipped = counts[_NEW], counts[_THERE], counts[_SKIPPED]
    told = tuple((name, section, ": ".join(_told(state))) for name, section, state in rows[:MOST_ROWS])
    parts = (
        ngettext("{count} feed subscribed", "{count} feeds subscribed", new).format(count=new),
        _("{count} there already").format(count=there) if there else "",
        _("{count} skipped").format(count=skipped) if skipped else "",
    )
    unshown = Paragraph(_("… and {count} more.").format(count=len(rows) - MOST_ROWS))
    return Answer(
        ", ".join(part for part in parts if part),
        (
            Columns((_("Feed"), _("Section"), _("State")), told),
            *((unshown,) if len(rows) > MOST_ROWS else ()),
            Paragraph(_("They are read within the hour; “feeds” tells how they fare.")),
            Steps((Step(_("My feeds"), "feeds"), Step(_("My digests"), "digest list"))),
        ),
    )


_NEW, _THERE, _SKIPPED = N_("subscribed"), N_("there already"), N_("skipped")


def _told(state: str) -> Iterator[str]:
    """The state of a row in the reader's language, and why, if it says so."""
    word, _colon, why = state.partition(": ")
    yield _(word)
    if why:
        yield why


def _subscribe_listed(request: Request, listed: OpmlFeed, known: dict[int, Subscription]) -> tuple[str, str, str]:
    """One row of the table. What the reader has already stays as they call it."""
    try:
        feed = request.news.add_feed(listed.url)
        if (mine := known.get(feed.id)) is not None:
            return mine.name, mine.section, _THERE
        made = known[feed.id] = _named_as_listed(request, feed, listed)
    except BotError as error:
        return listed.title or listed.url, listed.section, f"{_SKIPPED}: {error.text}"
    return made.name, made.section, _NEW


def _named_as_listed(request: Request, feed: Feed, listed: OpmlFeed) -> Subscription:
    """Under the list's name, or a free one where that is taken, or no name at all."""
    news, user_id = request.news, request.user.id
    section = listed.section[:LONGEST_NAME]
    try:
        return news.subscribe(user_id, feed, name=listed.title[:LONGEST_NAME], section=section).subscription
    except (BadRequest, Conflict):
        made = news.subscribe(user_id, feed).subscription
        if listed.title:
            with suppress(BadRequest):
                news.rename_freely(made, listed.title)
        return made
