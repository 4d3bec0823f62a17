"""Notes on a reader's device: the way to those whom no mail of ours reaches."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import structlog

from bot.news.books import StoryBooks
from bot.news.refresh import Database
from core.errors import TooMuch
from core.i18n import _, speaking, spoken
from core.mail.outgoing import AttachedFile, Identity
from core.models import Device
from core.news.issue import Story
from core.news.values import Reading
from core.services.kindle_sync import KindleSyncService
from core.services.unreachable import Unreached, find_unreached
from core.values import BookFormat, StagedBook
from core.work import Work

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceNotes:
    """Runs again after any crash: a note is one mail, by its cause."""

    database: Database
    books: StoryBooks
    identity: Identity

    async def tell(self, user_id: int) -> None:
        """The job: say on a device that the reader's own address sends mail back. The operator is told in any case."""
        reader = await self.database.in_work(lambda work: find_unreached(work, user_id))
        if reader is None:
            return
        log.error(
            "a reader's own address keeps sending mail back: what is unasked is held until they write",
            user_id=user_id, address=reader.address, is_told_on_device=reader.device_id is not None,
        )  # fmt: skip
        if reader.device_id is None:
            return
        with speaking(reader.language):
            story = _note(reader, write_to=self.identity.address)
        book = await self.books.bind(story, timezone=reader.timezone, language=reader.language)
        await self.database.in_work(lambda work: self._send(work, reader, book))

    def _send(self, work: Work, reader: Unreached, book: StagedBook) -> None:
        device = work.session.get(Device, reader.device_id)
        if device is None:
            return
        file = AttachedFile(
            key=book.storage_key,
            size_bytes=book.size_bytes,
            filename=book.filename,
            media_type=BookFormat.EPUB.media_type,
        )
        try:
            KindleSyncService(work).hand_in(
                device,
                title=book.metadata.title,
                authors=book.metadata.authors,
                file=file,
                cause=f"unreached:{reader.user_id}:{reader.since:%Y%m%dT%H%M%S}",
                identity=self.identity,
            )
        except TooMuch as error:
            log.warning("note does not go to the device", user_id=reader.user_id, reason=error.text)


def _note(reader: Unreached, *, write_to: str) -> Story:
    sentences = (
        _("What I send to {address} comes back. The mail server there says: “{words}”.").format(
            address=reader.address, words=reader.words
        ),
        _("So I hold your papers and letters for now, and this note comes to you here."),
        _(
            "Nothing is lost. When your address takes mail again, write to {bot} from it, whatever you like: what "
            "waits goes out then."
        ).format(bot=write_to),
        _("If you have another address now, ask whoever runs this service to enter it."),
    )
    return Story(
        number=1,
        title=_("Your mail address sends my mail back"),
        url="",
        feed="Inkpost",
        reading=Reading(
            html="".join(f"<p>{escape(one)}</p>" for one in sentences),
            text="\n\n".join(sentences),
            words=sum(len(one.split()) for one in sentences),
            language=spoken(),
        ),
    )
