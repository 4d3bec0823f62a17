"""Kind `duplicates`: precision and recall of "the same story", end to end: a key in common, then the exact check.

The corpus has no labelled pairs, so they are made from its articles, the same ones on every run (`SEED`):

- the same story: two extractions of one page and one entry twice in feeds (both real), and each article with another
  title, in the dress of two sites, trimmed, with edited words, with passages in another language, updated, in other
  typography, moved about, as a teaser;
- not the same: any two different articles, fillings of one form (weather, shares, matches ...), short items over one
  long footer, halves of one article, follow-ups that repeat its background.

Besides the labelled pairs, all texts together are looked up as an index does it: what it takes for the same story and
comes from different ones counts against precision as well.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path

import feedparser
import trafilatura
from lxml import html as lxml_html
from rich.console import Console
from rich.table import Table

from core.news.duplicates import Fingerprint, fingerprint, same_story

SEED = 7
LEAST_PRECISION, LEAST_RECALL = 0.99, 0.90
LEAST_WORDS = 80
FILLER = "ipsum dolor"
FEED_FILES = ("*.rss", "*.atom", "*.xml")


@dataclass(frozen=True)
class Text:
    """A text and what story it tells: two texts are duplicates if and only if their stories are equal."""

    story: str
    title: str
    text: str

    @cached_property
    def found(self) -> Fingerprint:
        return fingerprint(self.text, title=self.title)


@dataclass(frozen=True)
class Pair:
    kind: str
    is_same: bool
    a: Text
    b: Text

    @cached_property
    def said_same(self) -> bool:
        return is_found(self.a, self.b)


def is_found(a: Text, b: Text) -> bool:
    return not set(a.found.keys).isdisjoint(b.found.keys) and same_story(a.found, b.found, a.text, b.text)


def run(folder: Path) -> bool:
    """Print the table; True where both aims are reached. `folder` is the corpus' folder of pages."""
    pages = list(read_pages(folder))
    entries = list(read_entries(folder.parent / "feeds"))
    pairs = [*real_pairs(pages, entries), *made_pairs(distinct([text for texts in pages for text in texts[:1]]))]
    return report(pairs, Console())


def read_pages(folder: Path) -> Iterator[list[Text]]:
    """The texts of each page of three sets: the gold, then our extraction of the same page."""
    for gold in sorted((folder / "mozilla-readability").glob("*__expected.html")):
        source = gold.with_name(gold.name.replace("__expected", "__source"))
        yield from _texts(gold.name, source, _plain(gold.read_text("utf-8")))
    for gold in sorted((folder / "scrapinghub-aeb").glob("*.gold.json")):
        source = gold.with_name(gold.name.replace(".gold.json", ".html.gz"))
        yield from _texts(gold.name, source, next(iter(json.loads(gold.read_text("utf-8")).values()))["articleBody"])
    for source in sorted((folder / "trafilatura-eval").glob("*.html")):
        yield from _texts(source.name, source, None)


def _texts(story: str, source: Path, gold: str | None) -> Iterator[list[Text]]:
    octets = source.read_bytes() if source.exists() else b""
    page = gzip.decompress(octets) if source.suffix == ".gz" else octets
    extracted = trafilatura.extract(page, include_comments=False) if page else None
    tree = lxml_html.fromstring(page, parser=lxml_html.HTMLParser(encoding="utf-8")) if page else None
    title = " ".join(((tree is not None and tree.findtext(".//title")) or "").split())
    texts = [Text(story, title, text) for text in (gold, extracted) if text and len(text.split()) >= LEAST_WORDS]
    # Pages that were made to test mark-up all say the same: nobody could label them.
    if texts and FILLER not in texts[0].text:
        yield texts


def read_entries(folder: Path) -> Iterator[Text]:
    """The entries of all real feeds; their addresses are their stories."""
    for pattern in FEED_FILES:
        for path in sorted(folder.glob(f"[!fg]*/{pattern}")):
            for entry in feedparser.parse(path.read_bytes(), sanitize_html=False)["entries"]:
                content = max((part.value for part in entry.get("content", [])), key=len, default="")
                text = _plain(content or entry.get("summary", ""))
                if entry.get("link") and len(text.split()) >= LEAST_WORDS and FILLER not in text:
                    yield Text(entry.link, entry.get("title", ""), text)


