"""The one door: a mail is a committed row and a committed job before its peer is told that it was taken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

import structlog

from bot.intake.entry import Enter, Row
from bot.intake.received import Receipt, ReceivedMail
from core.errors import Unavailable
from core.ports import BlobStore
from core.references import new_reference
from core.staging import BlobKind, blob_key

MAX_BATCH = 128  # rows a commit; a mail in the row below 256 KiB, so at most 32 MiB a transaction
MEDIA_TYPE = "message/rfc822"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A mail that waits for its commit. `raw_key` is where its content stands if that is not in the row."""

    mail: ReceivedMail
    raw_key: str | None
    receipt: asyncio.Future[Receipt]


class Acceptor:
    """Takes mails from every intake and commits them, those that come together in one transaction.

    While one commit is on its way to the disk the next batch gathers, so a lone mail waits for nothing and a crowd
    shares its waits. One thread writes it all: the database has one writer anyway. It takes what has gathered without
    asking the event loop, to which the acceptor belongs, and which may be busy.
    """

    def __init__(
        self,
        enter: Enter,
        blobs: BlobStore,
        *,
        make_reference: Callable[[], str] = new_reference,
    ) -> None:
        self._enter_rows = enter
        self._blobs = blobs
        self._make_reference = make_reference
        self._gathering: SimpleQueue[_Entry | None] = SimpleQueue()  # None is its end
        self._writer = Thread(target=self._write, name="accept", daemon=True)  # begins with the first mail
        self._unsettled = 0
        self._at_rest = asyncio.Event()
        self._storing: set[asyncio.Task[Receipt]] = set()
        self._is_closed = False

    async def accept(self, mail: ReceivedMail) -> Receipt:
        """Commit the mail. Raises `Unavailable` if it could not be; then nothing is promised, and it may come again.

        To cancel the call does not cancel the commit: the peer may have hung up, but the mail is here.
        """
        if self._is_closed:
            raise Unavailable("the service is going down")
        if isinstance(mail.content, bytes):
            return await self._enter(mail, raw_key=None)
        task = asyncio.create_task(self._accept_file(mail, mail.content))
        self._storing.add(task)
        task.add_done_callback(self._stored)
        return await asyncio.shield(task)

    @property
    def is_busy(self) -> bool:
        """Whether a mail is on its way to the disk."""
        return bool(self._storing or self._unsettled)

    async def close(self) -> None:
        """Finish what was handed in; what comes later is `Unavailable`."""
        self._is_closed = True
        while self.is_busy:
            if self._storing:
                await asyncio.wait(self._storing)
            if self._unsettled:
                await self._at_rest.wait()
        if self._writer.ident is not None:
            self._gathering.put(None)
            self._writer.join()

    async def _accept_file(self, mail: ReceivedMail, path: Path) -> Receipt:
        key = blob_key(BlobKind.MAIL, mail.content_hash, extension="eml")
        try:
            await asyncio.to_thread(self._store, path, key=key)
        except Unavailable:
            raise
        except Exception as error:  # the end of a job: whatever broke, the peer is told to come again
            log.exception("mail_not_stored", content_hash=mail.content_hash)
            raise Unavailable("the mail could not be stored") from error
        return await self._enter(mail, raw_key=key)

    def _store(self, path: Path, *, key: str) -> None:
        try:
            self._blobs.put_file(key, path, media_type=MEDIA_TYPE)
        finally:
            path.unlink(missing_ok=True)

    def _stored(self, task: asyncio.Task[Receipt]) -> None:
        self._storing.discard(task)
        _note_if_nobody_asks(task)

    def _enter(self, mail: ReceivedMail, *, raw_key: str | None) -> asyncio.Future[Receipt]:
        receipt: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        receipt.add_done_callback(_note_if_nobody_asks)
        self._unsettled += 1
        self._at_rest.clear()
        self._gathering.put(_Entry(mail, raw_key, receipt))
        if self._writer.ident is None:
            self._writer.start()
        return receipt

    def _write(self) -> None:
        while batch := self._next_batch():
            loop = batch[0].receipt.get_loop()
            loop.call_soon_threadsafe(self._settle, batch, self._commit_or_split(batch))

    def _next_batch(self) -> list[_Entry]:
        """What has gathered, once there is something; nothing at the end."""
        batch: list[_Entry] = []
        while (entry := self._gathering.get()) is not None:
            batch.append(entry)
            if len(batch) == MAX_BATCH or self._gathering.empty():
                break
        return batch

    def _settle(self, batch: Sequence[_Entry], outcomes: Sequence[Receipt | Unavailable]) -> None:
        for entry, outcome in zip(batch, outcomes, strict=True):
            if entry.receipt.done():  # its peer hung up
                continue
            if isinstance(outcome, Receipt):
                entry.receipt.set_result(outcome)
            else:
                entry.receipt.set_exception(outcome)
        self._unsettled -= len(batch)
        if not self._unsettled:
            self._at_rest.set()

    def _commit_or_split(self, batch: Sequence[_Entry]) -> Sequence[Receipt | Unavailable]:
        """One outcome for each entry. A batch that fails is tried mail by mail: one must not fail the others."""
        try:
            return self._commit(batch)
        except Unavailable as error:  # the database is away, for one mail as for all
            return [_unavailable(error) for _ in batch]
        except Exception as error:  # the end of a job: whatever broke, the peer is told to come again
            if len(batch) == 1:
                log.exception("mail_not_committed", content_hash=batch[0].mail.content_hash)
                return [_unavailable(error)]
        return [outcome for entry in batch for outcome in self._commit_or_split([entry])]

    def _commit(self, batch: Sequence[_Entry]) -> list[Receipt]:
        rows = [self._row(entry) for entry in batch]
        return [
            Receipt(reference, is_duplicate=reference != row["reference"])
            for row, reference in zip(rows, self._enter_rows(rows), strict=True)
        ]

    def _row(self, entry: _Entry) -> Row:
        mail = entry.mail
        return {
            "reference": self._make_reference(),
            "dedupe_key": mail.dedupe_key,
            "mail_key": mail.mail_key,
            "intake": mail.intake,
            "peer_ip": mail.peer.ip,
            "helo": mail.peer.helo,
            "auth_user": mail.peer.auth_user,
            "tls": mail.peer.tls,
            "mailbox": mail.peer.mailbox,
            "mail_from": mail.envelope.mail_from,
            "rcpt_tos": list(mail.envelope.rcpt_tos),
            "size_bytes": mail.size_bytes,
            "raw": mail.content if isinstance(mail.content, bytes) else None,
            "raw_key": entry.raw_key,
        }


def _unavailable(error: Exception) -> Unavailable:
    failure = Unavailable(f"the mail could not be committed: {error}")
    failure.__cause__ = error
    return failure


def _note_if_nobody_asks(receipt: asyncio.Future[Receipt]) -> None:
    """Take the failure off a mail whose peer hung up; the commit has logged it, and the peer sends the mail again."""
    if not receipt.cancelled():
        receipt.exception()
