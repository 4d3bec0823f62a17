"""IMAP: mail that is fetched from mailboxes at other houses. A thread for each account, and one door for them all."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import structlog

from bot.intake.imap_connection import (
    FolderState,
    ImapAccount,
    ImapConnection,
    ImapDown,
    ImapRefused,
    MailAway,
    Unmarked,
)
from bot.intake.received import Receipt, ReceivedMail
from bot.intake.spool import MailSpool, SpoolFolder
from bot.transactions import Transactions
from bot.transport import Security
from core.errors import Unavailable
from core.mail.authenticity import OurAddresses
from core.mail.fetched import fetched_envelope
from core.models import ImapFolder
from core.values import Peer
from core.work import Work

T = TypeVar("T")

MIN_PAUSE_SECONDS = 0.2  # between two looks at a folder, however busy a server says that it is
TRIES_FOR_A_MAIL = 8  # twenty minutes; then it is passed over, so that one that cannot be fetched keeps no other back
OVERLAP = timedelta(days=2)  # SEARCH knows days in the server's own zone (RFC 3501 6.4.4), and clocks differ
LONGEST_RETRY_SECONDS, LONGEST_REFUSED_SECONDS = 600.0, 86_400.0
JOIN_SECONDS = 30.0  # a thread that is just connecting cannot be cut short

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ImapSettings:
    """Mailboxes at other houses that mail is fetched from. The size limit of [smtp] holds here too."""

    poll_seconds: float = 60.0
    """How often a folder is looked at, where the server does not say by itself (IDLE) that something has come."""
    retry_seconds: float = 5.0
    """Wait before the next try when a server is away; doubled at each, up to ten minutes."""
    retry_refused_seconds: float = 900.0
    """Wait when a server refuses the login; doubled at each, up to a day. Providers lock accounts for less."""
    accounts: tuple[ImapAccount, ...] = ()
    """Each is a table of its own, `[[imap.accounts]]`."""

    @property
    def providers(self) -> dict[str, str]:
        """The authserv-ids that are believed, by the names of the mailboxes where they are."""
        return {account.name: account.authserv_id for account in self.accounts if account.authserv_id}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImapHouse:
    """What all accounts share."""

    settings: ImapSettings
    database: Transactions
    ours: OurAddresses
    mailbox: str
    """The address that a mail was for which names none of ours."""
    accept: Callable[[ReceivedMail], Awaitable[Receipt]]
    spool: SpoolFolder
    max_message_bytes: int
    observe: Callable[[str, bool], None] = lambda _account, _is_up: None
    """Hears of each account whether it can be read."""


class ImapFetcher:
    """Fetches the mail of all accounts beside the running loop. `start`, then `close`; neither may be called twice."""

    def __init__(self, house: ImapHouse) -> None:
        self.readers = [ImapReader(house, account) for account in house.settings.accounts]

    def start(self) -> None:
        for name in ("imapclient", "imapclient.imaplib"):
            logging.getLogger(name).setLevel(logging.WARNING)  # they would log mails
        loop = asyncio.get_running_loop()
        for reader in self.readers:
            reader.start(loop)

    async def close(self) -> None:
        """A mail that is being committed is finished; one that is being fetched will be fetched again."""
        await asyncio.gather(*(asyncio.to_thread(reader.close) for reader in self.readers))


class ImapReader:
    """One account: connect, take what is new, wait for more; and all over again when something breaks.

    What is taken is marked after it is committed, and what is written down of a folder is written last, so that a
    crash at any point means at most that a mail is fetched twice; the door knows it again.
    """

    def __init__(self, house: ImapHouse, account: ImapAccount) -> None:
        self.account = account
        self.problem: str | None = "not connected yet"
        """For `/readyz`: why the account cannot be read; None if it can."""
        self._house = house
        self._stop = threading.Event()
        self._connection: ImapConnection | None = None
        self._failures = 0
        self._failed: Counter[int] = Counter()
        self._thread = threading.Thread(target=self._run, name=f"imap {account.name}", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread.start()

    def close(self) -> None:
        """Blocks until the thread has ended; the loop has to go on meanwhile."""
        self._stop.set()
        if (connection := self._connection) is not None:
            connection.cut()
        self._thread.join(JOIN_SECONDS)

    async def check(self) -> str | None:
        """For `/readyz`."""
        return self.problem

    def _run(self) -> None:
        settings = self._house.settings
        while not self._stop.is_set():
            try:
                self._serve()
            except Exception as error:  # the thread must not end here: the account is tried again
                if self._stop.is_set():  # whatever broke, we broke it off
                    return
                if isinstance(error, ImapRefused):
                    problem = f"the login is refused: {error}"
                    log.error("imap_login_refused", account=self.account.name, reason=str(error))
                    self._pause(problem, settings.retry_refused_seconds, most_seconds=LONGEST_REFUSED_SECONDS)
                    continue
                if isinstance(error, ImapDown | Unavailable | OSError):  # our own disk or database may be what is away
                    log.warning("imap_account_down", account=self.account.name, reason=str(error))
                else:
                    log.error("imap_reader_failed", account=self.account.name, exc_info=error)
                self._pause(str(error), settings.retry_seconds, most_seconds=LONGEST_RETRY_SECONDS)

    def _pause(self, problem: str, first_seconds: float, *, most_seconds: float) -> None:
        self.problem = problem
        self._house.observe(self.account.name, False)
        seconds = min(first_seconds * 2.0 ** min(self._failures, 30), most_seconds)
        self._failures += 1
        self._stop.wait(seconds * random.uniform(0.9, 1.1))  # noqa: S311 - so that accounts do not come all at once

    def _serve(self) -> None:
        self._connection = connection = ImapConnection(self.account)
        with connection:
            while not self._stop.is_set():
                self._read_folder(connection)
                self.problem, self._failures = None, 0
                self._house.observe(self.account.name, True)
                connection.wait(self._house.settings.poll_seconds, stop=self._stop)
                self._stop.wait(MIN_PAUSE_SECONDS)

    def _read_folder(self, connection: ImapConnection) -> None:
        """Take what is new, oldest first."""
        state = connection.select()
        with self._house.database.read() as session:
            known = ImapFolder.find(session, self.account.name)
        if known is None or known.uid_validity != state.uid_validity:
            self._read_anew(connection, state, known)
            return
        uids = connection.above(known.next_uid)
        for uid in uids:
            self._take_or_pass_over(connection, uid)
            self._note(state, next_uid=uid + 1, read_at=known.read_at)
        if uids:
            self._note(state, next_uid=uids[-1] + 1)

    def _read_anew(self, connection: ImapConnection, state: FolderState, known: ImapFolder | None) -> None:
        """A folder that was never read: what nobody has read. One that has new UIDs: what came since it was last read.

        Much of that may have been taken already, which the door notices. It is written down at the end only; if that is
        not reached, it all begins again.
        """
        if known is None:
            uids = connection.unread()
        else:
            log.warning("imap_folder_renumbered", account=self.account.name, uid_validity=state.uid_validity)
            uids = connection.since((known.read_at - OVERLAP).date())
        for uid in uids:
            self._take_or_pass_over(connection, uid)
        next_uid = state.next_uid or max(connection.above(1), default=0) + 1
        self._note(state, next_uid=max(next_uid, *(uid + 1 for uid in uids[-1:]), 1))

    def _note(self, state: FolderState, *, next_uid: int, read_at: datetime | None = None) -> None:
        def write(work: Work) -> None:
            ImapFolder.note(
                work.session,
                self.account.name,
                uid_validity=state.uid_validity,
                next_uid=next_uid,
                read_at=read_at or work.now,
            )

        self._call(self._house.database.in_work(write))

    def _take_or_pass_over(self, connection: ImapConnection, uid: int) -> None:
        if self._stop.is_set():
            raise ImapDown("the service is going down")
        if self._failed[uid] >= TRIES_FOR_A_MAIL:
            log.error("imap_mail_passed_over", account=self.account.name, uid=uid)
            return
        try:
            self._take(connection, uid)
        except MailAway:
            log.info("imap_mail_away", account=self.account.name, uid=uid)
        except ImapDown:
            self._failed[uid] += 1
            raise
        self._failed.pop(uid, None)

    def _take(self, connection: ImapConnection, uid: int) -> None:
        limit = self._house.max_message_bytes
        if connection.size(uid) > limit:
            self._leave_too_large(uid)
            return
        spool = self._house.spool.new()
        try:
            head = b""
            for piece in connection.content(uid):
                head = head or piece
                if spool.size_bytes + len(piece) > limit:
                    self._leave_too_large(uid)
                    return
                self._call(spool.write(piece))
            receipt = self._accept(spool, head)
        finally:
            spool.discard()
        log.info("mail_accepted", intake="imap", account=self.account.name, uid=uid, reference=receipt.reference)
        try:
            connection.mark_taken(uid)
        except Unmarked as refusal:
            log.warning("imap_mail_not_marked", account=self.account.name, uid=uid, reason=str(refusal))

    def _accept(self, spool: MailSpool, head: bytes) -> Receipt:
        envelope = fetched_envelope(head, self._house.ours, mailbox=self._house.mailbox)
        mail = self._call(spool.finish(envelope))
        peer = Peer(None, tls=self.account.security is not Security.PLAIN, mailbox=self.account.name)
        received = ReceivedMail("imap", peer, envelope, mail.content, mail.size_bytes, mail.content_hash, mail.mail_key)
        return self._call(self._bring(received))

    async def _bring(self, received: ReceivedMail) -> Receipt:
        return await self._house.accept(received)

    def _leave_too_large(self, uid: int) -> None:
        log.warning("imap_mail_too_large", account=self.account.name, uid=uid)

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()
