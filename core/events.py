"""Domain events: what happened, as values, handed to subscribers inside the transaction that made it true."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from core.work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that is now so. `user_id` is whose doing or whose affair it is, None for the operator's."""

    user_id: int | None

    @property
    def name(self) -> str:
        return type(self).__name__

    def facts(self) -> dict[str, Any]:
        """All fields but the user, for the audit trail and the log; JSON values only."""
        facts = asdict(self)
        facts.pop("user_id")
        return facts


@dataclass(frozen=True, slots=True, kw_only=True)
class UserAdded(Event):
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSuspended(Event):
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AdministratorActed(Event):
    """`user_id` is the administrator. Whom it was about is told by number: an address would outlive its owner's wish
    to be forgotten."""

    act: str
    """The command."""
    about_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserForgotten(Event):
    """Somebody is gone by their own wish; who it was is not kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretChanged(Event):
    """The user's secret subaddress was made, rotated or revoked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingChanged(Event):
    key: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BookAdded(Event):
    book_id: int
    title: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BookEdited(Event):
    book_id: int
    changed: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class BookRemoved(Event):
    book_id: int
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BookRestored(Event):
    book_id: int
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BookShared(Event):
    """`user_id` let somebody have a book: `given_id` is that one's row, `book_id` their own."""

    book_id: int
    given_id: int
    reader_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BookUnshared(Event):
    """`user_id` took a book back."""

    given_id: int
    reader_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedsShared(Event):
    """`user_id` lets somebody have the list of their feeds."""

    reader_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedsUnshared(Event):
    reader_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAdded(Event):
    device_id: int
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRemoved(Event):
    device_id: int
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BookSent(Event):
    """A delivery was queued. Nothing has left yet."""

    book_id: int
    device_id: int
    outbox_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BookSynced(Event):
    """The relay took a delivery. What the device's provider does with it is not known here."""

    book_id: int
    device_id: int
    outbox_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFailed(Event):
    """The relay refused a mail for good, or it was given up."""

    outbox_id: int
    rcpt_to: str
    reason: str
    is_too_large: bool = False
    """For the relay, or for its device in whatever form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRejected(Event):
    """The gateway behind the relay refused a delivery; `reason` is a `NoticeKind`."""

    outbox_id: int
    reason: str
    code: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailBounced(Event):
    """A mail server behind the relay sent a mail back."""

    outbox_id: int
    rcpt_to: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickNeeded(Event):
    """The gateway wants the reader to confirm a delivery."""

    outbox_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoRefusalSeen(Event):
    """The gateway could have refused a delivery and did not."""

    outbox_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryMended(Event):
    """A copy by a stronger recipe was not refused where gentler ones were."""

    outbox_id: int
    recipe: str
    rung: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingStopped(Event):
    scope: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingResumed(Event):
    scope: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSubscribed(Event):
    feed_id: int
    url: str
    feed_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedUnsubscribed(Event):
    feed_id: int
    url: str
    feed_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedMoved(Event):
    """It said that it has moved for good."""

    feed_id: int
    url: str
    moved_to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedFailing(Event):
    """It has failed so often that its readers should know."""

    feed_id: int
    url: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedGone(Event):
    """It said that it is no more (HTTP 410)."""

    feed_id: int
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueSent(Event):
    """The mails of an issue stand in the outbox."""

    issue_id: int
    digest_id: int
    stories: int


E_contra = TypeVar("E_contra", bound=Event, contravariant=True)


@dataclass(slots=True)
class EventBus:
    """Subscribers by event type; a subscription to `Event` gets all of them.

    Subscribers run at once, in order of subscription, in the emitter's transaction: what they raise undoes it all.
    """

    _subscribers: dict[type[Event], list[Callable[[Work, Any], None]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def subscribe(self, event_type: type[E_contra], subscriber: Callable[[Work, E_contra], None]) -> None:
        self._subscribers[event_type].append(subscriber)

    def publish(self, work: Work, event: Event) -> None:
        for event_type in type(event).__mro__:
            for subscriber in self._subscribers.get(event_type, ()):
                subscriber(work, event)
