"""Table `sending_stop`: whom nothing is sent to for now, since a gateway or a mail server has said so."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base
from core.devices import kind_of
from core.models.user import User


class SendingStop(Base):
    """One reason to wait. Mails that it holds stay queued; lifting it lets them go."""

    __tablename__ = "sending_stop"

    scope: Mapped[str] = mapped_column(sa.String(400), primary_key=True)
    """See `scopes_of`."""
    user_id: Mapped[int | None] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"), index=True)
    """Whose mails it holds; None for everybody's."""
    reason: Mapped[str] = mapped_column(sa.String(50))
    """`unapproved-sender`, `sender-suspended`, `bounces`."""
    words: Mapped[str] = mapped_column(sa.String(1000), default="")
    since: Mapped[datetime]

    @classmethod
    def of(cls, session: Session, scope: str) -> SendingStop | None:
        return session.scalars(_OF_SCOPE, {"scope": scope}).one_or_none()

    @classmethod
    def holding(cls, session: Session, *, user_id: int | None, rcpt_to: str) -> SendingStop | None:
        """What holds a mail back, or None."""
        mine = sa.select(cls).where(cls.scope.in_(scopes_of(user_id, rcpt_to))).limit(1)
        return session.scalars(mine).one_or_none()

    @classmethod
    def unreached(cls, session: Session) -> list[str]:
        """The readers whose own address sends mail back, by that address."""
        theirs = sa.select(User.address).join(cls, cls.user_id == User.id)
        held = theirs.where(cls.reason == "bounces", cls.scope == "address:" + User.address)
        return list(session.scalars(held.order_by(cls.since)))


# Asked for each mail: a statement that is made once costs a third of one that is made anew.
_OF_SCOPE = sa.select(SendingStop).where(SendingStop.scope == sa.bindparam("scope"))


def scope_of_kind(kind: str) -> str:
    """All mails to one kind of device."""
    return f"all:{kind}"


def scope_of_user(user_id: int, kind: str) -> str:
    """A user's mails to one kind of device."""
    return f"user:{user_id}:{kind}"


def scope_of_address(rcpt_to: str) -> str:
    return f"address:{rcpt_to.lower()}"


def scopes_of(user_id: int | None, rcpt_to: str) -> list[str]:
    """The stops that hold a mail."""
    kind = kind_of(rcpt_to).key
    mine = [scope_of_user(user_id, kind)] if user_id is not None else []
    return [scope_of_kind(kind), scope_of_address(rcpt_to), *mine]
