"""One connection to a mailbox (RFC 3501 with IDLE, MOVE and UIDPLUS), over imapclient 4.1.

imapclient waits as long as a server drips octets, and holds all that it says; a mailbox at somebody else's house gets
a deadline for each command and a bound on each answer. It raises what its parsers trip over: here that is one error.
"""

from __future__ import annotations

import imaplib
import io
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from types import TracebackType
from typing import TypeGuard, cast

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import LoginError
from pydantic import SecretStr

from bot.tls import trusting
from bot.transport import Security, is_loopback

COMMAND_SECONDS = 60.0  # for all of a command and its answer, the connection and its TLS included
CONNECT_SECONDS = 20.0
CHUNK_BYTES = 1024 * 1024  # a mail of 68 MB comes as fast in such pieces as whole, and costs one of them of memory
MAX_ANSWER_BYTES = 8 * CHUNK_BYTES  # a command's: a piece of a mail, or the UIDs of a million mails
MAX_UID = 2**32 - 1  # RFC 3501 2.3.1.1; also of a UIDVALIDITY
IDLE_SECONDS = 28 * 60.0  # RFC 2177 3: to be renewed before 29 minutes are over
TEMPORARY = ("[UNAVAILABLE]", "[INUSE]", "[LIMIT]", "[SERVERBUG]")  # RFC 5530 3: says nothing about the password


@dataclass(frozen=True, slots=True)
class ImapAccount:
    """A mailbox that mail is fetched from."""

    host: str
    """Its server."""
    user: str
    """To log in with."""
    password: SecretStr
    """To log in with; an app password where the provider has such."""
    port: int = 993
    """993 for TLS, 143 for STARTTLS."""
    security: Security = Security.TLS
    """`tls`, `starttls` or `plain`. The first two are never given up for less."""
    ca_file: str = ""
    """A PEM file of authorities to believe instead of the system's."""
    folder: str = "INBOX"
    """The folder that is read. Best one that nobody else reads: what is marked as read before we see it first stays."""
    done_folder: str = ""
    """The folder that mails are moved to when they are taken; where empty they stay, marked as read."""
    authserv_id: str = ""
    """The name with which the provider signs the Authentication-Results that it puts on every mail, such as
    `mx.google.com`: its word for DMARC is then believed. Only for a provider that removes fields of that name which
    come from outside (RFC 8601 5); where empty, we look at signatures ourselves and at nothing else."""

    def __post_init__(self) -> None:
        if self.security is Security.PLAIN and not is_loopback(self.host):
            raise ValueError("a login needs security = 'tls' or 'starttls', so that nobody on the way can read it")

    @property
    def name(self) -> str:
        """For rows, logs and metrics."""
        return f"{self.user}@{self.host}:{self.port}/{self.folder}"[:500]


class ImapDown(Exception):
    """The server is away, or says what makes no sense; another try later may go better."""


class ImapRefused(Exception):
    """The server does not take our login: until somebody changes something, another try makes it worse."""


class MailAway(Exception):
    """The mail was expunged before it was fetched."""


@dataclass(frozen=True, slots=True)
class FolderState:
    """A folder as SELECT shows it."""

    uid_validity: int
    next_uid: int
    """0 where the server does not say."""


@dataclass(slots=True)
class _Bounds:
    """What a server may cost us: so many octets, and so much time, for each command."""

    socket: socket.socket | None = None
    left_bytes: int = MAX_ANSWER_BYTES
    is_cut: bool = field(default=False)

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        self.left_bytes = MAX_ANSWER_BYTES
        timer = threading.Timer(seconds, self.cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def spend(self, size_bytes: int) -> None:
        self.left_bytes -= size_bytes
        if self.left_bytes < 0 or self.is_cut:  # what the kernel holds already would still be read behind a cut
            raise imaplib.IMAP4.abort("the answer is too long")

    def cut(self) -> None:
        """End whatever waits for the server, from any thread. Not `close`: the descriptor may be another's by then."""
        self.is_cut = True
        if self.socket is not None:
            try:
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)  # below TLS, which would talk to the peer first
            except OSError:  # it has ended already
                return


