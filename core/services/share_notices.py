"""Mails that tell somebody what another person of their household lets them have, or has taken back."""

from __future__ import annotations

from dataclasses import dataclass

from core.events import BookShared, BookUnshared, EventBus, FeedsShared
from core.i18n import _, speaking
from core.mail.answer import Answer, Paragraph, Step, Steps
from core.mail.outgoing import Identity
from core.models import Book, User
from core.services.answers import Answers
from core.services.household import called
from core.work import Work


@dataclass(frozen=True, slots=True)
class ShareNotices:
    """Tells readers, in their language, at their own address."""

    identity: Identity

    def subscribe(self, bus: EventBus) -> None:
        bus.subscribe(BookShared, self._shared)
        bus.subscribe(BookUnshared, self._unshared)
        bus.subscribe(FeedsShared, self._feeds_shared)

    def _shared(self, work: Work, event: BookShared) -> None:
        owner, reader = _people(work, event.user_id, event.reader_id)
        book = work.session.get_one(Book, event.given_id)
        with speaking(reader.language):
            told = Answer(
                _("{name} shares a book with you: {title}").format(name=called(owner), title=book.title),
                (
                    Paragraph(_("It is in your library now.")),
                    Steps(
                        (
                            Step(_("Details"), f"show #{book.id}"),
                            Step(_("Send it"), f"send #{book.id}"),
                            Step(_("I do not want it"), f"remove #{book.id}"),
                        )
                    ),
                ),
            )
            self._tell(work, told, reader, cause=f"shared:{book.id}:{work.now:%Y%m%dT%H%M%S%f}")

    def _unshared(self, work: Work, event: BookUnshared) -> None:
        owner, reader = _people(work, event.user_id, event.reader_id)
        book = work.session.get_one(Book, event.given_id)
        with speaking(reader.language):
            told = Answer(
                _("{name} has taken back: {title}").format(name=called(owner), title=book.title),
                (
                    Paragraph(_("It is not in your library any more. What is on your devices stays there.")),
                    Steps((Step(_("My books"), "list"),)),
                ),
            )
            self._tell(work, told, reader, cause=f"unshared:{book.id}:{work.now:%Y%m%dT%H%M%S%f}")

    def _feeds_shared(self, work: Work, event: FeedsShared) -> None:
        owner, reader = _people(work, event.user_id, event.reader_id)
        with speaking(reader.language):
            told = Answer(
                _("{name} shares their feeds with you").format(name=called(owner)),
                (
                    Paragraph(_("A tap subscribes you to all of them. Those that you read already stay as they are.")),
                    Steps(
                        (
                            Step(_("Subscribe to all"), f"subscribe feeds of {owner.address}"),
                            Step(_("My feeds"), "feeds"),
                        )
                    ),
                ),
            )
            cause = f"feeds-shared:{owner.id}:{reader.id}:{work.now:%Y%m%dT%H%M%S%f}"
            self._tell(work, told, reader, cause=cause)

    def _tell(self, work: Work, told: Answer, reader: User, *, cause: str) -> None:
        Answers(work).tell(told, user=reader, identity=self.identity, cause=cause)


def _people(work: Work, owner_id: int | None, reader_id: int) -> tuple[User, User]:
    return work.session.get_one(User, owner_id), work.session.get_one(User, reader_id)
