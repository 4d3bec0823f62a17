"""An issue as a mail: HTML for a phone by day and by night, text beside it, and links that write commands.

List-Unsubscribe is RFC 2369 and RFC 8058, List-Id RFC 2919.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from email.message import EmailMessage
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from zoneinfo import ZoneInfo

import jinja2

from core.i18n import _, dated, ngettext, speaking
from core.mail.compose import alternatives, environment, inliner, local_time, mailto, one_line, reply_to, tap, visible
from core.mail.loops import LOOP_FIELD
from core.mail.outgoing import BOT_POLICY, Identity, OutgoingMail, boundary, to_address, to_bytes
from core.mail.subjects import MAX_SUBJECT
from core.mail.text import REPLY_MARKER
from core.mail.transliterate import to_ascii
from core.mail.words import as_one_word
from core.news.excerpt import Excerpt, excerpt
from core.news.issue import Issue, Story

TEMPLATES = Path(__file__).parent / "templates"
MAX_HTML_BYTES = 90_000  # Gmail hides what is beyond 102 kB behind a link that few people see
EXCERPT_BYTES = 900  # of a story's text: 150 words, or 300 Chinese letters
FULL_BYTES = 24_000  # of one story in full: 4,000 words; longer ones are for the e-reader
MAX_NAME = 100  # characters of a name or of an address that is shown
MAX_TROUBLES = 20  # feeds that the foot names
FRAME_BYTES = 6_000  # the styles of the head, masthead and foot
STORY_BYTES = 2_600  # the frame of one story in HTML: title, source, six links, each with its styles
PARAGRAPH_BYTES = 27  # the style of one paragraph
MAX_LISTED = 60  # headlines: who has read these has read enough
HEADLINE_BYTES = 350  # and a line of the list

_WEB = re.compile(r"https?://[^\s<>\"]{1,2000}")
_URL = re.compile(r"https://[!-;=?-~]+")  # RFC 8058 3.1 asks for https; no blanks, no angle brackets


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterContext:
    """Whom an issue goes to, and how much of it. `reference` is the mail's, which its Message-ID is made of."""

    identity: Identity
    reference: str
    now: datetime
    user_address: str
    user_name: str = ""
    reply_address: str
    """Where replies and taps go: `Identity.reply_address`."""
    in_issue: str = ""
    """What stands behind the number in a tapped command (" in K7Q29"), so that a tap in an old mail means its story."""
    off_command: str = "digest off"
    """What ends this digest."""
    unsubscribe_url: str | None = None
    """Ends it by a POST without asking back (RFC 8058): an https address."""
    text_bytes: int = EXCERPT_BYTES
    """How much of each story's text the mail has: `EXCERPT_BYTES`, `FULL_BYTES`, or 0 for headlines alone."""
    is_on_kindle: bool = False
    """The same issue goes to an e-reader, so that what does not fit here stands there."""


def compose_letter(issue: Issue, *, context: LetterContext) -> OutgoingMail:
    """The issue as a mail of at most `MAX_HTML_BYTES` of HTML; what does not fit stands in it as a headline, or is
    counted. Raises `ValueError` for an address, or an `unsubscribe_url`, that no header can hold."""
    with speaking(issue.language):
        return _compose(issue, context)


def _compose(issue: Issue, context: LetterContext) -> OutgoingMail:
    html, text = _bodies(issue, context)
    subject = _subject(issue)
    message_id = context.identity.message_id(context.reference)
    fields = to_bytes(_headers(issue, context, subject=subject)).removesuffix(b"\r\n")
    return OutgoingMail(
        reference=context.reference,
        message_id=message_id,
        mail_from=context.identity.address,  # not an answer: an address that is no more should come back to us
        rcpt_to=context.user_address,
        subject=subject,
        head=fields + alternatives(text, html, mark=boundary(message_id)),
    )