def _plain(markup: str) -> str:
    if not markup.strip():
        return ""
    text = "".join(map(str, lxml_html.fromstring(markup).itertext()))
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def distinct(texts: Iterable[Text]) -> list[Text]:
    """Without the second of two that begin alike: one article can stand in two sets."""
    by_beginning: dict[str, Text] = {}
    for text in texts:
        by_beginning.setdefault(" ".join(re.findall(r"\w+", text.text.lower())[15:45]), text)
    return list(by_beginning.values())


def real_pairs(pages: Sequence[Sequence[Text]], entries: Sequence[Text]) -> Iterator[Pair]:
    for texts in pages:
        if len(texts) == 2:
            yield Pair("two extractions of one page", True, texts[0], texts[1])
    for a, b in combinations(entries, 2):
        if a.story == b.story or a.text in b.text or b.text in a.text:
            yield Pair("one entry twice in feeds", True, a, b)
        else:
            yield Pair("different entries of feeds", False, a, b)


def made_pairs(articles: Sequence[Text]) -> Iterator[Pair]:
    rng = random.Random(SEED)
    for at, article in enumerate(articles):
        others = [articles[(at + step) % len(articles)] for step in (1, 2, 3, 5)]
        for kind, change in CHANGES.items():
            yield Pair(kind, True, article, change(article, others, rng))
        yield Pair("in the dress of two sites", True, *(dressed(article, site) for site in rng.sample(SITES, 2)))
        yield from same_topic(article)
    for a, b in combinations(articles, 2):
        yield Pair("different articles", False, a, b)
    for form in FORMS.split("\n\n"):
        for kind, whole in (("fillings of one form", form), ("fillings of one form with notes", f"{form}\n{NOTES}")):
            for a, b in combinations([fill(whole, number) for number in range(FILLINGS)], 2):
                yield Pair(kind, False, a, b)
                yield Pair(f"{kind}, no titles", False, replace(a, title=""), replace(b, title=""))
    for footer in (articles[3], articles[-3]):
        items = [over_footer(article, footer, rng) for article in articles if article is not footer]
        for a, b in combinations(items, 2):
            yield Pair("short items over one footer", False, a, b)


def sentences(text: str) -> list[str]:
    return [one for one in re.split(r"(?<=[.!?])\s+|\n+", text) if one]


def head_of(text: str, share: float) -> str:
    words = re.findall(r"\S+\s*", text)
    return "".join(words[: max(1, round(len(words) * share))])


def edited(share: float) -> Callable[[Text, Sequence[Text], random.Random], Text]:
    """A third each of so many words away, another instead, another before."""

    def change(article: Text, others: Sequence[Text], rng: random.Random) -> Text:
        foreign, out = others[0].text.split(), []
        for word in article.text.split():
            dice = rng.random()
            if dice < share:
                out.append(rng.choice(foreign))
            if not dice < share * 2 / 3:
                out.append(word)
            elif dice < share / 3:
                out.pop()
        return Text(article.story, article.title, " ".join(out))

    return change


def trimmed(share: float) -> Callable[[Text, Sequence[Text], random.Random], Text]:
    return lambda article, others, rng: Text(article.story, article.title, head_of(article.text, share))


