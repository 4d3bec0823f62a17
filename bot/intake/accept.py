"""The one door: a mail is a committed row and a committed job before its peer is told that it was taken."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects import postgresql, sqlite

from core.errors import Unavailable
from core.jobs import process_mail
from core.models import Inbound
from core.ports import BlobStore
from core.references import new_reference
from core.staging import BlobKind, blob_key
from core.values import Envelope, Peer
from core.work import Work

MAX_BATCH = 128  # rows a commit; a mail in the row below 256 KiB, so at most 32 MiB a transaction
MEDIA_TYPE = "message/rfc822"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """A mail as an intake has it: what the peer sent, byte for byte, and what is known of how it came."""

    intake: str
    """`smtp`, `lmtp`, `imap`, `cli`."""
    peer: Peer
    envelope: Envelope
    content: bytes | Path
    """The octets, or a spool file, which belongs to the acceptor from the call on: it deletes it."""
    size_bytes: int
    content_hash: str
    """Lower-case hex, 64 digits: the same octets have the same, others another."""
    mail_key: str
    """The same for a mail that comes again, by whatever way: `MailDigest.mail_key`."""

    @property
    def dedupe_key(self) -> str:
        """Lower-case hex, the same when the mail is brought again as it was before; then it is not taken again.

        All that its belief may rest on is in it: the way, the client, the login, for whom. A copy that somebody else
        brings first, and that nobody believes, must not keep the real one out. What two copies that are both believed
        may do together is settled when they are processed: `Inbox.first_copy`.
        """
        rcpt_tos = sorted({rcpt_to.lower() for rcpt_to in self.envelope.rcpt_tos})
        way = (self.mail_key, self.intake, self.peer.ip or "", self.peer.auth_user or "", *rcpt_tos)
        if self.peer.mailbox:
            way = (*way, self.peer.mailbox)
        return hashlib.sha256("\n".join(way).encode("utf-8", "surrogateescape")).hexdigest()


@dataclass(frozen=True, slots=True)
class Receipt:
    """A mail is on disk, and its job with it. `reference` is the first one where the mail had come before."""

    reference: str
    is_duplicate: bool


@dataclass(frozen=True, slots=True)
class _Entry:
    """A mail that waits for its commit. `raw_key` is where its content stands if that is not in the row."""

    mail: ReceivedMail
    raw_key: str | None
    receipt: asyncio.Future[Receipt]


class Acceptor:
    """Takes mails from every intake and commits them, those that come together in one transaction.

    While one commit is on its way to the disk the next batch gathers, so a lone mail waits for nothing and a crowd
    shares its waits. One thread writes it all: the database has one writer anyway. Belongs to one event loop.
    """

    def __init__(
        self,
        open_work: Callable[[], AbstractContextManager[Work]],
        blobs: BlobStore,
        *,
        make_reference: Callable[[], str] = new_reference,
    ) -> None:
        self._open_work = open_work
        self._blobs = blobs
        self._make_reference = make_reference
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="accept")
        self._gathering: list[_Entry] = []
        self._committing: asyncio.Task[None] | None = None
        self._storing: set[asyncio.Task[Receipt]] = set()
        self._is_closed = False

    async def accept(self, mail: ReceivedMail) -> Receipt:
        """Commit the mail. Raises `Unavailable` if it could not be; then nothing is promised, and it may come again.

        To cancel the call does not cancel the commit: the peer may have hung up, but the mail is here.
        """
        if self._is_closed:
            raise Unavailable("the service is going down")
        if isinstance(mail.content, bytes):
            return await asyncio.shield(self._enter(mail, raw_key=None))
        task = asyncio.create_task(self._accept_file(mail, mail.content))
        self._storing.add(task)
        task.add_done_callback(self._stored)
        return await asyncio.shield(task)

    @property
    def is_busy(self) -> bool:
        """Whether a mail is on its way to the disk."""
        return bool(self._storing) or self._committing is not None

    async def close(self) -> None:
        """Finish what was handed in; what comes later is `Unavailable`."""
        self._is_closed = True
        while self.is_busy:
            await asyncio.wait([*self._storing, *filter(None, [self._committing])])
        self._writer.shutdown()

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
        self._gathering.append(_Entry(mail, raw_key, receipt))
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit_what_gathers())
        return receipt

    async def _commit_what_gathers(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._gathering:
                batch, self._gathering = self._gathering[:MAX_BATCH], self._gathering[MAX_BATCH:]
                outcomes = await loop.run_in_executor(self._writer, self._commit_or_split, batch)
                for entry, outcome in zip(batch, outcomes, strict=True):
                    if isinstance(outcome, Receipt):
                        entry.receipt.set_result(outcome)
                    else:
                        entry.receipt.set_exception(outcome)
        finally:
            self._committing = None

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
        references = [self._make_reference() for _ in batch]
        with self._open_work() as work:
            connection = work.session.connection()
            enter = _enter_sqlite if connection.dialect.name == "sqlite" else _enter_postgresql
            rows = [_row(entry, reference, work) for entry, reference in zip(batch, references, strict=True)]
            receipts = []
            for row, (inbound_id, reference) in zip(rows, enter(connection, rows), strict=True):
                is_new = reference == row["reference"]
                receipts.append(Receipt(reference, is_duplicate=not is_new))
                if is_new:
                    work.defer(process_mail(inbound_id, order_key=row["mail_from"].lower() or row["mail_key"]))
        return receipts


_TABLE = Inbound.metadata.tables[Inbound.__tablename__]
_SQLITE = sqlite.dialect()


def _enter_postgresql(connection: sa.Connection, rows: list[dict[str, Any]]) -> list[tuple[int, str]]:
    """(id, reference) of what then stands for each row: the row itself, or the mail that came before."""
    connection.execute(_INSERT_POSTGRESQL, rows)
    standing = connection.execute(_STANDING, {"keys": [row["dedupe_key"] for row in rows]})
    by_key = {key: (inbound_id, reference) for inbound_id, reference, key in standing}
    return [by_key[row["dedupe_key"]] for row in rows]


_INSERT_POSTGRESQL = postgresql.insert(_TABLE).on_conflict_do_nothing(index_elements=["dedupe_key"])
_STANDING = sa.select(_TABLE.c.id, _TABLE.c.reference, _TABLE.c.dedupe_key).where(
    _TABLE.c.dedupe_key.in_(sa.bindparam("keys", expanding=True))
)


def _to_driver(column: sa.Column[Any]) -> Callable[[Any], Any]:
    """Makes of a value what SQLAlchemy would tell the driver of SQLite."""
    bind = column.type.dialect_impl(_SQLITE).bind_processor(_SQLITE)
    return lambda value: value if value is None or bind is None else bind(value)


_COLUMNS_SQLITE = [
    (column.name, getattr(column.default, "arg", None), _to_driver(column))
    for column in _TABLE.columns
    if not column.primary_key
]
_INSERT_SQLITE = f"""
INSERT INTO {_TABLE.name} ({", ".join(name for name, *_ in _COLUMNS_SQLITE)})
VALUES ({", ".join("?" * len(_COLUMNS_SQLITE))})
ON CONFLICT (dedupe_key) DO NOTHING RETURNING id, reference
"""
_STANDING_SQLITE = f"SELECT id, reference FROM {_TABLE.name} WHERE dedupe_key = ?"


def _enter_sqlite(connection: sa.Connection, rows: list[dict[str, Any]]) -> list[tuple[int, str]]:
    """See `_enter_postgresql`. On the driver itself: for a lone mail SQLAlchemy takes as long as all else together."""
    driver = cast(sqlite3.Connection, connection.connection.driver_connection)
    standing: list[tuple[int, str]] = []
    for row in rows:
        values = [to_driver(row.get(name, default)) for name, default, to_driver in _COLUMNS_SQLITE]
        found = driver.execute(_INSERT_SQLITE, values).fetchall() or driver.execute(
            _STANDING_SQLITE, (row["dedupe_key"],)
        )
        standing += found
    return standing


def _row(entry: _Entry, reference: str, work: Work) -> dict[str, Any]:
    mail = entry.mail
    return {
        "reference": reference,
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
        "received_at": work.now,
    }


def _unavailable(error: Exception) -> Unavailable:
    failure = Unavailable(f"the mail could not be committed: {error}")
    failure.__cause__ = error
    return failure


def _note_if_nobody_asks(receipt: asyncio.Future[Receipt]) -> None:
    """Take the failure off a mail whose peer hung up; the commit has logged it, and the peer sends the mail again."""
    if not receipt.cancelled():
        receipt.exception()
