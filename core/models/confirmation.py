"""Table `confirmation`: commands that wait until their user has said again, with a token, that they are meant."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base


class Confirmation(Base):
    """One command that was asked back about. The token itself went to the user's own address and nowhere else."""

    __tablename__ = "confirmation"
    __table_args__ = (sa.Index("ix_confirmation_user_id_expires_at", "user_id", "expires_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"))
    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    """`core.tokens.hash_token`."""
    command: Mapped[dict[str, Any]]
    """The command as it was read: `core.services.confirmations`."""
    replied_to: Mapped[list[str]]
    """Message-IDs that its mail answered, since a number means what was listed there."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
