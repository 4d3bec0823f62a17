"""The servers that are measured: `python -m tests.bench._servers {inkpost,bare} <asyncio|uvloop> <port> <folder>`.

Each runs until it is told SIGTERM. Postfix is started by its own command with a configuration that is made here.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP

from bot.intake.smtp_settings import SmtpSettings
from bot.logs import LogSettings, set_up_logs
from bot.opening import migrate
from core.db import create_engine
from tests.support.fleet import Fleet
from tests.support.intake import running_intake
from tests.support.ports import free_port

POSTFIX_PROCESSES = 100  # its default, and more than the most connections that are measured
MASTER_CF = """\
127.0.0.1:{port} inet n - n - {processes} smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""
MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = {daemons}
myhostname = mx.books.example
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 192.0.2.0/24
mydestination = books.example
local_recipient_maps =
alias_maps =
smtpd_recipient_restrictions = reject_unauth_destination, static:{{HOLD}}
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
smtp_dns_support_level = disabled
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
"""


def why_no_postfix() -> str:
    """Why Postfix cannot be measured here, or ""."""
    if shutil.which("postfix") is None:
        return "not installed"
    return "" if os.geteuid() == 0 else "only root can start it"


@contextlib.contextmanager
def postfix(folder: Path, *, port: int) -> Iterator[None]:
    """A Postfix of its own, which holds whatever it takes."""
    daemons = subprocess.run(["postconf", "-dh", "daemon_directory"], check=True, capture_output=True, text=True).stdout
    for part in ("etc", "queue", "data"):
        (folder / part).mkdir(parents=True)
    shutil.chown(folder / "data", "postfix")
    (folder / "etc/main.cf").write_text(MAIN_CF.format(folder=folder, daemons=daemons.strip()))
    (folder / "etc/master.cf").write_text(MASTER_CF.format(port=port, processes=POSTFIX_PROCESSES))
    for parent in (folder, *folder.parents[:1]):
        parent.chmod(0o755)  # its processes give up root
    command = ["postfix", "-c", str(folder / "etc")]
    subprocess.run([*command, "start"], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run([*command, "stop"], check=True, capture_output=True)


@contextlib.contextmanager
def python_server(name: str, loop: str, folder: Path, *, port: int) -> Iterator[subprocess.Popen[bytes]]:
    folder.mkdir()
    arguments = [sys.executable, "-m", "tests.bench._servers", name, loop, str(port), str(folder)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(arguments, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


@contextlib.contextmanager
def intake_on(database_url: str, folder: Path, *, port: int) -> Iterator[None]:
    """The real program as an intake alone, on an empty PostgreSQL."""
    database = create_engine(database_url)
    migrate(database)
    database.dispose()
    settings = {"service__domain": "books.example", "service__mailbox": "bot", "log__level": "info"}
    fleet = Fleet(folder, database_url, relay_port=1, settings=settings, smtp_port=port)
    command = [sys.executable, "-m", "bot", "serve", "--roles", "intake"]
    process = subprocess.Popen(command, env=fleet.environment(free_port()), stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


async def _inkpost(port: int, folder: Path) -> None:
    logs = LogSettings(style="json")
    set_up_logs(logs, stream=sys.stderr, is_final=True)
    async with running_intake(folder, settings=SmtpSettings(port=port), logs=logs):
        await _until_told()


class _Forgetful:
    async def handle_DATA(self, *_: Any) -> str:  # noqa: N802 - aiosmtpd's name
        return "250 OK"


async def _bare(port: int, _: Path) -> None:
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    loop = asyncio.get_running_loop()
    make = functools.partial(SMTP, _Forgetful(), hostname="mx.books.example", loop=loop)
    server = await loop.create_server(make, "127.0.0.1", port, backlog=512)
    async with server:
        await _until_told()


async def _until_told() -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    await told.wait()


def main(name: str, loop: str, port: str, folder: str) -> None:
    serve = {"inkpost": _inkpost, "bare": _bare}[name](int(port), Path(folder))
    if loop == "uvloop":
        import uvloop

        uvloop.run(serve)
    else:
        asyncio.run(serve)


if __name__ == "__main__":
    main(*sys.argv[1:])
