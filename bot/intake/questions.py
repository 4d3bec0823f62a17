"""What listeners ask of the database while a peer waits."""

from __future__ import annotations

from sqlalchemy.orm import Session

from bot.intake.session import KnowsAlias, Verify
from bot.jobs import JobEngine
from core.models import Newsletter, User
from core.models.user import UserState


def verifier(engine: JobEngine) -> Verify:
    """SMTP AUTH: the address of a user, and their secret."""

    def is_theirs(session: Session, login: str, password: str) -> bool:
        user = User.by_secret(session, password)
        return user is not None and user.state is UserState.ACTIVE and user.address == login.lower()

    async def verify(login: str, password: str) -> bool:
        return await engine.in_read(lambda session: is_theirs(session, login, password))

    return verify


def alias_reader(engine: JobEngine) -> KnowsAlias:
    """For RCPT: whether the address of a newsletter takes mail."""

    async def knows(secret: str) -> bool:
        return await engine.in_read(lambda session: Newsletter.by_secret(session, secret) is not None)

    return knows
