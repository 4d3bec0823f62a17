"""Feeds and lists of feeds that mean harm, in the worker that reads all feeds, with canaries; lists also over SMTP.

What a case must come to is read in its manifest's words; what no words say, nothing may be raised but our refusals.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.fetch import FetchSettings, HttpFetcher
from bot.sandbox import Sandbox, SandboxError, SandboxSettings
from core.errors import InkpostError
from core.mail.outgoing import Identity
from core.news.feed import NotAFeed
from core.news.letter import LetterContext, compose_letter
from core.news.opml import NotOpml, Opml, read_opml
from core.news.reading import Looked, ReadEntry, ReadFeed, look, read_feed
from core.news.values import FetchFailed
from core.ports import FetchLimits
from tests.corpus.canaries import connections, listening
from tests.corpus.manifest import read_manifest
from tests.corpus.security._outcome import Outcome, Result
from tests.corpus.security._watch import watched_connections
from tests.factories.issues import make_issue, make_story, parsed
from tests.factories.rows import NOW
from tests.support.service import open_house
from tests.support.web_server import Loopback

SETS = ("feed-hostile", "dmarc-reports-opendmarc")

URL = "http://example.org/feed"
SECONDS, MEMORY_MIB = 10.0, 512
"""Of the processor, and of memory: the worker is killed that takes more, which fails the case."""

_NUMBERS = {"one": 1, "two": 2, "all three": 3}
_PRIVATE = re.compile(r"root:|/bin/(?:ba)?sh|daemon:")
"""What stands in the files that they name."""


@dataclass(frozen=True, slots=True)
class Read:
    """What the readers make of a file: the feed, the list, or the refusals of both."""

    feed: ReadFeed | None
    opml: Opml | None
    looked: Looked
    refusals: tuple[str, ...]

    @property
    def entries(self) -> tuple[ReadEntry, ...]:
        return self.feed.entries if self.feed else ()

    @property
    def titles(self) -> list[str]:
        return [self.feed.title, *(entry.title for entry in self.entries)] if self.feed else []


def read_as_any(body: bytes) -> Read:
    """In the worker."""
    feed, opml, refusals = None, None, []
    try:
        feed = read_feed(body, url=URL, headers={}, known=frozenset())
    except NotAFeed as error:
        refusals.append(error.text)
    try:
        opml = read_opml(body)
    except NotOpml as error:
        refusals.append(error.text)
    return Read(feed, opml, look(body, url=URL, headers={}), tuple(refusals))


def run_set(folder: Path) -> Iterator[Outcome]:
    expected = {row["file"]: str(row["expected"]) for row in read_manifest(folder.parent)}
    files = {file: expected.get(f"{folder.name}/{file.name}", "") for file in sorted(folder.iterdir())}
    with listening() as canaries:
        for outcome in asyncio.run(_judge_all(files)):
            called = ", ".join(connections(canaries))
            yield outcome if not called else Outcome(outcome.case, Result.FAILED, called)


async def _judge_all(files: dict[Path, str]) -> list[Outcome]:
    sandbox = Sandbox(SandboxSettings(workers=1, memory_mib=MEMORY_MIB), preload=("core.news.feed", "feedparser"))
    outcomes = []
    try:
        for file, wanted in files.items():
            problems = [one async for one in _judge(sandbox, file, wanted)]
            outcomes.append(Outcome(file.name, Result.FAILED if problems else Result.AS_STATED, "; ".join(problems)))
    finally:
        await sandbox.close()
    return outcomes


async def _judge(sandbox: Sandbox, file: Path, wanted: str) -> AsyncIterator[str]:
    body = await asyncio.to_thread(file.read_bytes)
    try:
        read = await sandbox.run(read_as_any, body, timeout_seconds=SECONDS)
    except (SandboxError, InkpostError) as error:
        yield f"{type(error).__name__}: {error}"
        return
    if _PRIVATE.search(repr(read)):
        yield "tells of a file of ours"
    if header := header_defect(read.titles):
        yield header
    if not is_as(wanted, read, file):
        yield f"wanted {wanted}, got {read.refusals or [entry.url_key for entry in read.entries]}"
    if read.opml is not None and (problem := await _judge_list(read.opml, file, wanted)):
        yield problem


def is_as(wanted: str, read: Read, file: Path) -> bool:
    return any(_is_one(choice, read, file) for choice in wanted.split(" or "))


def _is_one(choice: str, read: Read, file: Path) -> bool:
    """Whether it came to one of the things that are allowed."""
    stories = {entry.url_key for entry in read.entries}
    if "clear error" in choice:
        return read.feed is None and all(text.endswith(".") and len(text) < 200 for text in read.refusals)
    if "discovery" in choice:
        return bool(read.looked.feeds)
    if "before the cut" in choice:
        return bool(stories)
    if number := next((count for word, count in _NUMBERS.items() if word in choice), 0):
        return len(stories | _sibling(file)) == number
    return True  # what else is wanted is wanted of every file


def _sibling(file: Path) -> set[str | None]:
    """The stories of the feed as it is fetched the next time, where the set has that."""
    later = file.with_name(re.sub(r"-a(?=\.\w+$)", "-b", file.name))
    return {entry.url_key for entry in read_as_any(later.read_bytes()).entries} if later.exists() else set()


def header_defect(titles: Sequence[str]) -> str:
    """Titles as they go into the fields of a letter."""
    for title in filter(None, titles):
        context = LetterContext(
            identity=Identity(address="books@inkpost.example", name="Inkpost"),
            reference="K7Q29-FDM3X",
            now=NOW,
            user_address="anna@reader.example",
            user_name=title,
            reply_address="books+s3cret@inkpost.example",
        )
        names = [
            sorted(parsed(compose_letter(make_issue([make_story(1, title=one)], title=one), context=context).head))
            for one in (title, "Tame")
        ]
        if names[0] != names[1]:
            return f"fields {names[0]} by the title {title!r}"
    return ""


async def _judge_list(opml: Opml, file: Path, wanted: str) -> str:
    """What of a list is inside is not fetched; a long one is answered once, and nobody is asked for all of it."""
    fetcher = HttpFetcher(FetchSettings(), resolver=Loopback())
    try:
        with watched_connections() as seen:
            fetched = [feed.url for feed in opml.feeds[:20] if await _is_fetched(fetcher, feed.url)]
    finally:
        await fetcher.close()
    if fetched:
        return f"fetched {', '.join(fetched)}"
    if seen:
        return f"connected to {seen}"
    return await _mail(file) if "quota" in wanted else ""


async def _is_fetched(fetcher: HttpFetcher, url: str) -> bool:
    try:
        await fetcher.fetch(url, limits=FetchLimits(body_bytes=1000, seconds=1.0))
    except FetchFailed:
        return False
    return True


async def _mail(file: Path) -> str:
    content = await asyncio.to_thread(file.read_bytes)
    with tempfile.TemporaryDirectory() as place:
        async with open_house(Path(place)) as house:
            ada = await house.person()
            with watched_connections() as seen:
                answer = await ada.asks("subscribe", attach=[(file.name, content)])
                await house.settle()
            answers = len(house.world.mails)
    hosts = {address for address, _ in seen} - {"127.0.0.1", "::1"}
    if answers != 1 or "skipped" not in answer.subject + answer.text:
        return f"{answers} answers: {answer.text[:200]!r}"
    return f"connected to {len(hosts)} hosts" if hosts else ""
