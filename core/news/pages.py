"""The pages of the paper as XHTML: front page, stories, colophon, and the words that they say."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import jinja2
from lxml import etree
from markupsafe import Markup

from core.books.making import direction_of
from core.i18n import N_, _, dated
from core.news.captions import without_captions
from core.news.issue import Issue, Story
from core.news.sizing import Volume
from core.news.values import WORDS_A_MINUTE, Reading

TEMPLATES: Final = Path(__file__).parent / "templates"
BEGINNING: Final = 260  # characters of the first story's text on the front page: three lines
MOST_AUTHORS: Final = 4

# What the paper says to its reader, by name.
WORDS: Final[Mapping[str, str]] = {
    "also_in": N_("Also in {}"),
    "colophon": N_("About this paper"),
    "cut": N_("The rest of this story was too long for this paper."),
    "front": N_("Front page"),
    "is_part": N_("It is part {} of {}: all of it would have been too large for one mail."),
    "left_out": N_("Left out"),
    "left_out_fix": N_("To change what fits, mail me a length, such as “digest 40 min”; “help digest” has the rest."),
    "left_out_many": N_("{} more stories did not fit the limits of this paper."),
    "left_out_one": N_("One more story did not fit the limits of this paper."),
    "lost_picture": N_("One picture could not be had, or did not fit."),
    "lost_pictures": N_("{} pictures could not be had, or did not fit."),
    "made": N_("Made on {}."),
    "minutes": N_("{} min read"),
    "next": N_("Next"),
    "nothing": N_("Nothing new today."),
    "original": N_("Read the original at {}"),
    "part": N_("part {} of {}"),
    "picture": N_("Picture"),
    "previous": N_("Previous"),
    "stories": N_("{} stories"),
    "story": N_("One story"),
    "stub": N_("This is all that its feed gives of the story."),
    "troubles": N_("Feeds that gave nothing"),
    "troubles_fix": N_("They are tried again by themselves. Mail me “feeds” to see how they are."),
    "unsorted": N_("Other stories"),
    "untitled": N_("Untitled"),
    "updated": N_("Updated"),
    "updated_since": N_("Updated since you had it"),
}

STYLE: Final = """
.masthead { font-size: 2.1em; text-align: center; margin: 0.4em 0 0.15em; }
.dateline { text-align: center; font-size: 0.9em; border-top: 1px solid #333; border-bottom: 1px solid #333;
  padding: 0.35em 0; margin: 0 0 1.2em; }
h2.section { font-size: 0.95em; letter-spacing: 0.06em; text-transform: uppercase; border-bottom: 1px solid #999;
  margin: 1.6em 0 0.7em; padding-bottom: 0.15em; }
