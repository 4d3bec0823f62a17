"""Kind `feeds`: every file read as a feed, a page and an OPML list, in the workers and limits of the service; the
entries of the feeds cleaned and fingerprinted as they are when they are kept.

Nothing but the refusals that the readers name may come of any file. Where the source states what feedparser makes of a
file, what it says of title, link, date, id and content of feed and entries is held against what we made of it.
"""

from __future__ import annotations

import ast
import asyncio
import html
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from lxml import etree
from lxml import html as lxml_html
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bot.sandbox import Sandbox, SandboxError, SandboxSettings
from core.news.discover import find_feeds
from core.news.feed import NotAFeed, parse_feed
from core.news.opml import NotOpml, read_opml
from core.news.reading import read_feed
from core.news.values import Entry, ParsedFeed
from tests.corpus.manifest import read_manifest

LEAST_SHARE = 0.95
"""Of the expectations that are met."""
MOST_SECONDS = 5.0
"""A file: one slow feed may delay no other by more."""
_STATED = "source-stated (python expr over feedparser result): "
_SERVER = "http://127.0.0.1:8097/"
"""Where feedparser's own tests are served from: its expectations name it."""
_HEADER = re.compile(rb"^Header:\s+([^:]+):(.+)$", re.MULTILINE)
_FIELDS = {
    "title": "title",
    "link": "link",
    "id": "id",
    "guid": "id",
    "content": "content",
    "summary": "content",
    "description": "content",
    "published_parsed": "date",
    "issued_parsed": "date",
    "created_parsed": "date",
    "updated_parsed": "date",
    "modified_parsed": "date",
    "date_parsed": "date",
}
_OF_FEED = {"title": "title", "link": "link"}
"""What we keep of the feed itself: its description and its dates are of no use to a paper."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """One comparison of a test: what `path`, read on feedparser's result, must equal."""

    path: tuple[str | int, ...]
    value: object

    @property
    def field(self) -> str | None:
        """Which of the five it is about; None if about none."""
        match self.path:
            case ("feed", str() as name) | ("feed", str() as name, "value"):
                return _OF_FEED.get(name.removesuffix("_detail"))
            case ("entries", int(), str() as name) | ("entries", int(), str() as name, "value"):
                return _FIELDS.get(name.removesuffix("_detail"))
            case ("entries", int(), "content", int(), "value"):
                return "content"
            case _:
                return None

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.path))} == {self.value!r}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one file."""

    file: str
    verdict: str
    seconds: float
    complaints: tuple[str, ...] = ()
    met: Counter[str] = field(default_factory=Counter)
    missed: tuple[tuple[str, str], ...] = ()
    """Field, and what was expected and found."""
    unasked: int = 0
    """Comparisons about something else."""


def run(folder: Path, *, rows: Sequence[dict[str, Any]] | None = None) -> bool:
    """Print the table and the totals; True where every expectation is met."""
    outcomes = asyncio.run(_read_all(folder, rows or read_manifest(folder)))
    return _report(outcomes)


async def _read_all(folder: Path, rows: Sequence[dict[str, Any]]) -> list[Outcome]:
    sandbox = Sandbox(SandboxSettings(workers=1), preload=("core.news.feed", "feedparser", "chardet", "lxml.html"))
    try:
        console = Console(stderr=True)
        return [await _read(sandbox, folder, row) for row in track(rows, description="files", console=console)]
    finally:
        await sandbox.close()


async def _read(sandbox: Sandbox, folder: Path, row: dict[str, Any]) -> Outcome:
    body = await asyncio.to_thread((folder / row["file"]).read_bytes)
    url = urljoin(_SERVER, str(row.get("source_path") or row["file"]))
    headers = stated_headers(body)
    started = time.monotonic()
    try:
        verdict, found = await sandbox.run(read_as_all, body, url=url, headers=headers, timeout_seconds=MOST_SECONDS)
    except Exception as error:  # noqa: BLE001 - this is what the program is to find
        kind = "killed" if isinstance(error, SandboxError) else "exception"
        return Outcome(row["file"], kind, time.monotonic() - started, (f"{kind}: {error!r}",))
    seconds = time.monotonic() - started
    met: Counter[str] = Counter()
    missed, unasked = [], 0
    for expectation in expectations(str(row.get("expected", ""))):
        about = expectation.field
        if about is None:
            unasked += 1
        elif (wrong := differs(found, expectation, about=about)) is None:
            met[about] += 1
        else:
            missed.append((about, f"{expectation}, and is {wrong}"))
    return Outcome(row["file"], verdict, seconds, met=met, missed=tuple(missed), unasked=unasked)


def read_as_all(body: bytes, *, url: str, headers: dict[str, str]) -> tuple[str, ParsedFeed | None]:
    """In the worker. Whatever it is, it is read as a page and as a list too: anything may stand at an address."""
    find_feeds(body, url=url, headers=headers)
    verdict, found = "neither", None
    try:
        found = parse_feed(body, url=url, headers=headers)
        verdict = "feed"
        read_feed(body, url=url, headers=headers, known=frozenset())
    except NotAFeed:
        pass
    try:
        read_opml(body)
        verdict = "opml" if found is None else verdict
    except NotOpml:
        pass
    return verdict, found


def stated_headers(body: bytes) -> dict[str, str]:
    """The response headers that a test of feedparser's names in its comment."""
    found = ((name.decode("latin-1").strip().lower(), value) for name, value in _HEADER.findall(body[:2000]))
    return {name: value.decode("latin-1").strip() for name, value in found}


