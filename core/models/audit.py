"""Table `audit`: the trail of domain events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base


class AuditEntry(Base):
    """One event that happened, written in the transaction that made it true."""

    __tablename__ = "audit"
    __table_args__ = (sa.Index("ix_audit_user_id_at", "user_id", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    name: Mapped[str] = mapped_column(sa.String(50))
    """The event's class name."""
    user_id: Mapped[int | None] = mapped_column(sa.ForeignKey("user.id", ondelete="SET NULL"))
    facts: Mapped[dict[str, Any]]

    @classmethod
    def facts_of(cls, session: Session, name: str) -> Sequence[dict[str, Any]]:
        """Of all events of this name, oldest first. Reads the whole trail: for operators."""
        return session.scalars(sa.select(cls.facts).where(cls.name == name).order_by(cls.id)).all()
