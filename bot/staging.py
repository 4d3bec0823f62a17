"""Attachments to blobs: opened in a worker process under limits, stored under their hash, before any transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import ParamSpec, TypeVar

from bot.sandbox import Sandbox, SandboxError, SandboxTimeout
from core.books.archive import unpack_archive
from core.books.limits import BookLimits
from core.books.mailed import name_of
from core.books.open import open_book
from core.errors import BotError, RefusedFile
from core.i18n import _
from core.mail.message import Attachment
from core.news.opml import MOST_BYTES, NotOpml, Opml, read_opml
from core.ports import BlobStore
from core.staging import BlobKind, blob_key, file_sha256
from core.values import OpenedBook, RefusedAttachment, Staged, StagedBook, StagedFeedList

P = ParamSpec("P")
T = TypeVar("T")

OPEN_TIMEOUT_SECONDS = 10.0  # the slowest sound book that we have met opens in well under one
COVER_TYPE = "image/jpeg"


@dataclass(frozen=True, slots=True)
class _File:
    """What may be a book."""

    name: str
    path: Path
    sha256: str = ""
    """Where the mail's reader has taken it."""


@dataclass(frozen=True, slots=True)
class Stager:
    """Makes `StagedBook`s and `StagedFeedList`s of a mail's attachments. Nothing of a refused file is stored."""

    blobs: BlobStore
    sandbox: Sandbox
    limits: BookLimits

    async def stage(
        self,
        attachments: tuple[Attachment, ...],
        *,
        work_dir: Path,
        opened: Mapping[Path, OpenedBook | BotError] = MappingProxyType({}),
    ) -> tuple[Staged, ...]:
        """One entry for each file that was sent, those inside an archive each their own, in order.

        Pictures in the text are nobody's books. `work_dir` is the caller's to delete, `opened` what came of files that
        were opened with their mail. Raises `Unavailable` where the
        store does not answer.
        """
        staged: list[Staged] = []
        for number, attachment in enumerate(attachments):
            if attachment.is_inline:
                continue
            place = work_dir / f"attachment-{number}"
            place.mkdir()
            filename = name_of(attachment)
            if attachment.is_feed_list:
                staged.append(await self._stage_list(attachment.path, filename=filename))
                continue
            try:
                files = await self._files(attachment, filename=filename, work_dir=place)
            except BotError as error:
                staged.append(_refused(filename, error))
            else:
                staged += [await self._stage_file(file, opened.get(file.path), work_dir=place) for file in files]
        return tuple(staged)

    async def _files(self, attachment: Attachment, *, filename: str, work_dir: Path) -> list[_File]:
        if not attachment.is_archive:
            return [_File(filename, attachment.path, attachment.sha256)]
        unpacked = await self._guarded(
            unpack_archive, attachment.path, filename=filename, work_dir=work_dir, limits=self.limits
        )
        return [_File(name, path) for name, path in unpacked]

    async def _stage_file(self, file: _File, opened: OpenedBook | BotError | None, *, work_dir: Path) -> Staged:
        book = opened if opened is not None else await self._open(file, work_dir=work_dir)
        if isinstance(book, BotError):
            return _refused(file.name, book)
        return await asyncio.to_thread(self._store, book, file.name)

    async def _open(self, file: _File, *, work_dir: Path) -> OpenedBook | BotError:
        try:
            return await self._guarded(
                open_book, file.path, filename=file.name, work_dir=work_dir, limits=self.limits, sha256=file.sha256
            )
        except BotError as error:
            return error

    async def _stage_list(self, path: Path, *, filename: str) -> StagedFeedList | RefusedAttachment:
        try:
            return StagedFeedList(filename, await self._guarded(_read_list, path))
        except BotError as error:
            return _refused(filename, error)

    async def _guarded(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`function` in a worker process; what its file does to the process is the file's fault, and told."""
        call: Callable[..., T] = function
        try:
            return await self.sandbox.run(call, *args, timeout_seconds=OPEN_TIMEOUT_SECONDS, **kwargs)
        except SandboxTimeout as error:
            raise RefusedFile(
                _("The file takes too long to read."),
                fix=_("It may be damaged: open it on a computer, save it again and send that."),
                code="file.too-slow",
            ) from error
        except SandboxError as error:
            raise RefusedFile(
                _("The file takes more memory to read than a book may."),
                fix=_("It may be damaged: open it on a computer, save it again and send that."),
                code="file.too-hungry",
            ) from error

    def _store(self, book: OpenedBook, filename: str) -> StagedBook:
        key = blob_key(BlobKind.BOOK, book.sha256, extension=book.format.value)
        self.blobs.put_file(key, book.path, media_type=book.format.media_type)
        return StagedBook(
            filename=filename,
            format=book.format,
            size_bytes=book.size_bytes,
            sha256=book.sha256,
            storage_key=key,
            cover_key=self._store_cover(book.cover_path),
            metadata=book.metadata,
            thumbnail=book.thumbnail,
        )

    def _store_cover(self, path: Path | None) -> str | None:
        if path is None:
            return None
        key = blob_key(BlobKind.COVER, file_sha256(path), extension="jpg")
        self.blobs.put_file(key, path, media_type=COVER_TYPE)
        return key


def _read_list(path: Path) -> Opml:
    """Runs in a worker process. Raises `RefusedFile`."""
    with path.open("rb") as file:
        body = file.read(MOST_BYTES + 1)  # one more than it may have, so that a longer one is told
    try:
        return read_opml(body)
    except NotOpml as error:
        raise RefusedFile(
            error.text, fix=_("Export the list from your feed reader again."), code="file.opml"
        ) from error


def _refused(filename: str, error: BotError) -> RefusedAttachment:
    return RefusedAttachment(filename=filename, code=error.code, text=error.text, fix=error.fix)