class _BoundedProtocol(imaplib.IMAP4):
    """imaplib (3.11), with bounds on what it reads. It would make room for any literal that a server announces."""

    def __init__(self, host: str, port: int, *, tls: ssl.SSLContext | None, bounds: _Bounds) -> None:
        self._tls, self._bounds = tls, bounds
        super().__init__(host, port)

    def _create_socket(self, timeout: float | None = None) -> socket.socket:
        made = socket.create_connection((self.host, self.port), timeout=CONNECT_SECONDS)
        made.settimeout(COMMAND_SECONDS)
        if self._tls is not None:
            made = self._tls.wrap_socket(made, server_hostname=self.host, do_handshake_on_connect=False)
        self._bounds.socket = made
        if self._bounds.is_cut:
            raise OSError("cut short")
        if isinstance(made, ssl.SSLSocket):
            made.do_handshake()
        return made

    def read(self, size: int) -> bytes:
        self._bounds.spend(size)
        return super().read(size)

    def is_told(self, seconds: float) -> bool:
        """Whether the server says something unasked, within so long; a connection that it closes ends the wait too.

        It may have come in one segment with the line before: then it was read with it, and poll(2) knows nothing of it.
        imapclient's `idle_check` asks poll(2) alone, and takes a line that comes in pieces for a broken one.
        """
        self.sock.setblocking(False)
        try:
            with suppress(ssl.SSLWantReadError):
                if cast(io.BufferedReader, self.file).peek():
                    return True
        finally:
            self.sock.settimeout(COMMAND_SECONDS)
        poller = select.poll()
        poller.register(self.sock, select.POLLIN)
        return bool(poller.poll(seconds * 1000))

    def readline(self) -> bytes:
        line = super().readline()
        self._bounds.spend(len(line or b""))
        return line


class _Client(IMAPClient):
    """imapclient on our protocol."""

    def __init__(self, account: ImapAccount, *, tls: ssl.SSLContext | None, bounds: _Bounds) -> None:
        self._protocol_tls, self._bounds = tls, bounds
        patience = SocketTimeout(COMMAND_SECONDS, COMMAND_SECONDS)
        super().__init__(account.host, account.port, ssl=tls is not None, timeout=patience)
        self.protocol = cast(_BoundedProtocol, self._imap)

    def _create_IMAP4(self) -> imaplib.IMAP4:  # noqa: N802 - imapclient's name
        return _BoundedProtocol(self.host, self.port, tls=self._protocol_tls, bounds=self._bounds)


