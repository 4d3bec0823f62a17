"""Full text over one user's books, by SQLite's FTS5 or PostgreSQL's tsvector; the index is `core.models.book_index`.

Ranking is by where the words stand, not by statistics: a book called exactly so, then titles with all the words, the
shorter first, then other names (authors, series, genre, tags), then descriptions; the newest first where that is equal.
bm25 reads every occurrence of every word before it can rank one book, which for the words that all books have is the
time of 50 searches.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from functools import partial
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.models.book_index import USER_BITS
from core.models.spelling import Spelling, folded, folded_words, words_of

MAX_WORDS: Final = 12  # of a query: more than any title that somebody types
PREFIX_LETTERS: Final = 2  # a shorter last word is looked up whole: its beginnings would be half the dictionary
RANKED: Final = 500  # matches, the newest, whose titles are read to rank them
GUESSES: Final = 8  # nearly alike words that are looked up in the user's books


class Text(enum.StrEnum):
    """What of a book is searched."""

    NAMES = "names"
    WORDS = "words"
    """The names and the description."""


# `text` is one of two constants; what a user wrote comes as a parameter only. CROSS JOIN: in this order.
_SQLITE = {
    text: sa.text(
        f"SELECT book.id, book.title FROM book_fts_{text} AS found "
        f"CROSS JOIN book ON book.id = found.rowid & {(1 << USER_BITS) - 1} WHERE book_fts_{text} MATCH :query AND "
        f"found.rowid BETWEEN (:user_id << {USER_BITS}) AND (:user_id << {USER_BITS}) + {(1 << USER_BITS) - 1} "
        "ORDER BY found.rowid DESC LIMIT :limit"
    )
    for text in Text
}
_POSTGRES = {
    text: sa.text(
        "SELECT book.id, book.title FROM book_fts JOIN book ON book.id = book_id "
        f"WHERE book_fts.user_id = :user_id AND {text} @@ to_tsquery('simple', book_fts_fold(:query)) "
        "ORDER BY book_id DESC LIMIT :limit"
    )
    for text in Text
}
Found = Sequence[sa.Row[int, str]]
"""(id, title) of books."""


def search(session: Session, query: str, *, user_id: int, limit: int) -> list[int]:
    """Ids of the user's books that hold all words of `query`, best first; none for a query without words."""
    found = dict.fromkeys(search_names(session, query, user_id=user_id, limit=limit))
    if len(found) < limit and (words := words_of(query)[:MAX_WORDS]):
        newest = _newest(session, Text.WORDS, _match(session, words), user_id=user_id, limit=limit)
        found |= dict.fromkeys(book_id for book_id, _ in newest)
    return list(found)[:limit]


def search_names(session: Session, query: str, *, user_id: int, limit: int) -> list[int]:
    """As `search`, among what books are called by. The last word may be a beginning; whole words come first."""
    words = words_of(query)[:MAX_WORDS]
    if not words:
        return []
    look = partial(_newest, session, Text.NAMES, user_id=user_id, limit=RANKED)
    wanted = folded_words(" ".join(words))
    found = _ranked(look(_match(session, words)), wanted)
    if len(found) < limit and len(words[-1]) >= PREFIX_LETTERS:
        found += _ranked(look(_match(session, words, beginning="*")), wanted)
    return list(dict.fromkeys(found))[:limit]


def respell(session: Session, query: str, *, user_id: int) -> str | None:
    """The query with each word that none of the user's books has replaced by the likest one that some has.

    None where a word has no likeness, or nothing is to be replaced.
    """
    words = words_of(query)[:MAX_WORDS]
    respelt = [_nearest(session, word, user_id=user_id) for word in words]
    if None in respelt or respelt == words:
        return None
    return " ".join(word for word in respelt if word is not None)


def _nearest(session: Session, word: str, *, user_id: int) -> str | None:
    if _has(session, word, user_id=user_id):
        return word
    guesses = Spelling.alike(session, word)[:GUESSES]
    return next((guess for guess in guesses if _has(session, guess, user_id=user_id)), None)


def _has(session: Session, word: str, *, user_id: int) -> bool:
    return bool(_newest(session, Text.WORDS, _match(session, [word]), user_id=user_id, limit=1))


def _match(session: Session, words: Sequence[str], *, beginning: str = "") -> str:
    """The words as a query that asks for all of them, in the database's own syntax. They are letters and digits only,
    and quoted, so that no word of a user's is syntax."""
    if session.get_bind().dialect.name == "sqlite":
        return " ".join(f'"{word}"' for word in words) + (" *" if beginning else "")
    return " & ".join(f"'{word}'" for word in words) + (":*" if beginning else "")


def _newest(session: Session, text: Text, match: str, *, user_id: int, limit: int) -> Found:
    """The newest books that match, newest first."""
    statement = (_SQLITE if session.get_bind().dialect.name == "sqlite" else _POSTGRES)[text]
    return session.execute(statement, {"query": match, "user_id": user_id, "limit": limit}).all()


def _ranked(newest: Found, wanted: Sequence[str]) -> list[int]:
    """Ids of books whose names match, best first; the newest first where that is equal, as they are given."""
    places = {book_id: _place(folded(title), wanted) for book_id, title in newest}
    return sorted(places, key=places.__getitem__)


def _place(title: str, wanted: Sequence[str]) -> int:
    """0 for a title that is nothing but the words, its length where it has them all, else behind all of these."""
    if not all(word in title for word in wanted):
        return 1_000
    found = folded_words(title)
    if found == wanted:
        return 0
    *whole, last = wanted
    has_all = all(word in found for word in whole) and any(word.startswith(last) for word in found)
    return len(found) if has_all else 1_000
