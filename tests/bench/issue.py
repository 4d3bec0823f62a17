"""A paper of 200 stories with 200 pictures, from rows to EPUB: `python -m tests.bench issue`

First the reader's stories are chosen and loaded from the database, then the EPUB is written and checked, as the worker
does it, in a process of its own whose peak of memory is shown. Pictures are there already, fitted, as they are when the
job comes to the book; they are weighed against what a Kindle takes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import pickle
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table
from sqlalchemy.orm import Session

from bot.news.issues import BASE64, MAIL_OVERHEAD
from core.db import Base, create_engine
from core.devices import DEVICE_KINDS
from core.events import EventBus
from core.models import Article, ArticleText, Digest, User
from core.news.issue import FittedPicture, Issue
from core.news.sanitise import sanitise
from core.services.digests import Digests
from core.services.gathering import gather
from core.services.news_aggregator import NewsAggregator
from core.work import Work
from tests.bench._issue_child import build
from tests.factories.feeds import story_text
from tests.factories.issues import make_picture, picture_url

NOW = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
WORDS = 600
AIMS = {"seconds": 1.5, "memory": 150.0}
CAP_BYTES = int((DEVICE_KINDS["kindle"].max_mail_bytes - MAIL_OVERHEAD) / BASE64)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench issue")
    parser.add_argument("--stories", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--short", action="store_true", help="20 stories, once")
    options = parser.parse_args(argv)
    if options.short:
        options.stories, options.rounds = 20, 1
    with tempfile.TemporaryDirectory() as folder:
        _fill(Path(folder), stories=options.stories)
        rounds = [_round(Path(folder)) for _ in range(options.rounds)]
    best = min(rounds, key=lambda one: one["rows"] + one["book"])
    table = Table(f"{options.stories} stories, as many pictures", "best", "aim")
    table.add_row("from rows to values, s", f"{best['rows']:.2f}", "")
    table.add_row("from values to the EPUB, checked, s", f"{best['book']:.2f}", "")
    table.add_row("both, s", f"{best['rows'] + best['book']:.2f}", f"{AIMS['seconds']}")
    table.add_row("both, s of processor time", f"{best['cpu']:.2f}", "")
    table.add_row("memory at the peak, MB", f"{best['peak']:.0f}", f"{AIMS['memory']:.0f}")
    table.add_row("size of the EPUB, MB", f"{best['size']:.1f} in {best['parts']:.0f}", "")
    Console().print(table)
    return 0


def _fill(folder: Path, *, stories: int) -> None:
    db = create_engine(f"sqlite:///{folder / 'issue.db'}")
    Base.metadata.create_all(db)
    with Session(db) as session, session.begin():
        work = Work(session, NOW - timedelta(days=1), EventBus())
        user = User(address="ada@reader.test", name="Ada", timezone="UTC", created_at=work.now)
        session.add(user)
        session.flush()
        news = NewsAggregator(work)
        feeds = [news.add_feed(f"https://feed{number}.test/") for number in range(10)]
        for number, feed in enumerate(feeds):
            news.subscribe(user.id, feed, name=f"Feed {number}", section=f"Section {number % 4}")
        for number in range(stories):
            html = f'<p><img src="{picture_url(number)}"></p>' + story_text(number, words=WORDS)
            reading = sanitise(html, base_url="https://feed.test/", language="en")
            article = Article(
                feed_id=feeds[number % 10].id, entry_key=str(number), url=f"https://feed.test/{number}",
                title=f"Story {number} of the harbour", authors=["Ada Byron"], language="en", words=reading.words,
                pictures=list(reading.pictures), published_at=work.now, dated_at=work.now, first_seen_at=work.now,
            )  # fmt: skip
            session.add(article)
            session.flush()
            article.story_id = article.id
            session.add(ArticleText.of(article.id, html=reading.html, text=reading.text))
        digest = Digests(work).ensure(user.id)
        digest.max_articles, digest.min_quality = 500, 0
    db.dispose()
    for number in range(stories):
        (folder / f"{number}.jpg").write_bytes(make_picture(number).content)


def _round(folder: Path) -> dict[str, float]:
    db = create_engine(f"sqlite:///{folder / 'issue.db'}")
    cpu, started = time.process_time(), time.perf_counter()
    issue = _load(db)
    rows, rows_cpu = time.perf_counter() - started, time.process_time() - cpu
    db.dispose()
    (folder / "issue.pickle").write_bytes(pickle.dumps(_with_pictures(issue, folder)))
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=build, args=(theirs, folder), kwargs={"cap_bytes": CAP_BYTES})
    process.start()
    theirs.close()
    found: dict[str, float] = ours.recv()
    process.join()
    return {**found, "rows": rows, "cpu": found["cpu"] + rows_cpu}


def _load(db: sa.Engine) -> Issue:
    with Session(db) as session:
        digest = session.scalars(sa.select(Digest)).one()
        return gather(session, digest, local_date=date(2026, 11, 23), now=NOW, slot="2026-11-23").issue


def _with_pictures(issue: Issue, folder: Path) -> Issue:
    pictures = {
        url: FittedPicture(
            media_type="image/jpeg", content=(folder / url.rpartition("/")[2]).read_bytes(), width=800, height=600
        )
        for story in issue.stories
        for url in story.reading.pictures
    }
    return replace(issue, pictures=pictures)
