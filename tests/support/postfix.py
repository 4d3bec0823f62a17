"""A real Postfix in a folder of its own, with the lines of `docs/postfix.md`. Needs root, as Postfix does."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.ports import free_port

PAGE = Path(__file__).resolve().parents[2] / "docs" / "postfix.md"
BASE = """\
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.books.example
mydestination =
mynetworks = 192.0.2.0/24
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
maillog_file = {folder}/log/postfix.log
maillog_file_prefixes = {folder}
minimal_backoff_time = 1s
queue_run_delay = 1s
"""
SERVICES = """\
{port}    inet  n       -       n       -       -       smtpd
postlog   unix-dgram n  -       n       -       1       postlogd
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
flush     unix  n       -       n       1000?   0       flush
showq     unix  n       -       n       -       -       showq
proxymap  unix  -       -       n       -       -       proxymap
retry     unix  -       -       n       -       -       error
error     unix  -       -       n       -       -       error
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
"""


def why_not() -> str | None:
    """Why there can be no Postfix here, or None."""
    if shutil.which("postfix") is None:
        return "no Postfix: apt-get install postfix"
    return None if os.geteuid() == 0 else "Postfix starts as root only"


@dataclass(frozen=True, slots=True)
class Postfix:
    port: int
    folder: Path

    @property
    def socket(self) -> Path:
        """Where it looks for Inkpost."""
        return self.folder / "spool" / "inkpost" / "lmtp"

    def flush(self) -> None:
        """Try everything in its queue now."""
        subprocess.run(["postqueue", "-c", str(self.folder / "etc"), "-f"], check=True, timeout=10)

    def queue(self) -> str:
        command = ["postqueue", "-c", str(self.folder / "etc"), "-p"]
        return subprocess.run(command, check=True, timeout=10, capture_output=True, text=True).stdout

    def log(self) -> str:
        return (self.folder / "log" / "postfix.log").read_text("utf-8")


@contextmanager
def running_postfix() -> Iterator[Postfix]:
    """Started; its processes end with the block."""
    with tempfile.TemporaryDirectory(prefix="postfix-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        port = free_port()
        etc = _configure(folder, port)
        (folder / "spool" / "inkpost").mkdir(parents=True)
        shutil.chown(folder / "spool" / "inkpost", group="postfix")
        (folder / "spool" / "inkpost").chmod(0o2750)
        command = ["postfix", "-c", str(etc)]
        subprocess.run([*command, "start"], check=True, timeout=30, capture_output=True)
        try:
            _wait_for(port)
            yield Postfix(port, folder)
        finally:
            subprocess.run([*command, "stop"], check=False, timeout=30, capture_output=True)


def _configure(folder: Path, port: int) -> Path:
    etc = folder / "etc"
    for inner in (etc, folder / "spool", folder / "data", folder / "log"):
        inner.mkdir()
    shutil.chown(folder / "data", user="postfix")
    page = PAGE.read_text("utf-8")
    recipients = etc / "inkpost_recipients"
    recipients.write_text(_lines(page, "inkpost_recipients"))
    main = _lines(page, "main.cf").replace("/etc/postfix/inkpost_recipients", str(recipients))
    main = main.replace(", reject_unknown_sender_domain", "")  # there is no DNS in a test
    (etc / "main.cf").write_text(BASE.format(folder=folder) + main)
    (etc / "master.cf").write_text(SERVICES.format(port=port) + _lines(page, "master.cf"))
    return etc


def _lines(page: str, name: str) -> str:
    """What stands in the page's block of this name."""
    (block,) = re.findall(rf"^```{re.escape(name)}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return str(block)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