.headlines { list-style: none; margin: 0; padding: 0; }
.headlines li { margin: 0 0 0.85em; page-break-inside: avoid; break-inside: avoid; }
.headlines a { font-weight: bold; line-height: 1.25; text-decoration: none; color: inherit; }
.headlines .lead a { font-size: 1.4em; line-height: 1.2; }
.headlines .beginning { margin: 0.4em 0 0.2em; }
.headlines .source { font-size: 0.8em; color: #555; margin: 0.1em 0 0; }
.kicker { font-size: 0.8em; letter-spacing: 0.04em; color: #555; margin: 0.6em 0 0.3em; }
.kicker + h1 { margin-top: 0; margin-bottom: 0.35em; }
h1, h2, h3, h4, h5, h6 { page-break-after: avoid; break-after: avoid; hyphens: none; -webkit-hyphens: none; }
h3, h4, h5, h6 { font-size: 1.05em; margin: 1em 0 0.3em; }
.byline { font-size: 0.8em; color: #555; margin: 0 0 0.25em; }
.story { margin-top: 1.1em; }
.story p { widows: 2; orphans: 2; }
img { height: auto; }
figure { margin: 1em 0; text-align: center; page-break-inside: avoid; break-inside: avoid; }
figcaption { font-size: 0.8em; color: #555; text-align: left; margin-top: 0.3em; line-height: 1.3; }
[dir="rtl"], [dir="rtl"] figcaption, h1[dir="rtl"] { text-align: right; }
.note { font-style: italic; margin-top: 1em; }
.original { margin-top: 1.2em; }
hr { border: none; border-top: 1px solid #999; margin: 1.2em 0 0.8em; }
.turn { font-size: 0.9em; margin: 0 0 0.5em; }
.end { margin-top: 1.6em; font-size: 0.9em; }
"""


class _Words:
    """`WORDS` for the templates, in the language of the moment."""

    def __getattr__(self, name: str) -> str:
        if name not in WORDS:
            raise AttributeError(name)
        return _(WORDS[name])


_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")
_UNSAFE: Final = re.compile(r"""[^!#$%&'()*+,\-./0-9:;=?@A-Z_a-z~\[\]]|%(?![0-9A-Fa-f]{2})""")
_SENTENCE_END: Final = re.compile(r"[.!?…][\"”’»)]*(?=\s)|[。！？][」』）]*")
_HEADINGS: Final = ("h1", "h2", "h3", "h4", "h5", "h6")


def plain(text: str) -> str:
    """One line that XML can hold."""
    return " ".join(_NOT_XML.sub(" ", text).split())


def long_date(day: date) -> str:
    return dated(day, _("EEEE, d MMMM yyyy"))


def summary(stories: Sequence[Story]) -> str:
    """`24 stories, 51 min read`."""
    minutes = max(1, round(sum(story.reading.words for story in stories) / WORDS_A_MINUTE))
    count = _(WORDS["story"]) if len(stories) == 1 else _(WORDS["stories"]).format(len(stories))
    return f"{count}, {_(WORDS['minutes']).format(minutes)}"


def front_page(issue: Issue, *, volume: Volume) -> str:
    """The headlines by section. The first story is the lead: larger, and with its beginning."""
    lead = volume.stories[0] if volume.stories else None
    beginning = beginning_of(without_captions(lead.reading)) if lead else ""
    return _render(
        "front", issue.language, issue=issue, volume=volume, lead=lead, beginning=beginning, **_facts(issue, volume)
    )


def colophon(issue: Issue, *, volume: Volume) -> str:
    """What failed, what was left out, and what to do about it."""
    made = _moment(issue.made_at, issue.timezone)
    wanted = {url for story in volume.stories for url in story.reading.pictures}
    lost = len(wanted - volume.pictures.keys())
    return _render(
        "colophon", issue.language, issue=issue, volume=volume, made=made, lost_pictures=lost, **_facts(issue, volume)
    )


def story_page(
    story: Story, *, issue: Issue, volume: Volume, names: Mapping[str, str], neighbours: Sequence[Story | None] = ()
) -> str:
    """A story. `names` are the files of the pictures by URL; `neighbours` the stories before and after it, () in a
    book of its own."""
    link = safe_url(story.url)
    before, after = neighbours or (None, None)
    is_cut = story.number in volume.cut
    return _render(
        "story",
        issue.language,
        story=story,
        byline=_byline(story, timezone=issue.timezone),
        text=story_html(story.reading, names),
        note=_(WORDS["cut"]) if is_cut else _(WORDS["stub"]) if story.is_stub else "",
        link=link,
        host=(urlsplit(link).hostname or "").removeprefix("www."),
        is_in_paper=bool(neighbours),
        before=before,
        after=after,
    )


def story_html(reading: Reading, names: Mapping[str, str]) -> Markup:
    """Its text with the pictures that there are. A picture without a file goes, with its empty figure."""
    try:
        root = etree.fromstring(f"<div>{_NOT_XML.sub('', reading.html)}</div>", etree.XMLParser(huge_tree=True))
    except etree.XMLSyntaxError:  # one story that is not what its contract says must not keep the paper from its reader
        return Markup("").join(Markup("<p>{}</p>").format(part) for part in reading.text.split("\n\n"))
    for picture in list(root.iter("img")):
        name = names.get(picture.get("src", ""))
        if name is None:
            _take_out(picture)
            continue
        picture.set("src", name)
        if not picture.get("alt"):  # Kindle's converter is said to refuse empty ones (E21018)
            picture.set("alt", _(WORDS["picture"]))
    _order_headings(root)
    whole = etree.tostring(root, encoding="unicode")
    return Markup(whole[whole.find(">") + 1 : whole.rfind("</")])  # noqa: S704  # sanitised, see `Reading.html`


def safe_url(url: str) -> str:
    """The address as a link may have it; "" if it is none of the web."""
    try:
        parts = urlsplit(url.strip())
        if parts.scheme not in ("http", "https") or not parts.hostname or not parts.hostname.isascii():
            return ""
        _ = parts.port
    except ValueError:
        return ""
    return _UNSAFE.sub(
        lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "replace")), url.strip()
    )


def beginning_of(text: str) -> str:
    """Its first sentences, about `BEGINNING` characters of them; the first paragraph at most."""
    paragraph = plain(text.partition("\n\n")[0])
    if len(paragraph) <= BEGINNING:
        return paragraph
    ends = [found.end() for found in _SENTENCE_END.finditer(paragraph, 0, BEGINNING)]
    if ends and ends[-1] > BEGINNING // 3:
        return paragraph[: ends[-1]]
    return (
        paragraph[:BEGINNING].rpartition(" ")[0] + "…" if " " in paragraph[:BEGINNING] else paragraph[:BEGINNING] + "…"
    )


def _take_out(picture: etree._Element) -> None:
    """Without it and without what showed nothing but it. What is read stays: the text behind it, and other elements."""
    gone = picture
    while (parent := gone.getparent()) is not None and parent.getparent() is not None:
        others = [child for child in parent if child is not gone and child.tag != "br"]
        is_figure = parent.tag == "figure" and all(child.tag == "figcaption" for child in others)
        has_text = any((text or "").strip() for text in (parent.text, *(child.tail for child in parent)))
        if not (is_figure or not others) or has_text or parent.tag in ("td", "th"):
            break
        gone = parent
    parent, before, tail = gone.getparent(), gone.getprevious(), gone.tail or ""
    assert parent is not None
    if before is not None:
        before.tail = (before.tail or "") + tail
    else:
        parent.text = (parent.text or "") + tail
    gone.tail = None
    parent.remove(gone)


def _order_headings(root: etree._Element) -> None:
    """None of the first rank, which is the title's, and no rank left out on the way down."""
    rank = 1
    for heading in root.iter(*_HEADINGS):
        rank = max(2, min(int(str(heading.tag)[1]), rank + 1))
        heading.tag = f"h{rank}"


def _byline(story: Story, *, timezone: str) -> str:
    authors = [plain(author) for author in story.authors[:MOST_AUTHORS] if author != story.feed]
    parts = [", ".join(authors)] if authors else []
    if story.published_at is not None:
        parts.append(_moment(story.published_at, timezone))
    return " · ".join([*parts, _(WORDS["minutes"]).format(story.reading.minutes)])


def _moment(moment: datetime, timezone: str) -> str:
    local = moment.astimezone(ZoneInfo(timezone))
    return dated(local, _("d MMMM yyyy, HH:mm"))


def _facts(issue: Issue, volume: Volume) -> dict[str, object]:
    return {"stories": volume.stories, "day": long_date(issue.local_date), "summary": summary(volume.stories)}


def _tongue(story: Story, *, language: str) -> Markup:
    """The attributes of what is in a language of its own."""
    own = story.reading.language
    if not own or own == language or not _LANGUAGE.fullmatch(own):
        return Markup("")
    way, whole = direction_of(own) or "ltr", direction_of(language) or "ltr"
    return Markup(' lang="{0}" xml:lang="{0}"').format(own) + (Markup(' dir="{}"').format(way) if way != whole else "")


def _render(name: str, language: str, /, **variables: object) -> str:
    template = _templates().get_template(f"paper_{name}.xhtml")
    return template.render(tongue=functools.partial(_tongue, language=language), **variables)


@functools.cache
def _templates() -> jinja2.Environment:
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["groups"] = _by_section
    templates.filters["page"] = page_name
    templates.globals["say"] = _Words()
    templates.globals["minutes"] = lambda story: _(WORDS["minutes"]).format(story.reading.minutes)
    return templates


def page_name(story: Story) -> str:
    return f"story-{story.number}.xhtml"


def _printable(value: object) -> object:
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _by_section(stories: Sequence[Story]) -> list[tuple[str, list[Story]]]:
    return [(section, list(group)) for section, group in groupby(stories, key=attrgetter("section"))]
