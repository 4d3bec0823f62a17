"""Table `attempt`: each try to hand an outbox mail over, written before it is made."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base


class Attempt(Base):
    """`result` is "" while under way. Where the process died, it is written down later, by whoever finds out."""

    __tablename__ = "attempt"

    outbox_id: Mapped[int] = mapped_column(sa.ForeignKey("outbox.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    """1-based."""
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    result: Mapped[str] = mapped_column(sa.String(20), default="")
    """`delivered`, `deferred`, `refused`; `interrupted` where the peer cannot have the mail, since not all of it had
    gone; `unknown` where it may have it; `given-up` for the last one before the operator had the mail sent again."""
    reply: Mapped[str] = mapped_column(sa.String(1000), default="")