def expectations(stated: str) -> Iterator[Expectation]:
    """The equations of a test, which is a Python expression: read, never run."""
    if not stated.startswith(_STATED):
        return
    try:
        tree = ast.parse(stated.removeprefix(_STATED).strip(), mode="eval").body
    except SyntaxError:
        return
    for term in tree.values if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And) else [tree]:
        match term:
            case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]):
                path = _path(left)
                try:
                    value = ast.literal_eval(right)
                except ValueError:
                    continue
                if path:
                    yield Expectation(path, value)


def _path(node: ast.expr) -> tuple[str | int, ...]:
    match node:
        case ast.Name(id=name):
            return (name,)
        case ast.Attribute(value=inner, attr=name):
            return (*_path(inner), name)
        case ast.Subscript(value=inner, slice=ast.Constant(value=str() | int() as key)):
            return (*_path(inner), key)
        case ast.Call(func=ast.Attribute(value=inner, attr="get"), args=[ast.Constant(value=str() as key), *_]):
            return (*_path(inner), key)
        case _:
            return ()


def differs(found: ParsedFeed | None, expectation: Expectation, *, about: str) -> str | None:
    """What stands there instead of what is expected, or None."""
    if found is None:
        return "no feed"
    if expectation.path[0] == "feed":
        return _differs_in(expectation.value, {"title": [found.title], "link": [found.site_url]}[about], about)
    number = int(expectation.path[1])
    if number >= len(found.entries):
        return f"one of {len(found.entries)} entries"
    return _entry_differs(found.entries[number], expectation, about)


def _entry_differs(entry: Entry, expectation: Expectation, about: str) -> str | None:
    match about:
        case "content":
            wanted = {_substance(str(expectation.value), entry.base_url), _text_only(str(expectation.value))}
            here = [_substance(one, entry.base_url) for one in (entry.content, entry.summary)]
            return None if wanted & set(here) else repr((entry.content, entry.summary))
        case "date":
            is_update = str(expectation.path[2]).startswith(("updated", "modified", "date"))
            when = entry.updated_at if is_update else entry.published_at
            return _differs_in(_instant(expectation.value), [when], about)
        case _:
            here_too = {"title": entry.title, "link": entry.url, "id": entry.guid}[about]
            return _differs_in(expectation.value, [here_too], about)


def _differs_in(wanted: object, here: Sequence[object], about: str) -> str | None:
    """A title is a line of plain text here, and HTML or plain text there, it does not say which."""
    accepted = {wanted}
    if about == "title" and isinstance(wanted, str):
        accepted = {_line(wanted), _line(_substance(wanted, "")[0])}
    return None if accepted & set(here) else repr(here[0])


def _line(value: str) -> str:
    return " ".join(value.split())


def _instant(value: object) -> datetime | None:
    return datetime(*value[:6]).replace(tzinfo=UTC) if isinstance(value, tuple) else None


def _text_only(value: str) -> tuple[str, tuple[str, ...]]:
    return _line(value), ()


def _substance(value: str, base: str) -> tuple[str, tuple[str, ...]]:
    """What a reader gets of HTML: its text, and where its links and pictures lead."""
    try:
        tree: Any = lxml_html.fromstring(f"<div>{value}</div>")
    except (etree.ParserError, ValueError):
        return _line(html.unescape(value)), ()
    for dead in tree.xpath("//script|//style"):
        dead.drop_tree()
    addresses = [urljoin(base, address.strip()) for _, _, address, _ in tree.iterlinks()]
    return _line(tree.text_content()), tuple(addresses)


def _report(outcomes: Sequence[Outcome]) -> bool:
    console = Console()
    table = Table("set", "feeds", "opml", "neither", "broken", "met", "missed", "slowest", box=None)
    for name in sorted({outcome.file.split("/")[0] for outcome in outcomes}):
        mine = [outcome for outcome in outcomes if outcome.file.split("/")[0] == name]
        verdicts = Counter(outcome.verdict for outcome in mine)
        table.add_row(
            name,
            *(str(verdicts[verdict]) for verdict in ("feed", "opml", "neither")),
            str(verdicts["killed"] + verdicts["exception"]),
            str(sum(outcome.met.total() for outcome in mine)),
            str(sum(len(outcome.missed) for outcome in mine)),
            f"{max(outcome.seconds for outcome in mine) * 1000:.0f} ms",
        )
    console.print(table)
    for outcome in outcomes:
        for complaint in (*outcome.complaints, *(text for _, text in outcome.missed)):
            console.print(f"{outcome.file}: {complaint}", markup=False, soft_wrap=True)
    return _totals(outcomes, console)


def _totals(outcomes: Sequence[Outcome], console: Console) -> bool:
    met = sum((outcome.met for outcome in outcomes), Counter[str]())
    missed = Counter(about for outcome in outcomes for about, _ in outcome.missed)
    asked = met.total() + missed.total()
    share = met.total() / asked if asked else 1.0
    broken = sum(bool(outcome.complaints) for outcome in outcomes)
    by_field = ", ".join(f"{about} {met[about]}/{met[about] + missed[about]}" for about in sorted(met + missed))
    times = sorted(outcome.seconds for outcome in outcomes)
    console.print(
        f"TOTAL {len(outcomes)} files: {broken} exceptions; {met.total()} of {asked} expectations met "
        f"({share:.1%}, at least {LEAST_SHARE:.0%}): {by_field}; "
        f"{sum(outcome.unasked for outcome in outcomes)} about something else; "
        f"p50 {times[len(times) // 2] * 1000:.0f} ms, max {times[-1] * 1000:.0f} ms",
        markup=False,
        soft_wrap=True,
    )
    return not broken and share >= LEAST_SHARE
