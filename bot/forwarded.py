"""The jobs for a mail that was passed on: an article of what it says, or books of what it carries."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.news.refresh import Database
from bot.sandbox import Sandbox, SandboxError
from bot.staging import Stager
from core import jobs
from core.errors import BotError
from core.i18n import _, ngettext, speaking
from core.mail.answer import Answer, Block, Paragraph, Problem, Step, Steps
from core.mail.forwards import read_inner
from core.mail.outgoing import Identity
from core.mail.parse import parse_message
from core.models import Forwarded, Inbound, ReadLater, User
from core.models.read_later import ReadState
from core.news.newsletter import LetterText, read_letter
from core.news.reading import ReadEntry
from core.ports import BlobStore
from core.services.answers import Answers
from core.services.book_manager import BookManager
from core.services.reading_list import ReadingList
from core.values import RefusedAttachment, Staged, StagedBook
from core.work import Work

Outcome = Callable[[Work, Forwarded], Answer | Problem]
"""What its reader is told of a mail, made in the transaction that tells it."""

READ_SECONDS = 30.0
SHORTEST = 5  # words: less is no article


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardKeeper:
    """Reads the mail again, from the inbound ledger. Its jobs may run twice: each has a cause."""

    database: Database
    blobs: BlobStore
    sandbox: Sandbox
    stager: Stager
    identity: Identity
    work_root: Path

    async def keep(self, *, forwarded_id: int, as_book: int, cause: str) -> None:
        """The job for `forwarded paper` and `forwarded book`."""
        with tempfile.TemporaryDirectory(dir=self.work_root) as name:
            path = await self._raw(forwarded_id, Path(name))
            if path is None:
                await self._tell(forwarded_id, _gone, cause=cause)
                return
            try:
                entry = await self.sandbox.run(_article, path, work_dir=Path(name), timeout_seconds=READ_SECONDS)
            except SandboxError:
                entry = None
        if entry is None:
            await self._tell(forwarded_id, _nothing_to_read, cause=cause)
            return
        article = entry
        await self.database.in_work(lambda work: _keep(work, forwarded_id, article, as_book=bool(as_book), cause=cause))

    async def add(self, *, forwarded_id: int, places: str, cause: str) -> None:
        """The job for `forwarded pick`."""
        with tempfile.TemporaryDirectory(dir=self.work_root) as name:
            path = await self._raw(forwarded_id, Path(name))
            if path is None:
                await self._tell(forwarded_id, _gone, cause=cause)
                return
            parts = Path(name) / "parts"
            message = await self.sandbox.run(parse_message, path, work_dir=parts, timeout_seconds=READ_SECONDS)
            wanted = [int(place) for place in places.split(",")]
            files = tuple(message.attachments[place] for place in wanted if place < len(message.attachments))
            staged = await self.stager.stage(files, work_dir=Path(name))
        await self._tell(forwarded_id, lambda work, one: _add(work, one, staged), cause=cause)

    async def _raw(self, forwarded_id: int, folder: Path) -> Path | None:
        """The mail as it came; None if its text is not kept any more."""
        row = await self.database.in_read(lambda session: _text_of(session, forwarded_id))
        raw, key = row
        if raw is None and key is None:
            return None
        path = folder / "mail.eml"
        await asyncio.to_thread(self._write, raw, key, path)
        return path

    def _write(self, raw: bytes | None, key: str | None, path: Path) -> None:
        if key is None:
            path.write_bytes(raw or b"")
        else:
            self.blobs.get_file(key, path)

    async def _tell(self, forwarded_id: int, outcome: Outcome, *, cause: str) -> None:
        def tell(work: Work) -> None:
            forwarded = work.session.get_one(Forwarded, forwarded_id)
            user = work.session.get_one(User, forwarded.user_id)
            with speaking(user.language):
                told = outcome(work, forwarded)
                Answers(work).tell(told, user=user, identity=self.identity, cause=f"forwarded:{cause}")

        await self.database.in_work(tell)


def _text_of(session: Session, forwarded_id: int) -> tuple[bytes | None, str | None]:
    mine = sa.select(Inbound.raw, Inbound.raw_key).join(Forwarded, Forwarded.inbound_id == Inbound.id)
    row = session.execute(mine.where(Forwarded.id == forwarded_id)).one_or_none()
    return (None, None) if row is None else (row.raw, row.raw_key)


def _article(path: Path, *, work_dir: Path) -> ReadEntry | None:
    """Runs in a worker process: the mail within the mail, cleaned as a newsletter is."""
    message = parse_message(path, work_dir=work_dir / "parts")
    inner = read_inner(message, path, work_dir=work_dir)
    letter = read_letter(
        LetterText(
            message_id=message.message_id or "",
            subject=inner.subject,
            author_name=inner.author,
            author_address="",
            sent_at=None,
            html=inner.html,
            text=inner.text,
        )
    )
    return letter.entry if letter.entry.reading.words >= SHORTEST else None


def _keep(work: Work, forwarded_id: int, entry: ReadEntry, *, as_book: bool, cause: str) -> None:
    """An article of the reader's, for their next issue or to make a book of; once for each cause."""
    forwarded = work.session.get_one(Forwarded, forwarded_id)
    wish = work.session.scalars(sa.select(ReadLater).where(ReadLater.cause == cause)).one_or_none()
    if wish is None:
        wish = ReadLater(
            user_id=forwarded.user_id, cause=cause, url=f"mail:{forwarded.reference}", is_now=as_book,
            state=ReadState.FETCHING, created_at=work.now,
        )  # fmt: skip
        work.session.add(wish)
        work.session.flush()
        ReadingList(work).keep(wish, entry)
    if as_book and wish.article_id is not None:
        work.defer(jobs.save_story(wish.article_id, user_id=forwarded.user_id, cause=cause))


def _gone(_work: Work, forwarded: Forwarded) -> Problem:
    return Problem(
        "forwarded.gone",
        _("“{title}” is not kept any more.").format(title=forwarded.title),
        fix=_("Forward it again."),
    )


def _nothing_to_read(_work: Work, forwarded: Forwarded) -> Problem:
    return Problem(
        "forwarded.empty",
        _("There is nothing to read in “{title}” that I could keep.").format(title=forwarded.title),
        fix=_("Forward it as an attachment, or with its text below."),
    )


def _add(work: Work, forwarded: Forwarded, staged: Sequence[Staged]) -> Answer | Problem:
    """What became of the files that were picked."""
    added, said = [], list[Block]()
    for one in staged:
        if isinstance(one, StagedBook):
            try:
                added.append(BookManager(work).add(forwarded.user_id, one).book)
            except BotError as error:
                said.append(Paragraph(f"{one.filename}: {error.text} {error.fix}".strip()))
        elif isinstance(one, RefusedAttachment):
            said.append(Paragraph(f"{one.filename}: {one.text} {one.fix}".strip()))
    if not added:
        text = _("None of the files of “{title}” could be added.").format(title=forwarded.title)
        return Problem("forwarded.refused", text, blocks=tuple(said))
    title = ngettext("Added: {title}", "{count} books added", len(added)).format(title=added[0].title, count=len(added))
    steps = (*(Step(_("Send {title}").format(title=book.title), f"send #{book.id}") for book in added[:5]),)
    return Answer(title, (*said, Steps((*steps, Step(_("My books"), "list")))))
