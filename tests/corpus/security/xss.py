"""Scripts in markup: each attack as an article, as the title of a story and of a book, and in an entry of a feed.

Nothing active may be left for lexbor's parser to find: in the article, in the letter, in the answer, in the e-book. The
sets state what their own sanitisers leave, which keep more than we do (`style`, `data:`, forms); that is not held
against ours. Where they say nothing active is in what is left, nothing is in ours.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from zipfile import ZipFile

from core.mail.answer import Answer, Block, Fact, Facts, Item, Items, Paragraph, Result, Step, Steps
from core.mail.compose import AnswerContext, compose_answer
from core.mail.outgoing import Identity
from core.news.issue import Story
from core.news.letter import LetterContext, compose_letter
from core.news.paper import make_paper
from core.news.reading import read_feed
from core.news.sanitise import sanitise
from tests.corpus.html import BASE, active_content
from tests.corpus.manifest import read_manifest
from tests.corpus.security import _outcome
from tests.corpus.security._outcome import Outcome
from tests.factories.issues import make_issue, make_story, parsed
from tests.factories.rows import NOW

SETS = ("xss-bleach", "xss-dompurify", "xss-feedparser-sanitize", "xss-html5lib", "xss-patt")

AT_ONCE = 100  # attacks in one letter, one answer and one book
_IDENTITY = Identity(address="books@inkpost.example", name="Inkpost")
_READER, _REPLY_TO = "anna@reader.example", "books+s3cret@inkpost.example"
_OURS = re.compile(r"style of |(?:href|src)=[^:]*\Z")
"""css_inline's, and what leads from one place of the mail or the book to another."""
Make = Callable[[Sequence[Story]], list[str]]
_PAGES = (".xhtml", ".opf", ".ncx")


def run_set(folder: Path) -> Iterator[Outcome]:
    """A case is a file with all its attacks."""
    expected = {row["file"]: str(row["expected"]) for row in read_manifest(folder.parent)}
    stories = {
        file.name: list(_stories(file, expected=expected.get(f"{folder.name}/{file.name}", "")))
        for file in sorted(folder.iterdir())
    }
    wrong: dict[str, list[str]] = {
        case: [f"{one} of {story.title[:80]!r}" for story in found for one in active_content(story.reading.html)]
        for case, found in stories.items()
    }
    for name, make in (("letter", _letter), ("answer", _answer), ("paper", _paper)):
        for case, problem in _left_over(make, [(case, story) for case, found in stories.items() for story in found]):
            wrong[case].append(f"{problem} in the {name}")
    for case, problems in wrong.items():
        yield Outcome(case, _outcome.Result.FAILED, "; ".join(problems[:3])) if problems else Outcome(case)


def _stories(file: Path, *, expected: str) -> Iterator[Story]:
    text = file.read_text("utf-8", "replace")
    if "entries[" in expected or "feed[" in expected:
        yield from _of_feed(file)
        return
    for attack in dict.fromkeys([*attacks(file.suffix, text), text]):
        yield make_story(1, html=attack, title=_line(attack))


def attacks(suffix: str, text: str) -> Sequence[str]:
    """Those that a file holds: JSON's strings, `#data` of html5lib's, what stands above bleach's `--`, or lines."""
    match suffix:
        case ".json":
            return [one for one in json.loads(text).values() if isinstance(one, str)]
        case ".dat":
            return re.findall(r"#data\n(.*?)\n#errors", text, re.DOTALL)
        case ".test":
            return [text.partition("\n--")[0]]
        case ".svg":
            return []
        case _:
            return text.splitlines()


def _left_over(make: Make, cases: Sequence[tuple[str, Story]]) -> Iterator[tuple[str, str]]:
    """By case, what is active in what is made of its stories, and is not our own."""
    for at in range(0, len(cases), AT_ONCE):
        some = cases[at : at + AT_ONCE]
        if not _more(make, [story for _, story in some]):
            continue
        yield from ((case, one) for case, story in some for one in _more(make, [story]))


def _more(make: Make, stories: Sequence[Story]) -> list[str]:
    """More of it on a page than our templates have for as many tame stories."""
    numbered = [replace(story, number=number) for number, story in enumerate(stories, 1)]
    return list(_most(make(numbered)) - _tame(make, len(stories)))


@cache
def _tame(make: Make, count: int) -> Counter[str]:
    return _most(make([make_story(number) for number in range(1, count + 1)]))


def _most(pages: Sequence[str]) -> Counter[str]:
    found = Counter[str]()
    for page in pages:
        found |= Counter(one for one in active_content(page) if not _OURS.match(one))
    return found


def _line(text: str) -> str:
    """As a title comes out of a feed: its characters, in a line."""
    return " ".join(text.split())[:500] or "untitled"


def _letter(stories: Sequence[Story]) -> list[str]:
    context = LetterContext(
        identity=_IDENTITY,
        reference="K7Q29-FDM3X",
        now=NOW,
        user_address=_READER,
        user_name=stories[0].title,
        reply_address=_REPLY_TO,
    )
    hostile = [replace(story, feed=story.title, section=story.title, authors=(story.title,)) for story in stories]
    issue = make_issue(hostile, title=stories[0].title)
    return [_html(parsed(compose_letter(issue, context=context).head))]


def _answer(stories: Sequence[Story]) -> list[str]:
    context = AnswerContext(
        identity=_IDENTITY,
        reference="K7Q29-FDM3X",
        now=NOW,
        user_address=_READER,
        user_name=stories[0].title,
        reply_address=_REPLY_TO,
        original_subject=stories[0].title,
    )
    titles = [story.title for story in stories]
    items = tuple(Item(number, one, one, (Step(one, one),), command=one) for number, one in enumerate(titles, 1))
    blocks: tuple[Block, ...] = (
        Items(items, item_ids=tuple(range(len(items))), total=len(items)),
        Facts(tuple(Fact(one, one) for one in titles)),
        *(Paragraph(one) for one in titles),
        Steps(tuple(Step(one, one) for one in titles)),
    )
    return [_html(parsed(compose_answer([Result(titles[0], Answer(titles[0], blocks))], context=context).head))]


def _paper(stories: Sequence[Story]) -> list[str]:
    """The pages of the e-book, as a reader reads them that takes them for HTML."""
    with tempfile.TemporaryDirectory() as place:
        parts = make_paper(make_issue(list(stories), title=stories[0].title), folder=Path(place))
        pages = []
        for part in parts:
            with ZipFile(part.path) as book:
                pages += [book.read(name).decode() for name in book.namelist() if name.endswith(_PAGES)]
    return pages


def _html(message: EmailMessage) -> str:
    part = message.get_body(("html",))
    assert part is not None
    return str(part.get_content())


def _of_feed(file: Path) -> Iterator[Story]:
    """A feed is read whatever is in it; its texts go where texts of feeds go."""
    found = read_feed(file.read_bytes(), url=BASE, headers={}, known=frozenset())
    for entry in found.entries:
        yield make_story(1, title=entry.title or "untitled", reading=entry.reading, feed=found.title or "untitled")
    yield make_story(1, title=found.title or "untitled", reading=sanitise(found.title, base_url=BASE))
