"""Full text over books: SQLite's FTS5, kept by triggers; one user's books are one range of its row ids.

The row id is the user's id and the book's id in one number, so that “own books only” is a seek and not a filter, and
the newest come first without sorting. Ranking is by where the words stand: in the title, then in title and authors,
then anywhere. It needs no statistics over all documents, which is what makes bm25 slow for words that all books have.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

import sqlalchemy as sa
from rapidfuzz import process
from rapidfuzz.distance import DamerauLevenshtein
from sqlalchemy.orm import Session

from core.models.word import LibraryWord

USER_BITS = 32  # a book's id has 32 bits of the 63, a user's 31
MAX_WORDS = 12  # of a query: more than any title that somebody types
PREFIX_LETTERS = 2  # a shorter last word is looked up whole: its beginnings would be half the dictionary
SHORTEST, LONGEST = 3, 40  # letters of a word that can be misspelt
ALIKE = 0.7  # normalised: two slips in seven letters
GUESSES = 5

_WORD = re.compile(r"[^\W_]+")
_COLUMNS = ("{title}", "{title authors}", "{title authors about}")

_TEXT = (
    "{0}.title, (SELECT group_concat(value, ' ; ') FROM json_each({0}.authors)), "
    "coalesce({0}.series, '') || ' ' || coalesce({0}.genre, '') || ' ' || "
    "coalesce((SELECT group_concat(value, ' ; ') FROM json_each({0}.tags)), '') || ' ' || coalesce({0}.description, '')"
)
_FORGET = (
    "INSERT INTO book_fts(book_fts, rowid, title, authors, about) "
    f"SELECT 'delete', (old.user_id << 32) | old.id, {_TEXT.format('old')} WHERE old.removed_at IS NULL;"
)
_LEARN = (
    "INSERT INTO book_fts(rowid, title, authors, about) "
    f"SELECT (new.user_id << 32) | new.id, {_TEXT.format('new')} WHERE new.removed_at IS NULL;"
)
DDL = (
    # Contentless: the text stands in the row already. Prefix indexes for the two and three letters that people type.
    "CREATE VIRTUAL TABLE book_fts USING fts5(title, authors, about, content='', prefix='2 3', "
    "tokenize='unicode61 remove_diacritics 2')",
    f"CREATE TRIGGER book_fts_insert AFTER INSERT ON book BEGIN {_LEARN} END",
    f"CREATE TRIGGER book_fts_delete AFTER DELETE ON book BEGIN {_FORGET} END",
    # One trigger, since SQLite promises no order among several: the old words have to go before the new ones come.
    "CREATE TRIGGER book_fts_update AFTER UPDATE OF title, authors, series, genre, tags, description, removed_at "
    f"ON book BEGIN {_FORGET} {_LEARN} END",
)
"""What the migration makes on SQLite. The statements are constants: no text of a user is in them."""

_QUERY = sa.text(
    "SELECT rowid FROM book_fts WHERE book_fts MATCH :match AND rowid BETWEEN :first AND :last "
    "ORDER BY rowid DESC LIMIT :limit"
)


def words_of(text: str) -> list[str]:
    """The words of a text as the index has them: no case, no accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return _WORD.findall("".join(letter for letter in plain if not unicodedata.combining(letter)))


def search(session: Session, query: str, *, user_id: int, limit: int) -> list[int]:
    """Ids of the user's books that hold all words of `query`, best first. No word of it is ever FTS5 syntax."""
    words = words_of(query)[:MAX_WORDS]
    found: dict[int, None] = {}
    for columns in _COLUMNS if words else ():
        match = f"{columns} : ({_match(words)})"
        found |= dict.fromkeys(_ids(session, match, user_id=user_id, limit=limit))
        if len(found) >= limit:
            break
    return list(found)[:limit]


def respell(session: Session, query: str, *, user_id: int) -> str | None:
    """The query with each word that none of the user's books has replaced by the likest one that some has.

    None where a word has no likeness, or nothing is to be replaced.
    """
    words = words_of(query)[:MAX_WORDS]
    respelt = [_nearest(session, word, user_id=user_id) for word in words]
    if None in respelt or respelt == words:
        return None
    return " ".join(word for word in respelt if word is not None)


def learn_words(session: Session, texts: Iterable[str], *, user_id: int) -> None:
    """Remember the words of a book's title and authors."""
    words = {word for text in texts for word in words_of(text) if SHORTEST <= len(word) <= LONGEST}
    known = session.scalars(
        sa.select(LibraryWord.word).where(LibraryWord.user_id == user_id, LibraryWord.word.in_(words))
    )
    session.add_all(LibraryWord(user_id=user_id, word=word) for word in sorted(words.difference(known)))


def _match(words: Sequence[str]) -> str:
    *whole, last = (f'"{word}"' for word in words)
    return " ".join((*whole, last + "*" if len(words[-1]) >= PREFIX_LETTERS else last))


def _ids(session: Session, match: str, *, user_id: int, limit: int) -> Iterator[int]:
    first = user_id << USER_BITS
    bounds = {"first": first, "last": first + (1 << USER_BITS) - 1, "limit": limit}
    for row_id in session.execute(_QUERY, {"match": match, **bounds}).scalars():
        yield row_id - first


def _nearest(session: Session, word: str, *, user_id: int) -> str | None:
    if _has(session, word, user_id=user_id) or not SHORTEST <= len(word) <= LONGEST:
        return word
    # A slip in the first letter is rare; the two starts that are looked at also cover the first two in wrong order.
    starts = {word[0], word[1]}
    known = sa.select(LibraryWord.word).where(
        LibraryWord.user_id == user_id,
        sa.or_(*(LibraryWord.word.between(start, start + "\U0010ffff") for start in sorted(starts))),
        sa.func.length(LibraryWord.word).between(len(word) - 2, len(word) + 2),
    )
    guesses = process.extract(
        word,
        session.scalars(known).all(),
        scorer=DamerauLevenshtein.normalized_similarity,
        score_cutoff=ALIKE,
        limit=GUESSES,
    )
    return next((guess for guess, *_ in guesses if _has(session, guess, user_id=user_id)), None)


def _has(session: Session, word: str, *, user_id: int) -> bool:
    return any(True for _ in _ids(session, f'{{title authors}} : "{word}"', user_id=user_id, limit=1))
