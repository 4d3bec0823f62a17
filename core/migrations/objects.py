"""Which tables of the database are the models': the others are the job engine's and the search index's own."""

from __future__ import annotations

from typing import Any

OTHERS = ("procrastinate_", "book_fts", "alembic_", "sqlite_")


def is_ours(_object: Any, name: str | None, type_: str, _reflected: bool, _compare_to: Any) -> bool:
    """Alembic's `include_object`."""
    return type_ != "table" or not (name or "").startswith(OTHERS)
