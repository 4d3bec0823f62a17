"""Services: what may be done with the rows, in a transaction that somebody else opened and closes."""

from __future__ import annotations

from core.events import Event, EventBus
from core.mail.outgoing import Identity
from core.services import newsletters, paperboy, unreachable
from core.services.audit import record_audit
from core.services.feed_notices import FeedNotices
from core.services.fetch_links import MakeLink
from core.services.notices import FailureNotices
from core.services.share_notices import ShareNotices


def build_bus(identity: Identity, *, make_link: MakeLink | None = None) -> EventBus:
    """The event bus with all its subscribers. `make_link` is for what is too large to mail."""
    bus = EventBus()
    bus.subscribe(Event, record_audit)
    unreachable.subscribe(bus)  # before those who tell of a failure, and whether the address is held back since
    FailureNotices(identity, make_link).subscribe(bus)
    FeedNotices(identity).subscribe(bus)
    ShareNotices(identity).subscribe(bus)
    paperboy.subscribe(bus)
    newsletters.subscribe(bus)
    return bus