class ImapConnection:
    """Logged in from `with` to its end. Every call blocks, and may raise `ImapDown`; for one thread, but for `cut`."""

    def __init__(self, account: ImapAccount) -> None:
        self._account = account
        self._bounds = _Bounds()
        self._opened: _Client | None = None
        self._told = 0

    def __enter__(self) -> ImapConnection:
        """Raises `ImapRefused` for a login that is not taken."""
        try:
            with self._talking():
                self._open()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._close()

    def cut(self) -> None:
        """End it at once, whatever it waits for."""
        self._bounds.cut()

    def _open(self) -> None:
        account = self._account
        is_plain, is_later = (account.security is one for one in (Security.PLAIN, Security.STARTTLS))
        context = None if is_plain else trusting(account.ca_file)
        client = self._opened = _Client(account, tls=None if is_later else context, bounds=self._bounds)
        if is_later:
            client.starttls(context)
            self._bounds.socket = client.socket()
        try:
            client.login(account.user, account.password.get_secret_value())
        except LoginError as error:
            reason = _text(error)
            if self._bounds.is_cut or any(code in reason.upper() for code in TEMPORARY):
                raise ImapDown(reason) from error
            raise ImapRefused(reason) from error
        if account.done_folder and not client.folder_exists(account.done_folder):
            client.create_folder(account.done_folder)

    def _close(self) -> None:
        self._bounds.cut()  # no LOGOUT: nothing is left to be said, and a server that hangs would hold us up
        if self._bounds.socket is not None:
            self._bounds.socket.close()
        if self._opened is not None:
            self._opened.protocol.file.close()

    @property
    def _client(self) -> _Client:
        assert self._opened is not None, "used outside of its `with`"
        return self._opened

    @contextmanager
    def _talking(self, idle_seconds: float = 0) -> Iterator[None]:
        seconds = COMMAND_SECONDS + idle_seconds
        try:
            with self._bounds.within(seconds):
                yield
        except (ImapDown, ImapRefused, MailAway):
            raise
        except Exception as error:  # what the parsers of imaplib and imapclient trip over is legion
            reason = f"no answer within {seconds:g} s" if self._bounds.is_cut else _text(error)
            raise ImapDown(reason) from error

    def select(self) -> FolderState:
        """The folder, with what has come since."""
        with self._talking():
            found = self._client.select_folder(self._account.folder)
            self._told = self._count_told()
            uid_validity, next_uid = found.get(b"UIDVALIDITY"), found.get(b"UIDNEXT", 0)
            if not _is_uid(uid_validity) or not (next_uid == 0 or _is_uid(next_uid)):
                raise ImapDown(f"UIDVALIDITY {uid_validity!r} and UIDNEXT {next_uid!r} are no numbers of a folder")
            return FolderState(uid_validity, next_uid)

    def unread(self) -> list[int]:
        """UIDs, ascending, of the mails that nobody has read."""
        return self._search("UNSEEN")

    def since(self, day: date) -> list[int]:
        """UIDs, ascending, of the mails that came on a day or after it, by the server's clock."""
        return self._search("SINCE", day)

    def above(self, next_uid: int) -> list[int]:
        """UIDs, ascending, from this one on. (`*` is the last mail, however low its UID: RFC 3501 6.4.8.)"""
        return [uid for uid in self._search("UID", f"{next_uid}:*") if uid >= next_uid]

    def _search(self, *criteria: str | date) -> list[int]:
        with self._talking():
            return sorted({uid for uid in self._client.search(list(criteria)) if _is_uid(uid)})

    def size(self, uid: int) -> int:
        """What the server takes for the size of a mail. Raises `MailAway`."""
        with self._talking():
            size = self._item(uid, "RFC822.SIZE", b"RFC822.SIZE")
            return size if isinstance(size, int) else 0

    def content(self, uid: int) -> Iterator[bytes]:
        """A mail in pieces, which stays as unread as it was. Raises `MailAway` where it is gone, or goes on the way."""
        offset = 0
        while True:
            with self._talking():
                piece = self._item(uid, f"BODY.PEEK[]<{offset}.{CHUNK_BYTES}>", b"BODY[]<%d>" % offset)
            if not isinstance(piece, bytes | None) or len(piece or b"") > CHUNK_BYTES:
                raise ImapDown("what the server sent is no piece of a mail")
            if piece is None and offset == 0:
                raise MailAway
            if piece:
                yield piece
            if len(piece or b"") < CHUNK_BYTES:  # RFC822.SIZE is an estimate at some servers; this is the end
                return
            offset += CHUNK_BYTES

    def _item(self, uid: int, item: str, name: bytes) -> object:
        """One item of one mail. A list of numbers is all that imapclient's `fetch` takes: "1:*" raises."""
        found = self._client.fetch([uid], [item]).get(uid)
        if found is None:
            raise MailAway
        return found.get(name)

    def mark_taken(self, uid: int) -> None:
        """Mark a mail as read, or move it away; a server that does not let us is not worth a word more than a log's.

        Raises `Unmarked` with the server's reason, and then the connection goes on.
        """
        with self._talking():
            try:
                self._client.add_flags([uid], [b"\\Seen"], silent=True)
                if self._account.done_folder:
                    self._move(uid, self._account.done_folder)
            except imaplib.IMAP4.abort:
                raise
            except imaplib.IMAP4.error as error:
                refusal = _text(error)
            else:
                return
        raise Unmarked(refusal)

    def _move(self, uid: int, folder: str) -> None:
        if self._client.has_capability("MOVE"):
            self._client.move([uid], folder)
            return
        self._client.copy([uid], folder)
        self._client.delete_messages([uid], silent=True)
        if self._client.has_capability("UIDPLUS"):  # a plain EXPUNGE would take along what others have deleted
            self._client.uid_expunge([uid])

    def wait(self, seconds: float, *, stop: threading.Event) -> None:
        """Until the server says that something has come, at most so long; where it has no IDLE, so long."""
        if self._has_news():
            return
        if not self._has_idle():
            stop.wait(seconds)
            return
        seconds = min(seconds, IDLE_SECONDS)
        with self._talking():
            self._client.idle()
        with self._talking(idle_seconds=seconds):
            if not stop.is_set() and self._client.protocol.is_told(seconds) and not self._client.protocol.readline():
                raise ImapDown("the server has closed the connection")
        with self._talking():
            self._client.idle_done()

    def _has_news(self) -> bool:
        """Whether the server has told of mails since SELECT. It may do so in any answer, and only once."""
        with self._talking():
            _, said = self._client.noop()
            is_told = any(isinstance(one, tuple) and b"EXISTS" in one for one in said)
            return is_told or self._count_told() > self._told

    def _count_told(self) -> int:
        return len(self._client.protocol.untagged_responses.get("EXISTS", []))  # imaplib's; SELECT begins it anew

    def _has_idle(self) -> bool:
        with self._talking():
            return bool(self._client.has_capability("IDLE"))


class Unmarked(Exception):
    """The server did not mark or move a mail."""


def _is_uid(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and 0 < value <= MAX_UID


def _text(error: BaseException) -> str:
    """What an error says, on one line; without its octets, which may be a mail's."""
    text = " ".join(str(error).split())
    return "".join(char if char.isprintable() else "?" for char in text)[:200] or type(error).__name__
