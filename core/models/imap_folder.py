"""Table `imap_folder`: how far each folder that mail is fetched from has been read."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base


class ImapFolder(Base):
    """RFC 3501 2.3.1.1: as long as `uid_validity` is the folder's, no mail below `next_uid` is new."""

    __tablename__ = "imap_folder"

    name: Mapped[str] = mapped_column(sa.String(500), primary_key=True)
    """`user@host:port/folder`."""
    uid_validity: Mapped[int]
    next_uid: Mapped[int]
    read_at: Mapped[datetime]
    """When the folder was last read to its end."""

    @classmethod
    def find(cls, session: Session, name: str) -> ImapFolder | None:
        return session.get(cls, name)

    @classmethod
    def note(cls, session: Session, name: str, *, uid_validity: int, next_uid: int, read_at: datetime) -> None:
        """Write down how far the folder has been read."""
        session.merge(cls(name=name, uid_validity=uid_validity, next_uid=next_uid, read_at=read_at))
