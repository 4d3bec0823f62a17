"""Table `library_word`: the words of a user's titles and authors, for queries that are misspelt."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base


class LibraryWord(Base):
    """A word stays when its last book goes: whoever corrects by it looks whether a book still has it."""

    __tablename__ = "library_word"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy's own protocol

    user_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    word: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    """Folded: no case, no accents; 3 to 40 letters."""
