"""One file a table: its columns and the questions that are asked of it. Models know no services and never commit."""

from core.models.attempt import Attempt
from core.models.audit import AuditEntry
from core.models.book import Book
from core.models.device import Device
from core.models.doomed_blob import DoomedBlob
from core.models.inbound import Inbound
from core.models.listing import Listing
from core.models.outbox import OutboxMail
from core.models.spelling import Spelling
from core.models.user import User

__all__ = [
    "Attempt",
    "AuditEntry",
    "Book",
    "Device",
    "DoomedBlob",
    "Inbound",
    "Listing",
    "OutboxMail",
    "Spelling",
    "User",
]
