"""Search over 100,000 and 1,000,000 books, of one owner and of a thousand. `python -m tests.bench search`

Titles and descriptions are made of words as frequent as in real texts (Zipf's law over 60,000 made-up words behind the
commonest English ones), so that "the" is in nearly every description and most words are rare. Time is of the whole
method, rows loaded, in a warm process; queries that find nothing are counted as well.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import random
import re
import string
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sqlalchemy.orm import Session

from core.db import Base, create_engine
from core.models import Book, Shelf, Spelling, User
from core.pages import fetch_page
from core.values import BookFormat
from tests.factories.rows import NOW
from tests.support.postgres import database_to_measure

STOP_WORDS = re.findall(
    r"\w+", "the of and a to in is that it was for on as with his he be at by i this had not are but from or have"
)
SYLLABLES = [
    c + v
    for c in ("b", "br", "c", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "st", "t", "v")
    for v in "aeiou"
]
VOCABULARY = 60_000
SURNAMES = 30_000
BATCH = 10_000
TITLE_WORDS = (1, 2, 3, 3, 4, 4, 5, 6)
DESCRIPTION_WORDS = 25
QUERIES = 200


@dataclass(frozen=True)
class Language:
    """Words by how frequent they are, the commonest first, and people's names."""

    words: Sequence[str]
    weights: Sequence[float]
    names: Sequence[str]

    @classmethod
    def make(cls, rng: random.Random) -> Language:
        made = sorted({_word(rng) for _ in range(VOCABULARY)})
        rng.shuffle(made)
        words = [*STOP_WORDS, *made]
        weights = list(itertools.accumulate(1 / (rank + 2.7) for rank in range(len(words))))
        return cls(words, weights, [_word(rng).title() for _ in range(SURNAMES)])

    def text(self, rng: random.Random, count: int) -> str:
        return " ".join(rng.choices(self.words, cum_weights=self.weights, k=count))


def _word(rng: random.Random) -> str:
    return (
        "".join(rng.choice(SYLLABLES) for _ in range(rng.choice((2, 2, 3, 3, 3, 4)))) + rng.choice("nrstlmd ").strip()
    )


def make_rows(language: Language, rng: random.Random, *, books: int, owners: int) -> Iterator[dict[str, Any]]:
    for number in range(books):
        sha256 = hashlib.sha256(b"%d" % number).hexdigest()
        yield {
            "user_id": number % owners + 1,
            "title": language.text(rng, rng.choice(TITLE_WORDS)).title(),
            "authors": [f"{rng.choice(language.names)} {rng.choice(language.names)}"],
            "description": language.text(rng, DESCRIPTION_WORDS),
            "identifiers": [],
            "tags": [],
            "format": BookFormat.EPUB,
            "filename": "book.epub",
            "size_bytes": 1_000_000,
            "sha256": sha256,
            "work_key": sha256,
            "storage_key": f"books/{sha256}",
            "added_at": NOW,
        }


