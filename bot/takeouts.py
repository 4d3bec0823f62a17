"""The job `make_takeout`: all that is kept about somebody as archives in mails, and one notice that says so."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import zipfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeVar

import structlog
from sqlalchemy.orm import Session

from core.i18n import _, ngettext, speaking
from core.mail.answer import Answer, Block, Columns, Paragraph, Step, Steps
from core.mail.outgoing import AttachedFile, Identity, most_file_bytes
from core.mail.parcel import compose_parcel
from core.models import Takeout, User
from core.models.outbox import OutboxKind
from core.ports import BlobStore
from core.references import new_reference
from core.services.answers import Answers
from core.services.outbox import Outbox
from core.services.takeouts import COMPRESSION, MAILS_AT_ONCE, Contents, Entry, Plan, contents_of, plan_parts, text_of
from core.sizes import size_in_words
from core.staging import BlobKind, blob_key, file_sha256
from core.work import Work

log = structlog.get_logger(__name__)

T = TypeVar("T")

SizeLimit = Callable[[], Awaitable[int | None]]
"""Asks for the relay's, of a whole encoded mail."""
MAIL_BYTES = 20_000_000  # encoded; Gmail takes 25 MB, Outlook.com 20 MB (both: attachments, as they are counted there)
ARCHIVE_END_BYTES = 22  # APPNOTE 4.3.16
LINK_SECONDS = 7 * 86400.0  # the longest that a signed URL of Cloud Storage (V4) may be good for
MEDIA_TYPE = "application/zip"
COPY_BYTES = 1 << 20


