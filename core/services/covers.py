"""Covers beside the books that an answer shows: put in when the answer is made, whichever command it is of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.mail.answer import Block, Facts, Items, Picture, Result
from core.models import Book, Thumbnail

BOOKS = "books"
"""The kind of list whose items are books."""
MOST_COVERS = 20  # of a mail: a page of a list, about 100 KB


def with_covers(session: Session, results: Sequence[Result]) -> tuple[Result, ...]:
    """The results, with covers where they show books; the first page of them if they show more."""
    ids = [book_id for result in results for block in result.outcome.blocks for book_id in _books_in(block)]
    if not ids:
        return tuple(results)
    pictures = _pictures(session, list(dict.fromkeys(ids))[:MOST_COVERS])
    return tuple(
        replace(
            result,
            outcome=replace(
                result.outcome, blocks=tuple(_with_pictures(block, pictures) for block in result.outcome.blocks)
            ),
        )
        for result in results
    )


def _books_in(block: Block) -> tuple[int, ...]:
    match block:
        case Items(kind=kind, item_ids=item_ids) if kind == BOOKS:
            return item_ids
        case Facts(book_id=int(book_id)):
            return (book_id,)
    return ()


def _pictures(session: Session, book_ids: Sequence[int]) -> Mapping[int, Picture]:
    rows = session.execute(_COVERS, {"book_ids": book_ids})
    return {row.id: Picture(f"cover-{PurePosixPath(row.cover_key).stem[:24]}", row.content) for row in rows}


def _with_pictures(block: Block, pictures: Mapping[int, Picture]) -> Block:
    match block:
        case Items(items=items, item_ids=item_ids) if _books_in(block):
            pairs = zip(items, item_ids, strict=True)
            return replace(block, items=tuple(replace(item, picture=pictures.get(id_)) for item, id_ in pairs))
        case Facts(book_id=int(book_id)):
            return replace(block, picture=pictures.get(book_id))
    return block


# Asked for each mail that shows books: a statement that is made once costs a sixth of one that is made anew.
_BOOKS, _THUMBNAILS = (kind.metadata.tables[kind.__tablename__].c for kind in (Book, Thumbnail))
_COVERS = (
    sa.select(_BOOKS.id, _THUMBNAILS.cover_key, _THUMBNAILS.content)
    .where(_THUMBNAILS.cover_key == _BOOKS.cover_key)
    .where(_BOOKS.id.in_(sa.bindparam("book_ids", expanding=True)))
)