def build(engine: sa.Engine, language: Language, *, books: int, owners: int, console: Console) -> float:
    """Fill an empty database as fast as it goes, triggers and all; returns the seconds that it took."""
    rng = random.Random(books)
    Base.metadata.create_all(engine)
    started = time.perf_counter()
    with Session(engine) as session:
        session.add_all(User(address=f"reader{n}@example.org", created_at=NOW) for n in range(owners))
        session.flush()
        rows = make_rows(language, rng, books=books, owners=owners)
        for _ in track(range(books // BATCH), f"{books:,} books of {owners:,}", console=console):
            session.execute(sa.insert(Book), list(itertools.islice(rows, BATCH)))
        for start in range(0, len(language.words), 1000):
            Spelling.learn(session, language.words[start : start + 1000])
        for start in range(0, len(language.names), 1000):
            Spelling.learn(session, language.names[start : start + 1000])
        session.commit()
    with engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE")
        connection.commit()
    return time.perf_counter() - started


def make_queries(language: Language, rng: random.Random) -> dict[str, list[str]]:
    """Queries by kind."""
    rare, middling = language.words[5_000:40_000], language.words[200:2_000]

    def several(make: Callable[[], str]) -> list[str]:
        return [make() for _ in range(QUERIES)]

    return {
        "rare word": several(lambda: rng.choice(rare)),
        "middling word": several(lambda: rng.choice(middling)),
        "two words": several(lambda: f"{rng.choice(middling)} {rng.choice(middling)}"),
        "author": several(lambda: rng.choice(language.names)),
        "beginning, 2-3 letters": several(lambda: rng.choice(middling)[: rng.choice((2, 3))]),
        "beginning, 4-6 letters": several(lambda: rng.choice(middling)[: rng.choice((4, 5, 6))]),
        "stop word": several(lambda: rng.choice(STOP_WORDS)),
        "three stop words": several(lambda: " ".join(rng.sample(STOP_WORDS, 3))),
        "stop word and rare word": several(lambda: f"{rng.choice(STOP_WORDS)} {rng.choice(rare)}"),
        "misspelt word": several(lambda: misspell(rng.choice([w for w in middling if len(w) > 4]), rng)),
        "misspelt author": several(lambda: misspell(rng.choice(language.names), rng)),
    }


def misspell(word: str, rng: random.Random) -> str:
    """One slip: a letter other, less or more, or two changed about."""
    place = rng.randrange(1, len(word) - 1)
    letter = rng.choice(string.ascii_lowercase)
    match rng.randrange(4):
        case 0:
            return word[:place] + letter + word[place + 1 :]
        case 1:
            return word[:place] + word[place + 1 :]
        case 2:
            return word[:place] + letter + word[place:]
        case _:
            return word[:place] + word[place + 1] + word[place] + word[place + 2 :]


def find(session: Session, query: str, *, user_id: int) -> int:
    """As `BookManager.find` does it."""
    found = Book.search(session, query, user_id=user_id, limit=50)
    if not found and (nearly := Book.respell(session, query, user_id=user_id)) is not None:
        found = Book.search(session, nearly, user_id=user_id, limit=50)
    return len(found)


def turn_to(session: Session, *, page: int) -> int:
    """As `BookManager.list_page` does it."""
    total, _ = Shelf.totals(session, 1)
    return len(fetch_page(session, Book.of_user(1).order_by(Book.id.desc()), page=page, total=total).rows)


def timed(act: Callable[[], int]) -> tuple[float, int]:
    started = time.perf_counter()
    count = act()
    return (time.perf_counter() - started) * 1000, count


def measure(engine: sa.Engine, language: Language, *, books: int, owners: int) -> Table:
    rng = random.Random(owners)
    table = Table("ms", "p50", "p99", "worst", "found", title=f"{books:,} books of {owners:,} ({engine.dialect.name})")
    readers = engine.execution_options(read_only=True)

    def add_row(kind: str, acts: Sequence[Callable[[Session], int]]) -> None:
        results = []
        for act in acts:
            with Session(readers) as session:  # a connection's caches stay, a session's do not
                results.append(timed(partial(act, session)))
        times = sorted(milliseconds for milliseconds, _ in results)
        p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
        found = sum(count > 0 for _, count in results) / len(results)
        table.add_row(kind, f"{p50:.2f}", f"{p99:.2f}", f"{times[-1]:.2f}", f"{found:.0%}")

    for kind, queries in make_queries(language, rng).items():
        asked = [(query, rng.randint(1, owners)) for query in queries]
        acts = [partial(find, query=query, user_id=user) for query, user in asked]
        add_row(kind, acts)
    pages = books // owners // 20
    for kind, page in (("first page of the list", 1), ("middle page", pages // 2), ("last page", pages)):
        add_row(kind, [partial(turn_to, page=page)] * 20)
    return table


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--books", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--owners", type=int, nargs="+", default=[1, 1_000])
    parser.add_argument("--database", default="", help="postgresql://… (empty), or wheel; SQLite where not given")
    parser.add_argument("--short", action="store_true", help="20,000 books, to see that it runs")
    arguments = parser.parse_args(argv)
    if arguments.short:
        arguments.books, arguments.owners = [20_000], [1]
    console = Console()
    language = Language.make(random.Random(7))
    for books, owners in itertools.product(arguments.books, arguments.owners):
        with tempfile.TemporaryDirectory() as folder, database_to_measure(arguments.database) as url:
            engine = create_engine(url or f"sqlite:///{Path(folder)}/books.db")
            seconds = build(engine, language, books=books, owners=owners, console=console)
            size = f", {(Path(folder) / 'books.db').stat().st_size / 1e6:.0f} MB" if not url else ""
            console.print(f"{books / seconds:,.0f} books/s{size}")
            console.print(measure(engine, language, books=books, owners=owners))
            Base.metadata.drop_all(engine)
            engine.dispose()
    return 0