def _bodies(issue: Issue, context: LetterContext) -> tuple[str, str]:
    """HTML and text of the same stories: as many as fit, then headlines, then a count."""
    listed = issue.stories[:MAX_LISTED]
    told = _told(listed, text_bytes=context.text_bytes)
    while True:
        variables = _variables(issue, context, listed=listed, told=told)
        html = str(visible(inliner().inline(_templates().get_template("letter.html").render(variables))))
        excess = len(html.encode()) - MAX_HTML_BYTES
        if excess <= 0 or not listed:
            break
        if told:
            told = _fewer(told, excess)
        else:  # titles of strangers are long
            listed = listed[: -1 - excess // HEADLINE_BYTES]
    return html, _templates().get_template("letter.txt").render(variables)


def _subject(issue: Issue) -> str:
    top = f": {issue.stories[0].title}" if issue.stories else ""
    day = dated(issue.local_date, _("d MMM"))
    return one_line(f"{one_line(issue.title, limit=MAX_NAME)}, {day}{top}", limit=MAX_SUBJECT)


def _headers(issue: Issue, context: LetterContext, *, subject: str) -> EmailMessage:
    message = EmailMessage(policy=BOT_POLICY)
    message["From"] = context.identity.from_header
    message["Reply-To"] = reply_to(context.reply_address, identity=context.identity)
    message["To"] = to_address(context.user_address, name=one_line(context.user_name, limit=MAX_NAME))
    message["Subject"] = subject
    message["Date"] = context.now
    message["Message-ID"] = context.identity.message_id(context.reference)
    message["List-Id"] = _list_id(issue.title, context.identity)
    # To everybody's address: mail services keep it for years, and its reference is proof enough.
    ways = [f"<{mailto(context.identity.address, context.off_command)}>"]
    if context.unsubscribe_url is not None:
        if not _URL.fullmatch(context.unsubscribe_url):
            raise ValueError("one-click unsubscription needs an https address")
        ways.append(f"<{context.unsubscribe_url}>")
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message["List-Unsubscribe"] = ", ".join(ways)
    # No Precedence, which RFC 2076 advises against: RFC 3834, RFC 5230 4.6 and Exchange go by these and List-Id.
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message[LOOP_FIELD] = context.identity.address
    return message


def _list_id(title: str, identity: Identity) -> str:
    """`<tech-news.digest.inkpost.example>`: by it people's filters tell one digest from the other."""
    label = re.sub("[^a-z0-9]+", "-", to_ascii(title).lower())[:60].strip("-") or "issue"
    return f"<{label}.digest.{identity.address.rpartition('@')[2]}>"


def _variables(
    issue: Issue, context: LetterContext, *, listed: Sequence[Story], told: Sequence[Excerpt]
) -> dict[str, object]:
    """What the templates tell: the stories of `told` with their text, the others of `listed` as headlines."""
    return {
        "issue": issue,
        "context": context,
        "subject": _subject(issue),
        "marker": REPLY_MARKER,
        "listed": listed,
        "told": told,
        "told_numbers": {each.story.number for each in told},
        "unlisted": len(issue.stories) - len(listed),
        "troubles": issue.troubles[:MAX_TROUBLES],
        "more_troubles": len(issue.troubles[MAX_TROUBLES:]),
        "title": one_line(issue.title, limit=MAX_NAME),
        "preview": one_line(" · ".join(story.title for story in issue.stories[:3]), limit=MAX_SUBJECT),
        "summary": _summary(issue),
        "day": _long_day(issue.local_date),
        "made": local_time(issue.made_at, issue.timezone),
        "source": functools.partial(_source, zone=ZoneInfo(issue.timezone)),
        "also_in": _also_in,
        "stop_feed": _stop_feed,
        "mailto": functools.partial(tap, context.reply_address),
        "short": functools.partial(one_line, limit=MAX_SUBJECT),
    }


@functools.cache
def _templates() -> jinja2.Environment:
    templates = environment(TEMPLATES)
    templates.filters["groups"] = _by_section
    templates.filters["web"] = _web
    return templates


def _by_section(stories: Sequence[Story]) -> list[tuple[str, list[Story]]]:
    return [(section, list(group)) for section, group in groupby(stories, key=attrgetter("section"))]


def _web(story: Story) -> str:
    """Where it stands on the web, "" if nowhere that a reader should be sent to."""
    return story.url if _WEB.fullmatch(story.url) else ""


def _also_in(story: Story) -> str:
    return one_line(", ".join(story.also_in), limit=MAX_SUBJECT)


def _stop_feed(story: Story) -> str:
    """In quotes: feeds are called “This Week in Rust”, which would be asked about without."""
    return f"unsubscribe {as_one_word(story.feed)}"


def _summary(issue: Issue) -> str:
    count = len(issue.stories)
    text = ngettext("{count} story, {minutes}\u00a0min", "{count} stories, {minutes}\u00a0min", count)
    return text.format(count=count, minutes=issue.minutes)


def _told(stories: Sequence[Story], *, text_bytes: int) -> tuple[Excerpt, ...]:
    """As many stories, from the first, as there may be room for: in full only where all after it can be begun."""
    told: list[Excerpt] = []
    room = MAX_HTML_BYTES - FRAME_BYTES - len(stories) * HEADLINE_BYTES if text_bytes else 0
    for left, story in zip(range(len(stories) - 1, -1, -1), stories, strict=True):
        if room <= 0:
            break
        each = excerpt(story, text_bytes=text_bytes)
        if text_bytes > EXCERPT_BYTES and _weight(each) > room - left * (STORY_BYTES + EXCERPT_BYTES):
            each = excerpt(story, text_bytes=EXCERPT_BYTES)
        told.append(each)
        room -= _weight(each)
    return tuple(told)


def _weight(each: Excerpt) -> int:
    """About how many bytes of HTML a story takes, with the styles that are put into its paragraphs."""
    return STORY_BYTES + len(each.html.encode()) + each.html.count("<p>") * PARAGRAPH_BYTES


def _fewer(told: tuple[Excerpt, ...], excess: int) -> tuple[Excerpt, ...]:
    """Without the last ones, as many as weigh `excess` bytes more than their headlines."""
    while told and excess > 0:
        excess -= _weight(told[-1]) - HEADLINE_BYTES
        told = told[:-1]
    return told


def _long_day(day: date) -> str:
    return dated(day, _("EEEE, d MMMM yyyy"))


def _source(story: Story, *, zone: ZoneInfo) -> str:
    """`Heise · Anna Berg · 23 Nov, 05:10 · 4 min`."""
    authors = ", ".join(story.authors[:3])
    at = story.published_at.astimezone(zone) if story.published_at else None
    parts = (
        one_line(story.feed, limit=MAX_NAME),
        one_line(authors, limit=MAX_NAME) if authors != story.feed else "",
        dated(at, _("d MMM, HH:mm")) if at else "",
        f"{story.reading.minutes}\u00a0min",
    )
    return " · ".join(part for part in parts if part)
