"""How much of our time and space one person may have, as data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from core.i18n import _, ngettext
from core.sizes import size_in_words

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class UserLimits:
    """What one user may ask for and keep; 0 is no limit. A mail is done whole or not at all, so the last one of an
    hour, a minute or a day may go over. Mails over a limit have one answer, which says when it opens again, and then
    silence."""

    commands_an_hour: int = 100
    """In the mails of one hour of the clock."""
    uploads_a_minute: int = 5
    """Attached files, an archive as one."""
    stored_bytes_a_day: int = 2_000_000_000
    """Of the books that came by mail. Days begin at midnight UTC."""
    sent_bytes_a_day: int = 2_000_000_000
    """Of the books that went to the user's devices in the last 24 hours, as mails."""
    library_books: int = 100_000  # a large public library's; a page of 20 is then still a quick walk over an index
    """Books in a library, without those that were removed."""
    library_bytes: int = 100_000_000_000  # so many books of 1 MB
    """Size of a library. A file that two users have counts for both."""

    @property
    def commands(self) -> Window:
        words = ngettext("{count} command an hour", "{count} commands an hour", self.commands_an_hour)
        return Window("commands", self.commands_an_hour, HOUR, words.format(count=self.commands_an_hour))

    @property
    def uploads(self) -> Window:
        words = ngettext("{count} file a minute", "{count} files a minute", self.uploads_a_minute)
        return Window("uploads", self.uploads_a_minute, MINUTE, words.format(count=self.uploads_a_minute))

    @property
    def stored(self) -> Window:
        words = _("{size} of books a day").format(size=size_in_words(self.stored_bytes_a_day))
        return Window("stored", self.stored_bytes_a_day, DAY, words)


@dataclass(frozen=True, slots=True)
class Window:
    """So much in each minute, hour or day of the clock (UTC): all processes agree on when it began and when it ends."""

    name: str
    most: int
    length: timedelta
    words: str
    """`100 commands an hour`."""

    def began_at(self, now: datetime) -> datetime:
        return now - (now - datetime.fromtimestamp(0, UTC)) % self.length

    def opens_at(self, now: datetime) -> datetime:
        """When the one after it begins."""
        return self.began_at(now) + self.length


@dataclass(frozen=True, slots=True)
class Closed:
    """A window that is full."""

    window: Window
    opens_at: datetime
    cause: str
    """The same for all mails that it turns away: the one answer's."""


DEFAULT_LIMITS = UserLimits()
