"""Table `device`: where a user's books go."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base, partial_index


class Device(Base):
    """An e-mail address that puts what it gets on a reader. At most one default a user (a partial unique index)."""

    __tablename__ = "device"
    __table_args__ = (
        sa.UniqueConstraint("user_id", "name"),
        sa.UniqueConstraint("user_id", "address"),
        partial_index("ix_device_default", "user_id", unique=True, where="is_default"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(sa.String(50))
    """What the user calls it, lower case, one word: `kindle`, `kobo`."""
    kind: Mapped[str] = mapped_column(sa.String(20))
    """Key in `core.devices.DEVICE_KINDS`."""
    address: Mapped[str] = mapped_column(sa.String(320))
    is_default: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]

    @classmethod
    def of_user(cls, session: Session, user_id: int) -> list[Device]:
        """All devices of a user, the default first, then by name."""
        return list(session.scalars(sa.select(cls).where(cls.user_id == user_id).order_by(~cls.is_default, cls.name)))
