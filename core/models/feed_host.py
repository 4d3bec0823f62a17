"""Table `feed_host`: the circuit of each host that feeds come from, so that a restart does not forget it."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base


class FeedHost(Base):
    """A host that has failed since it last answered; the others have no row. See `core.news.circuit`."""

    __tablename__ = "feed_host"

    host: Mapped[str] = mapped_column(sa.String(255), primary_key=True)
    failures: Mapped[int] = mapped_column(default=0)
    open_until: Mapped[datetime | None]
