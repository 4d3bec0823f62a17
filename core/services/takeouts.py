"""All that is kept about somebody, for them: what goes into it, and into which mails."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core import jobs
from core.errors import TooMuch
from core.i18n import _
from core.mail.outgoing import attachment_name
from core.models import Book, Inbound, Subscription, Takeout, User
from core.models.belongings import rows_about
from core.news.opml import OpmlFeed, write_opml
from core.services.household import is_public
from core.services.needs import doom_unneeded
from core.work import Work

MOST_A_DAY = 10  # of one person: each may be some hundred megabytes, made and mailed
KEPT_FOR = timedelta(days=7)  # longer than the relay is tried for: 4.5 days
MAILS_AT_ONCE = 10
"""Mails of one page; who has more to fetch asks for the next."""
ROWS_A_FILE = 5000  # of a table; a row of a book is half a kilobyte
COMPRESSION = 6  # zlib's own default
ZIP_ENTRY_BYTES = 500  # APPNOTE 4.3.7 and 4.3.12: 76 bytes and twice the name, which has at most 200


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a takeout: in hand, a blob, or the text of a mail in its row."""

    name: str
    size_bytes: int
    """At most, in an archive."""
    content: bytes | None = None
    key: str | None = None
    inbound_id: int | None = None


@dataclass(frozen=True, slots=True)
class Contents:
    """All that a takeout has."""

    files: tuple[Entry, ...]
    """Rows, settings, feeds and mails: small, and first."""
    books: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Which mail carries what; `too_large` goes into none."""

    parts: tuple[tuple[Entry, ...], ...]
    too_large: tuple[Entry, ...]


class Takeouts:
    """Takeouts in one transaction."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._session = work.session

    def ask(self, user_id: int, *, page: int, cause: str) -> Takeout:
        """Have one made, once for each `cause`. Raises `TooMuch`."""
        mine = sa.select(sa.func.count(Takeout.id)).where(
            Takeout.user_id == user_id, Takeout.created_at > self._work.now - timedelta(days=1)
        )
        if (self._session.scalar(mine) or 0) >= MOST_A_DAY:
            raise TooMuch(
                _("You have had your data {count} times in 24 hours.").format(count=MOST_A_DAY),
                fix=_("Ask again tomorrow."),
                code="export.too-often",
            )
        row = Takeout(user_id=user_id, cause=cause, page=page, keys=[], created_at=self._work.now)
        self._session.add(row)
        self._session.flush()
        self._work.defer(jobs.make_takeout(row.id))
        return row

    def forget_old(self) -> None:
        """Those that have surely been mailed; their blobs are doomed."""
        old = self._session.scalars(sa.select(Takeout).where(Takeout.created_at < self._work.now - KEPT_FOR)).all()
        keys = [key for row in old for key in row.keys]
        for row in old:
            self._session.delete(row)
        self._session.flush()
        doom_unneeded(self._work, keys)


def contents_of(session: Session, user: User, *, now: datetime) -> Contents:
    """Everything about a person. Reads all of their rows: not for a transaction that others wait for."""
    rows = rows_about(session, user.id)
    mine = session.scalars(Subscription.of_user(user.id)).all()
    feeds = (OpmlFeed(url=one.feed.url, title=one.name, section=one.section) for one in mine if is_public(one.feed.url))
    settings = {name: value for name, value in rows["user"][0].items() if name != "id"}
    files = [
        _file("settings.json", _json(settings)),
        _file("feeds.opml", write_opml(feeds, title=user.name or user.address, made_at=now)),
        *(one for table, found in rows.items() for one in _table(table, found)),
        *_mails(session, user.id),
    ]
    return Contents(tuple(files), tuple(_books(session, user.id)))


def plan_parts(contents: Contents, *, budget_bytes: int) -> Plan:
    """Divide a takeout among archives of at most `budget_bytes`, in order; each file whole in one of them. Pure."""
    parts: list[list[Entry]] = [[]]
    too_large, room = [], budget_bytes
    for entry in (*contents.files, *contents.books):
        size = entry.size_bytes + ZIP_ENTRY_BYTES
        if size > budget_bytes:
            too_large.append(entry)
            continue
        if size > room:
            parts.append([])
            room = budget_bytes
        parts[-1].append(entry)
        room -= size
    return Plan(tuple(tuple(part) for part in parts), tuple(too_large))


def text_of(session: Session, inbound_id: int) -> bytes:
    """Of a mail, b"" where it has been forgotten since."""
    return session.scalar(sa.select(Inbound.raw).where(Inbound.id == inbound_id)) or b""


def _file(name: str, content: bytes) -> Entry:
    return Entry(name, len(zlib.compress(content, COMPRESSION)), content=content)


def _table(name: str, rows: Sequence[dict[str, Any]]) -> Iterator[Entry]:
    """In files that each fit into a mail, however many rows there are."""
    for number, start in enumerate(range(0, len(rows), ROWS_A_FILE), start=1):
        yield _file(f"rows/{name}-{number}.json", _json(rows[start : start + ROWS_A_FILE]))


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "replace")


def _mails(session: Session, user_id: int) -> Iterator[Entry]:
    """The mails of theirs whose text is kept in the row; larger ones carry the books that are here anyway."""
    mine = sa.select(Inbound.id, Inbound.reference, Inbound.size_bytes)
    for row in session.execute(mine.where(Inbound.user_id == user_id, Inbound.raw.is_not(None)).order_by(Inbound.id)):
        yield Entry(f"mails/{row.reference}.eml", row.size_bytes, inbound_id=row.id)


def _books(session: Session, user_id: int) -> Iterator[Entry]:
    """By number, so that no two have one name."""
    for book in session.scalars(Book.of_user(user_id).order_by(Book.id)):
        name = attachment_name(
            title=book.title, authors=book.authors, storage_key=book.storage_key, extension=book.format.value
        )
        yield Entry(f"books/{book.id} {name}", book.size_bytes, key=book.storage_key)
