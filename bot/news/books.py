"""Single stories as EPUBs: onto the e-reader (`read`, `send 3`), or into the library (`save 3`)."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bot.news.pictures import PictureFetcher
from bot.news.refresh import Database
from bot.sandbox import Sandbox
from core.errors import BotError
from core.i18n import SOURCE, _, speaking
from core.mail.answer import Answer, Paragraph, Problem, Step, Steps
from core.mail.outgoing import AttachedFile, Identity, attachment_name
from core.models import Article, ArticleText, Device, ReadLater, User
from core.news.issue import Story
from core.news.paper import make_story_book
from core.news.values import Reading
from core.ports import BlobStore
from core.services.answers import Answers
from core.services.book_manager import BookManager
from core.services.kindle_sync import KindleSyncService
from core.staging import BlobKind, blob_key, file_sha256
from core.values import BookFormat, BookMetadata, StagedBook
from core.work import Work

BOOK_SECONDS = 60.0


class _Loaded(NamedTuple):
    story: Story
    timezone: str
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryBooks:
    """Makes books of articles. Its jobs may run again: a book is known by its hash, and a mail by its cause."""

    database: Database
    blobs: BlobStore
    sandbox: Sandbox
    pictures: PictureFetcher
    identity: Identity
    work_root: Path

    async def save_story(self, *, article_id: int, user_id: int, cause: str) -> None:
        """The job for `save 3`: the story as a book in the reader's library."""
        book = await self._make(article_id, user_id=user_id)

        def save(work: Work) -> None:
            user = work.session.get_one(User, user_id)
            Answers(work).tell(
                lambda: _saved(work, user_id, book), user=user, identity=self.identity, cause=f"saved:{cause}"
            )

        await self.database.in_work(save)

    async def send_story(self, *, article_id: int, user_id: int, cause: str, device: str = "") -> None:
        """The job for `send 3` and `read`: the story on the reader's device, or in the library if there is none."""
        book = await self._make(article_id, user_id=user_id)

        def send(work: Work) -> bool:
            try:
                chosen = KindleSyncService(work).device(user_id, device or None)
            except BotError:
                return False
            self._hand_in(work, book, chosen, cause=cause)
            return True

        if not await self.database.in_work(send):
            await self.save_story(article_id=article_id, user_id=user_id, cause=cause)

    async def send_wish(self, read_later_id: int, article_id: int) -> None:
        """The end of `read`."""
        wish = await self.database.in_read(lambda session: session.get_one(ReadLater, read_later_id))
        await self.send_story(article_id=article_id, user_id=wish.user_id, cause=f"read:{wish.id}")

    def _hand_in(self, work: Work, book: StagedBook, device: Device, *, cause: str) -> None:
        """Queue it for the device, or tell its reader why not."""
        try:
            KindleSyncService(work).hand_in(
                device,
                title=book.metadata.title,
                authors=book.metadata.authors,
                file=AttachedFile(
                    key=book.storage_key,
                    size_bytes=book.size_bytes,
                    filename=book.filename,
                    media_type=BookFormat.EPUB.media_type,
                ),
                cause=f"story:{cause}",
                identity=self.identity,
            )
        except BotError as error:
            outcome = Problem(
                error.code,
                _("“{book}” was not sent to {device}. {why}").format(
                    book=book.metadata.title, device=device.name, why=error.text
                ),
                fix=error.fix,
            )
            user = work.session.get_one(User, device.user_id)
            Answers(work).tell(outcome, user=user, identity=self.identity, cause=f"story-refused:{cause}")

    async def _make(self, article_id: int, *, user_id: int) -> StagedBook:
        """The article's book, in the store."""
        loaded = await self.database.in_work(lambda work: _load(work, article_id, user_id=user_id))
        return await self.bind(loaded.story, timezone=loaded.timezone, language=loaded.language)

    async def bind(self, story: Story, *, timezone: str, language: str) -> StagedBook:
        """A story's book, in the store."""
        pictures = await self.pictures.fetch(story.reading.pictures)
        with tempfile.TemporaryDirectory(dir=self.work_root) as name:
            with speaking(language):
                part = await self.sandbox.run(
                    make_story_book, story, pictures=pictures, timezone=timezone,
                    language=language, folder=Path(name), timeout_seconds=BOOK_SECONDS,
                )  # fmt: skip
            return await asyncio.to_thread(self._store, story, part.path)

    def _store(self, story: Story, path: Path) -> StagedBook:
        sha256, size_bytes = file_sha256(path), path.stat().st_size
        key = blob_key(BlobKind.BOOK, sha256, extension="epub")
        self.blobs.put_file(key, path, media_type=BookFormat.EPUB.media_type)
        return StagedBook(
            filename=attachment_name(title=story.title, authors=story.authors, storage_key=key, extension="epub"),
            format=BookFormat.EPUB,
            size_bytes=size_bytes,
            sha256=sha256,
            storage_key=key,
            cover_key=None,
            metadata=BookMetadata(
                title=story.title[:500],
                authors=tuple(author[:200] for author in story.authors) or (story.feed[:200],),
                language=story.reading.language,
            ),
        )


def _saved(work: Work, user_id: int, book: StagedBook) -> Answer | Problem:
    try:
        added = BookManager(work).add(user_id, book)
    except BotError as error:
        return Problem(error.code, error.text, fix=error.fix)
    return Answer(
        _("Saved: {book}").format(book=added.book.title),
        (
            Paragraph(_("It is in your library as #{id}.").format(id=added.book.id)),
            Steps((Step(_("Send it"), f"send #{added.book.id}"), Step(_("My books"), "list"))),
        ),
    )


def _load(work: Work, article_id: int, *, user_id: int) -> _Loaded:
    article = work.session.get_one(Article, article_id)
    kept = work.session.get_one(ArticleText, article_id)
    user = work.session.get_one(User, user_id)
    host = article.url.split("/")[2].removeprefix("www.") if "://" in article.url else ", ".join(article.authors[:1])
    story = Story(
        number=1,
        title=article.title or host,
        url=article.url,
        feed=host,
        authors=tuple(article.authors),
        published_at=article.published_at,
        is_stub=article.is_stub,
        reading=Reading(
            html=kept.html,
            text=kept.text,
            words=article.words,
            pictures=tuple(article.pictures),
            link_share=article.link_share,
            language=article.language,
        ),
    )
    return _Loaded(story, user.timezone, user.language or SOURCE)
