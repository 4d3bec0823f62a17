"""Real IMAP servers on the loopback, each for a whole session of tests; every test has a user of its own."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from imapclient import IMAPClient
from pydantic import SecretStr

from bot.intake.imap_connection import ImapAccount
from bot.transport import Security
from tests.support.ports import free_port

PASSWORD = "open-sesame"
START_SECONDS = 20.0
_users = itertools.count(1)


class ImapServer(ABC):
    """A server that takes every user with the one password."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """What starts it in the foreground."""

    def start(self) -> None:
        self._process = subprocess.Popen(
            self.command(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        _wait_for(self.port, self._process)

    def stop(self) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=10)

    def restart(self) -> None:
        self.stop()
        self.start()

    def mailbox(self) -> Mailbox:
        return Mailbox(self.port, f"user{next(_users)}@house.test")


class MailDevel(ImapServer):
    """pymap in Python; it forgets everything when it ends, and numbers its folders anew."""

    def command(self) -> list[str]:
        ports = ["--imap-port", str(self.port), "--smtp-port", str(free_port())]
        users = ["--user", "demo@house.test", "--password", PASSWORD, "--multi-user"]
        return [sys.executable, "-m", "mail_devel", "--host", "127.0.0.1", "--no-http", *ports, *users]


DOVECOT = """\
protocols = imap
listen = 127.0.0.1
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{folder}/mail/%u
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={folder}/mail/%u
}}
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
"""


class Dovecot(ImapServer):
    """The one that most mailboxes live in. Needs root, as it does."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="dovecot-", dir="/tmp"))
        self.folder.chmod(0o755)
        for name in ("run", "state", "mail"):
            (self.folder / name).mkdir()
        shutil.chown(self.folder / "mail", "mail", "mail")
        text = DOVECOT.format(folder=self.folder, port=self.port, password=PASSWORD)
        (self.folder / "dovecot.conf").write_text(text)

    def command(self) -> list[str]:
        return ["dovecot", "-F", "-c", str(self.folder / "dovecot.conf")]

    @staticmethod
    def why_not() -> str | None:
        if shutil.which("dovecot") is None:
            return "no Dovecot: apt-get install dovecot-imapd"
        return None if os.geteuid() == 0 else "Dovecot starts as root only"

    def renumber(self, mailbox: Mailbox) -> None:
        """Give the folder another UIDVALIDITY, as a restored backup has it."""
        index = self.folder / "mail" / mailbox.user
        for file in [*index.glob("dovecot.*"), *index.glob("dovecot-uidlist*")]:
            file.unlink()


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A user's mailbox, as their own mail program has it."""

    port: int
    user: str
    folder: str = field(default="INBOX")

    def account(self, *, password: str = PASSWORD, done_folder: str = "") -> ImapAccount:
        return ImapAccount(
            host="127.0.0.1",
            port=self.port,
            user=self.user,
            password=SecretStr(password),
            security=Security.PLAIN,
            done_folder=done_folder,
        )

    @contextmanager
    def opened(self) -> Iterator[IMAPClient]:
        client = IMAPClient("127.0.0.1", self.port, ssl=False, timeout=10)
        try:
            client.login(self.user, PASSWORD)
            yield client
        finally:
            client.shutdown()

    def put(self, *mails: bytes, flags: tuple[bytes, ...] = ()) -> None:
        with self.opened() as client:
            for mail in mails:
                client.append(self.folder, mail, flags=flags)

    def unread(self, folder: str = "INBOX") -> int:
        with self.opened() as client:
            client.select_folder(folder, readonly=True)
            return len(client.search("UNSEEN"))

    def count(self, folder: str = "INBOX") -> int:
        with self.opened() as client:
            client.select_folder(folder, readonly=True)
            return len(client.search("ALL"))

    def empty(self) -> None:
        """Delete everything."""
        with self.opened() as client:
            client.select_folder(self.folder)
            if uids := client.search("ALL"):
                client.delete_messages(uids)
                client.expunge()


@pytest.fixture(scope="session")
def mail_devel() -> Iterator[MailDevel]:
    server = MailDevel()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    if (reason := Dovecot.why_not()) is not None:
        pytest.skip(reason)
    server = Dovecot()
    server.start()
    yield server
    server.stop()
    shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture(params=["mail_devel", "dovecot"])
def imap_server(request: pytest.FixtureRequest) -> ImapServer:
    """Both, one after the other."""
    server: ImapServer = request.getfixturevalue(request.param)
    return server


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as probe:
                probe.recv(100)
                return
        except ConnectionRefusedError:
            if time.monotonic() > deadline or process.poll() is not None:
                raise
            time.sleep(0.02)