def other_title(article: Text, others: Sequence[Text], rng: random.Random) -> Text:
    """Half of the words of its title and some of its text."""
    words, own = article.title.split(), article.text.split()
    return Text(article.story, " ".join(words[: (len(words) + 1) // 2] + rng.sample(own, 3)), article.text)


def translated(article: Text, others: Sequence[Text], rng: random.Random) -> Text:
    """One sentence of eight in other words, as quotes that were translated anew."""
    foreign = sentences(others[1].text)
    kept = [rng.choice(foreign) if rng.random() < 1 / 8 else one for one in sentences(article.text)]
    return Text(article.story, article.title, " ".join(kept))


def updated(article: Text, others: Sequence[Text], rng: random.Random) -> Text:
    """A fifth more text on top, one number of six another."""
    foreign = sentences(others[2].text)
    new = " ".join(foreign[-max(1, len(sentences(article.text)) // 5) :][: len(foreign) // 3])
    body = re.sub(r"\d+", lambda one: one[0] if rng.random() > 1 / 6 else str(rng.randint(2, 999)), article.text)
    return Text(article.story, f"Update: {article.title}", f"{new}\n{body}")


def other_typography(article: Text, others: Sequence[Text], rng: random.Random) -> Text:
    plain = re.sub(r"[^\w\s]", "", article.text)
    return Text(article.story, article.title.upper(), rng.choice((plain, article.text.lower(), article.text.upper())))


def moved_about(article: Text, others: Sequence[Text], rng: random.Random) -> Text:
    pieces = sentences(article.text)
    return Text(article.story, article.title, " ".join(rng.sample(pieces, len(pieces))))


def teaser(article: Text, others: Sequence[Text], rng: random.Random) -> Text:
    share = 60 / len(article.text.split())
    return Text(article.story, article.title, head_of(article.text, share).rstrip() + " […] Read more")


CHANGES: dict[str, Callable[[Text, Sequence[Text], random.Random], Text]] = {
    "another title": other_title,
    "trimmed to 70 %": trimmed(0.7),
    "trimmed to 50 %": trimmed(0.5),
    "trimmed to 40 %": trimmed(0.4),
    "3 % of the words edited": edited(0.03),
    "10 % of the words edited": edited(0.10),
    "an eighth in other words": translated,
    "updated": updated,
    "other typography": other_typography,
    "moved about": moved_about,
    "teaser of 60 words": teaser,
}
SITES = (
    (
        "By Staff Reporter, {date}. ",
        " Our standards: the principles of trust. Sign up here for our newsletter and follow us on social media.",
    ),
    (
        "{date} - This article is more than 2 years old. Share on Facebook. Share by mail. ",
        " (c) 2026 The Daily Example. All rights reserved. Reprints and permissions. More: Economy, Politics, World.",
    ),
    (
        "",
        " Das könnte Sie auch interessieren. Jetzt vier Wochen kostenlos testen. Quelle: dpa. Kommentare 214.",
    ),
)


def dressed(article: Text, site: tuple[str, str]) -> Text:
    head, foot = site
    title = f"{article.title} | The Daily Example" if "Daily" in foot else article.title
    return Text(article.story, title, head.format(date="22 Nov 2026") + article.text + foot)


def same_topic(article: Text) -> Iterator[Pair]:
    """Two halves, and both of them around the background that a follow-up repeats."""
    pieces = sentences(article.text)
    if len(pieces) < 12:
        return
    middle, background = len(pieces) // 2, pieces[: len(pieces) // 6]
    first, second = pieces[len(background) : middle], pieces[middle:]
    for kind, common in (("halves of one article", []), ("follow-ups with one background", background)):
        a, b = (
            Text(f"{article.story}/{kind}/{at}", half[0], " ".join([*half, *common]))
            for at, half in enumerate((first, second))
        )
        yield Pair(kind, False, a, b)


def over_footer(article: Text, footer: Text, rng: random.Random) -> Text:
    words = rng.randint(60, 120) / len(article.text.split())
    below = " ".join(footer.text.split()[:150])
    return Text(article.story, article.title, f"{head_of(article.text, min(1, words))}\n{below}")


FILLINGS = 25
FORMS = """\
Weather in {place} on {day}
The weather in {place} on {day}: it stays dry at first, with a high of {n} degrees. Winds from the {wind} reach {n}
km/h in the afternoon. At night it cools down to {n} degrees, in {place2} even to {n}. The sun rises at {n}:{n} and
sets at {n}:{n}. The chance of rain is {n} per cent. These data come without guarantee and were not checked by the
editors.

{firm} shares {move} {n} per cent
Shares of {firm} ({place}) {move} {n}.{n} per cent on {day} to close at {n}.{n}, compared with {n}.{n} the day before.
The market as a whole {move} {n} points. {firm} has a market value of {n} billion and a price-earnings ratio of {n}.
Analysts at {firm2} have a target of {n} for the stock. {firm} publishes its results for the quarter on {day}. This
article was generated automatically from exchange data and may contain delays of up to 15 minutes.

{place} beat {place2} {n}-{n}
{place} won {n}-{n} against {place2} on {day} in front of {n} spectators. {name} opened the score in minute {n},
{name2} levelled it in minute {n}. After the break {name} decided the match with a second goal. {place} are now number
{n} in the table with {n} points, {place2} number {n} with {n}. On {day} {place} play against {place3} at home.

Magnitude {n} earthquake near {place}
A shallow magnitude {n}.{n} earthquake was reported on {day} {n} miles from {place}, according to the geological
survey. The temblor occurred at {n}:{n} at a depth of {n} miles. According to the survey, the epicenter was {n} miles
from {place2} and {n} miles from {place3}. In the past ten days, there have been {n} earthquakes of magnitude 3.0 or
greater centered nearby. This information comes from the notification service, and this post was created by an
algorithm written by the author.

Police report {place}: {name}
{place} (ots) - On {day} at {n}:{n} a driver aged {n} hit a parked car in the street {name} and left without caring
about the damage of about {n} euros. Witnesses are asked to call the police in {place} under {n}{n} or any other
station. Contact for the press: police headquarters {place2}, press office, {name2}, telephone {n}{n}. Original
content by the police, transmitted by the news portal.

{name} {n}.{n} released
Version {n}.{n} of {name} is out since {day}. It fixes {n} bugs and brings {n} new functions, among them better
support for {name2}. The maintainers thank {n} contributors, first of all {firm}. Users of version {n} should upgrade
soon, since a hole in the parser (CVE-{n}-{n}) allows to run code. Packages for {firm2} and {place} can be had from
the usual mirrors. The full list of changes is in the announcement; report bugs in the tracker of the project as
usual."""
"""Title and text of each, divided by an empty line."""


NOTES = """\
How we write this: the numbers come from an official source in {place} and are put into words by a program of the
newsroom, which people check at random. What it says can be out of date when you read it, since the source corrects its
data for some days. Please tell us by mail if you find a mistake; the desk in {place2} answers within one working day.
All numbers are rounded, and all times are local. You may use this text freely as long as you name us and our source."""


def fill(form: str, number: int) -> Text:
    """The form with names and numbers of its own; a name that it says twice is the same one."""
    rng = random.Random(f"{SEED} {number} {form}")
    values = {
        **{key: _name(rng) for key in ("place", "place2", "place3", "name", "name2", "firm", "firm2")},
        "day": rng.choice(("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")),
        "wind": rng.choice(("North", "South", "East", "West")),
        "move": rng.choice(("rose", "fell")),
    }
    filled = re.sub(r"\{n\}", lambda _: str(rng.randint(1, 60)), form).format(**values)
    title, text = filled.split("\n", 1)
    return Text(f"{title} {number}", title, text)


def _name(rng: random.Random) -> str:
    return "".join(rng.choice(("ba", "ker", "lin", "mo", "nau", "ra", "sel", "ti")) for _ in range(3)).capitalize()


def report(pairs: Sequence[Pair], console: Console) -> bool:
    table = Table("pairs", "are", "how many", "said the same", "right", box=None)
    by_kind: dict[tuple[str, bool], list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_kind[pair.kind, pair.is_same].append(pair)
    for (kind, is_same), of_kind in sorted(by_kind.items(), key=lambda item: (not item[0][1], item[0][0])):
        said = sum(pair.said_same for pair in of_kind)
        right = said if is_same else len(of_kind) - said
        are = "the same" if is_same else "different"
        table.add_row(kind, are, f"{len(of_kind):,}", f"{said:,}", f"{right / len(of_kind):.3f}")
    console.print(table)
    found = sum(pair.said_same for pair in pairs if pair.is_same)
    wanted = sum(pair.is_same for pair in pairs)
    confused = {frozenset((pair.a, pair.b)) for pair in pairs if not pair.is_same and pair.said_same} | crossed(pairs)
    precision, recall = found / max(1, found + len(confused)), found / max(1, wanted)
    for one, other in sorted(sorted(text.title[:60] for text in pair) for pair in confused)[:20]:
        console.print(f"not the same: {one!r} and {other!r}", markup=False, soft_wrap=True)
    for pair in [pair for pair in pairs if pair.is_same and not pair.said_same][:20]:
        console.print(f"not found, {pair.kind}: {pair.a.title[:60]!r}", markup=False, soft_wrap=True)
    console.print(
        f"TOTAL {wanted:,} pairs the same and {len(pairs) - wanted:,} different: precision {precision:.4f} (at least "
        f"{LEAST_PRECISION}), recall {recall:.4f} (at least {LEAST_RECALL})",
        markup=False,
        soft_wrap=True,
    )
    return precision >= LEAST_PRECISION and recall >= LEAST_RECALL


def crossed(pairs: Sequence[Pair]) -> set[frozenset[Text]]:
    """Texts of different stories that an index of all texts takes for one."""
    texts = list(dict.fromkeys(text for pair in pairs if pair.is_same for text in (pair.a, pair.b)))
    by_key: dict[int, list[Text]] = defaultdict(list)
    for text in texts:
        for key in text.found.keys:
            by_key[key].append(text)
    shared = {frozenset(both) for sharing in by_key.values() for both in combinations(sharing, 2)}
    shared -= {frozenset((pair.a, pair.b)) for pair in pairs if pair.is_same}
    return {pair for pair in shared if len({text.story for text in pair}) == 2 and is_found(*pair)}
