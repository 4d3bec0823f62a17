"""Table `user`: the people that Inkpost works for."""

from __future__ import annotations

import enum
import hashlib
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base


class UserState(enum.StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"
    FORGOTTEN = "forgotten"
    """On their own word; what is left of them goes with the last mail to them."""


class UserRole(enum.StrEnum):
    READER = "reader"
    ADMINISTRATOR = "administrator"


def hash_secret(secret: str) -> str:
    """How a secret stands in the row. Secrets are long and random, so a plain SHA-256 is as good as a slow hash."""
    return hashlib.sha256(secret.lower().encode()).hexdigest()


class User(Base):
    """A person. `address` is the addr-spec in lower case that answers go to."""

    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(sa.String(320), unique=True)
    name: Mapped[str] = mapped_column(sa.String(200), default="")
    role: Mapped[UserRole] = mapped_column(default=UserRole.READER)
    state: Mapped[UserState] = mapped_column(default=UserState.ACTIVE)
    timezone: Mapped[str] = mapped_column(sa.String(64), default="UTC")
    """IANA name."""
    language: Mapped[str] = mapped_column(sa.String(16), default="")
    """A key of `core.i18n.LANGUAGES`; "" until a mail or a setting says it, which is told in English."""
    secret_hash: Mapped[str | None] = mapped_column(sa.String(64), unique=True)
    """`hash_secret` of the secret subaddress, which is also the SMTP AUTH password; None: revoked."""
    autosend: Mapped[bool] = mapped_column(default=False)
    """Send a book to the default device as soon as it is added."""
    most_books: Mapped[int | None]
    """How many books they may have, 0 for no limit; None for everybody's limit."""
    most_bytes: Mapped[int | None]
    """How large their library may be; likewise."""
    reads_links_now: Mapped[bool] = mapped_column(default=False)
    """A mail with nothing but links is for the e-reader at once; otherwise for the next issue."""
    created_at: Mapped[datetime]
    first_mail_at: Mapped[datetime | None]
    """When they were first heard from; None while they have only been invited."""

    @property
    def is_administrator(self) -> bool:
        return self.role is UserRole.ADMINISTRATOR

    @classmethod
    def language_of(cls, session: Session, user_id: int) -> str:
        """ "" for nobody, and for somebody who has not shown it yet."""
        user = session.get(cls, user_id)
        return user.language if user is not None else ""

    def has_secret(self, secret: str) -> bool:
        """Whether this is their secret, and stands."""
        return self.secret_hash == hash_secret(secret)

    @classmethod
    def by_address(cls, session: Session, address: str) -> User | None:
        return session.scalars(_BY_ADDRESS, {"address": address.lower()}).one_or_none()

    @classmethod
    def by_secret(cls, session: Session, secret: str) -> User | None:
        """Whose secret this is. The look-up is by hash, so its time says nothing about other secrets."""
        return session.scalars(_BY_SECRET, {"secret_hash": hash_secret(secret)}).one_or_none()


# Asked for each mail: a statement that is made once costs a quarter of one that is made anew.
_BY_ADDRESS = sa.select(User).where(User.address == sa.bindparam("address"))
_BY_SECRET = sa.select(User).where(User.secret_hash == sa.bindparam("secret_hash"))