class Database(Protocol):
    """What is needed of `bot.transactions.Transactions`."""

    async def in_work(self, act: Callable[[Work], T]) -> T: ...

    async def in_read(self, ask: Callable[[Session], T]) -> T: ...

    def read(self) -> AbstractContextManager[Session]: ...


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be made."""

    user_id: int
    page: int
    contents: Contents


@dataclass(frozen=True, slots=True)
class _Link:
    """A book that no mail takes, and where it can be fetched for a week; None where nothing can be fetched."""

    entry: Entry
    url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeoutMaker:
    """Makes takeouts. Runs again after any crash: the same files are the same blobs, and mails have causes."""

    database: Database
    blobs: BlobStore
    identity: Identity
    work_root: Path
    size_limit: SizeLimit

    async def make(self, *, takeout_id: int) -> None:
        """The job."""
        now = await self.database.in_work(lambda work: work.now)
        order = await self.database.in_read(lambda session: _load(session, takeout_id, now=now))
        if order is None:
            return
        limit = await self.size_limit()
        budget = most_file_bytes(min(MAIL_BYTES, limit or MAIL_BYTES)) - ARCHIVE_END_BYTES
        plan = plan_parts(order.contents, budget_bytes=budget)
        pages = max(1, -(-len(plan.parts) // MAILS_AT_ONCE))
        page = min(order.page, pages)
        first = (page - 1) * MAILS_AT_ONCE
        with tempfile.TemporaryDirectory(dir=self.work_root) as folder:
            parts = plan.parts[first : first + MAILS_AT_ONCE]
            files = await asyncio.to_thread(self._store, parts, Path(folder), first=first, total=len(plan.parts))
        links = await asyncio.to_thread(self._links, plan)
        await self.database.in_work(
            lambda work: self._finish(work, takeout_id, files, links, page=page, pages=pages, total=len(plan.parts))
        )
        log.info("takeout made", takeout=takeout_id, mails=len(files), books=len(order.contents.books))

    def _store(self, parts: Sequence[Sequence[Entry]], folder: Path, *, first: int, total: int) -> list[AttachedFile]:
        stored = []
        for number, part in enumerate(parts, start=first + 1):
            path = folder / f"{number}.zip"
            self._write(path, part)
            key = blob_key(BlobKind.TAKEOUT, file_sha256(path), extension="zip")
            size_bytes = path.stat().st_size
            self.blobs.put_file(key, path, media_type=MEDIA_TYPE)
            name = f"inkpost-data-{number}-of-{total}.zip"
            stored.append(AttachedFile(key=key, size_bytes=size_bytes, filename=name, media_type=MEDIA_TYPE))
        return stored

    def _write(self, path: Path, part: Sequence[Entry]) -> None:
        """An archive whose bytes depend on its files alone. Books are compressed already."""
        with zipfile.ZipFile(path, "w") as archive:
            for entry in part:
                member = zipfile.ZipInfo(entry.name)
                if entry.key is not None:
                    with self.blobs.open(entry.key) as source, archive.open(member, "w") as target:
                        shutil.copyfileobj(source, target, COPY_BYTES)
                    continue
                content = entry.content
                if entry.inbound_id is not None:
                    with self.database.read() as session:
                        content = text_of(session, entry.inbound_id)
                archive.writestr(member, content or b"", zipfile.ZIP_DEFLATED, COMPRESSION)

    def _links(self, plan: Plan) -> list[_Link]:
        return [
            _Link(
                entry,
                self.blobs.link(entry.key, filename=entry.name.rpartition("/")[2], seconds=LINK_SECONDS)
                if entry.key is not None
                else None,
            )
            for entry in plan.too_large
        ]

    def _finish(
        self,
        work: Work,
        takeout_id: int,
        files: Sequence[AttachedFile],
        links: Sequence[_Link],
        *,
        page: int,
        pages: int,
        total: int,
    ) -> None:
        row = work.session.get(Takeout, takeout_id)
        user = work.session.get(User, row.user_id) if row is not None else None
        if row is None or user is None or row.made_at is not None:
            return
        row.keys, row.made_at = [file.key for file in files], work.now
        with speaking(user.language):
            notice = takeout_notice(files, links, page=page, pages=pages, total=total)
            Answers(work).tell(notice, user=user, identity=self.identity, cause=f"takeout:{row.id}")
            for number, file in enumerate(files, start=(page - 1) * MAILS_AT_ONCE + 1):
                mail = compose_parcel(
                    identity=self.identity,
                    rcpt_to=user.address,
                    reference=new_reference(),
                    date=work.now,
                    subject=_("Your data, {number} of {total}").format(number=number, total=total),
                    text=_("This archive belongs to the mail “{title}”.").format(title=notice.title) + "\n",
                    file=file,
                )
                Outbox(work).enqueue(mail, cause=f"takeout:{row.id}:{number}", kind=OutboxKind.NOTICE, user_id=user.id)


def _load(session: Session, takeout_id: int, *, now: datetime) -> _Order | None:
    row = session.get(Takeout, takeout_id)
    if row is None or row.made_at is not None:
        return None
    return _Order(row.user_id, row.page, contents_of(session, session.get_one(User, row.user_id), now=now))


def takeout_notice(
    files: Sequence[AttachedFile], links: Sequence[_Link], *, page: int, pages: int, total: int
) -> Answer:
    size = size_in_words(sum(file.size_bytes for file in files))
    coming = ngettext("{count} mail with {size} follows.", "{count} mails with {size} follow.", len(files))
    blocks: list[Block] = [
        Paragraph(coming.format(count=len(files), size=size)),
        Paragraph(
            _(
                "The first archive has your settings, your feeds, your mails and every row about you, as JSON; then "
                "come your books."
            )
        ),
    ]
    if links:
        rows = tuple((link.entry.name.rpartition("/")[2], link.url or _("no link")) for link in links)
        blocks.append(Paragraph(_("These books are too large for a mail. A link is good for seven days.")))
        blocks.append(Columns((_("Book"), _("Link")), rows))
        if any(link.url is None for link in links):
            blocks.append(Paragraph(_("This service has no links: ask its operator for the files that have none.")))
    if page < pages:
        blocks.append(Paragraph(_("That is not all: this is page {page} of {pages}.").format(page=page, pages=pages)))
        blocks.append(Steps((Step(_("The next mails"), f"export all {page + 1}"),)))
    title = _("Your data: {total} archives") if total > 1 else _("Your data")
    return Answer(title.format(total=total), tuple(blocks))
