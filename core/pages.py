"""Pages of long lists: every list has its page two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

T = TypeVar("T")

PER_PAGE = 20


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Rows of one page, with where it stands. `page` and `pages` are 1-based; an empty list has one empty page."""

    rows: Sequence[T]
    page: int
    pages: int
    total: int
    per_page: int = PER_PAGE

    @property
    def first_number(self) -> int:
        """Number of the first row, counted on over the pages."""
        return (self.page - 1) * self.per_page + 1


def fetch_page(
    session: Session, query: sa.Select[T], *, page: int, per_page: int = PER_PAGE, total: int | None = None
) -> Page[T]:
    """The rows of an ordered query at `page`; beyond the last it is the last. `total` is counted where not known."""
    if total is None:
        total = _count(session, query)
    pages = max(1, -(-total // per_page))
    page = min(max(page, 1), pages)
    rows = session.scalars(query.limit(per_page).offset((page - 1) * per_page)).all()
    return Page(rows, page, pages, total, per_page)


def _count(session: Session, query: sa.Select[T]) -> int:
    # Not as a subquery of whole rows: without the columns an index alone answers it.
    counted = query.order_by(None).with_only_columns(sa.func.count(), maintain_column_froms=True)
    return session.scalar(counted) or 0
