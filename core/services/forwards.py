"""Mails that a reader passed on without a word: kept until they say what they want of them."""

from __future__ import annotations

import sqlalchemy as sa

from core.errors import BadRequest, NotFound
from core.i18n import _
from core.mail.message import ParsedMessage
from core.mail.subjects import read_subject
from core.models import Forwarded, Inbound
from core.references import parse_reference
from core.work import Work

MOST_FILES = 50  # that a question lists


class Forwards:
    """Passed-on mails in one transaction. One of somebody else is not found."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._session = work.session

    def keep(self, inbound: Inbound, message: ParsedMessage, *, user_id: int) -> Forwarded:
        """Remember what to ask about; the mail itself stays in the inbound ledger. Once for each mail."""
        earlier = self._session.scalars(sa.select(Forwarded).where(Forwarded.inbound_id == inbound.id)).one_or_none()
        if earlier is not None:
            return earlier
        files = {
            str(place): file.filename or f"attachment.{file.format or 'bin'}"
            for place, file in enumerate(message.attachments)
            if file.kind is not None and not file.is_inline
        }
        made = Forwarded(
            user_id=user_id,
            inbound_id=inbound.id,
            reference=inbound.reference,
            title=(read_subject(message.subject).text or _("A forwarded mail"))[:500],
            files=dict(list(files.items())[:MOST_FILES]),
            created_at=self._work.now,
        )
        self._session.add(made)
        self._session.flush()
        return made

    def find(self, user_id: int, reference: str) -> Forwarded:
        """That of a reference as people write it, "" for the newest. Raises `BadRequest`, `NotFound`."""
        wanted = parse_reference(reference) if reference else None
        if reference and wanted is None:
            raise BadRequest(
                _("“{reference}” names no mail.").format(reference=reference),
                fix=_("Leave it out, and the mail that you forwarded last is meant."),
            )
        found = Forwarded.shown(self._session, user_id, reference=wanted)
        if found is None:
            raise NotFound(
                _("I was not forwarded such a mail."), fix=_("Forward it again."), code="forwarded.not-found"
            )
        return found
