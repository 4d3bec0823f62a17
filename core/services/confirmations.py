"""Commands that a mail alone is not enough for: kept until a token comes back that only their user was sent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from core.errors import Forbidden, TooMuch
from core.i18n import _
from core.mail.grammar import Command
from core.models import Confirmation
from core.tokens import TokenSigner, hash_token
from core.work import Work

VALID_HOURS = 24.0
MAX_OPEN = 20  # of one user: a flood of forged mails must not become one of rows


class Confirmations:
    """Confirmations in one transaction."""

    def __init__(self, work: Work, signer: TokenSigner) -> None:
        self._work = work
        self._session = work.session
        self._signer = signer

    def ask(self, user_id: int, command: Command, *, replied_to: Sequence[str]) -> str:
        """Keep a command and return the token that does it. Raises `TooMuch`."""
        if self._count_open(user_id) >= MAX_OPEN:
            raise TooMuch(
                _("{MAX_OPEN} commands wait for your word already.").format(MAX_OPEN=MAX_OPEN),
                fix=_("Confirm them, or let them go: each is forgotten after {VALID_HOURS:.0f} hours.").format(
                    VALID_HOURS=VALID_HOURS
                ),
            )
        expires_at = self._work.now + timedelta(hours=VALID_HOURS)
        kept, ids = asdict(command), list(replied_to)
        token = self._signer.make(_facts(user_id, expires_at, kept, ids))
        self._session.add(
            Confirmation(
                user_id=user_id,
                token_hash=hash_token(token),
                command=kept,
                replied_to=ids,
                created_at=self._work.now,
                expires_at=expires_at,
            )
        )
        self._session.flush()
        return token

    def take(self, user_id: int, token: str) -> tuple[Command, tuple[str, ...]]:
        """The command that a token is for, and what its mail answered; never again. Raises `Forbidden`.

        Somebody else's token is told like one that never was.
        """
        token = token.strip().lower()
        row = self._session.scalars(
            sa.select(Confirmation).where(Confirmation.token_hash == hash_token(token)).with_for_update()
        ).one_or_none()
        if row is None or row.user_id != user_id or not self._is_ours(row, token):
            raise Forbidden(
                _("I did not ask for this, or more than a day ago."),
                fix=_("Write the command again."),
                code="confirm.unknown",
            )
        if row.used_at is not None:
            raise Forbidden(_("This was confirmed before, and done."), fix=_("See: status"), code="confirm.used")
        if row.expires_at <= self._work.now:
            raise Forbidden(_("This came too late."), fix=_("Write the command again."), code="confirm.expired")
        row.used_at = self._work.now
        return _command(row.command), tuple(row.replied_to)

    def _is_ours(self, row: Confirmation, token: str) -> bool:
        return self._signer.is_about(token, _facts(row.user_id, row.expires_at, row.command, row.replied_to))

    def _count_open(self, user_id: int) -> int:
        mine = sa.select(sa.func.count(Confirmation.id)).where(
            Confirmation.user_id == user_id,
            Confirmation.used_at.is_(None),
            Confirmation.expires_at > self._work.now,
        )
        return self._session.scalar(mine) or 0


def forget_confirmations(work: Work) -> None:
    """Forget what has expired, used or not."""
    work.session.execute(sa.delete(Confirmation).where(Confirmation.expires_at <= work.now))


def _facts(user_id: int, expires_at: datetime, command: dict[str, Any], replied_to: Sequence[str]) -> tuple[str, ...]:
    """What a token is signed for: a row that was altered has none that fits."""
    return str(user_id), expires_at.isoformat(), json.dumps(command, sort_keys=True), json.dumps(list(replied_to))


def _command(kept: dict[str, Any]) -> Command:
    return Command(
        name=kept["name"],
        words=tuple(kept["words"]),
        options=kept["options"],
        phrases={preposition: tuple(words) for preposition, words in kept["phrases"].items()},
        undivided=tuple(kept["undivided"]),
        line=kept["line"],
        is_implied=kept.get("is_implied", False),
    )
