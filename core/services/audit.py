"""The audit trail: one subscriber to all events."""

from __future__ import annotations

import sqlalchemy as sa

from core.events import Event
from core.models import AuditEntry
from core.work import Work


def record_audit(work: Work, event: Event) -> None:
    """Write the event down, in the transaction that made it true."""
    entry = {"at": work.now, "name": event.name, "user_id": event.user_id, "facts": event.facts()}
    work.session.execute(_INSERT, entry)


_INSERT = sa.insert(AuditEntry.metadata.tables[AuditEntry.__tablename__])
