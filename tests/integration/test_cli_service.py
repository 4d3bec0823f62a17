"""The command line around the service: what keeps it from starting, what is wrong with its configuration, how it is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.config import load_config
from bot.opening import DATABASE, open_database
from tests.support.command_line import Run


def test_migrate_may_be_said_twice(run: Run) -> None:
    first, second = run("migrate"), run("migrate")

    assert (first.code, second.code) == (0, 0)
    assert "up to date" in second


@pytest.mark.parametrize(
    "verb",
    [("user", "list"), ("user", "add", "ada@reader.test"), ("inbox", "list"), ("outbox", "list"), ("jobs", "list")],
)
def test_database_without_its_schema_is_told_with_the_way_out(run: Run, verb: tuple[str, ...]) -> None:
    told = run(*verb)

    assert told.code == 1
    assert "inkpost migrate" in told


def test_database_that_is_away_is_told_in_a_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INKPOST_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/inkpost")

    for verb in (("user", "list"), ("migrate",), ("jobs", "list")):
        told = run(*verb)
        assert told.code == 1
        assert "Not now" in told
        assert "Connection refused" in told


@pytest.mark.parametrize(
    ("name", "value"),
    [("INKPOST_DATABASE_URL", "no url"), ("INKPOST_DATABASE_URL", "oracle://x"), ("INKPOST_DATA_DIR", "/dev/null/x")],
)
def test_database_that_cannot_be_is_told(run: Run, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)

    for verb in (("user", "list"), ("migrate",)):
        told = run(*verb)
        assert (told.code, told.out) == (1, "")
        assert told.err.count("\n") == 1


@pytest.mark.parametrize("verb", [("user", "list"), ("migrate",), ("serve",), ("check",)])
def test_database_of_a_newer_program_is_told(run: Run, verb: tuple[str, ...]) -> None:
    run("migrate")
    with open_database(load_config(None)).begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))

    told = run(*verb)

    assert told.code == 1
    assert "The database was made by a newer Inkpost than this one. Install that." in told


def test_file_that_is_no_database_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / DATABASE).write_bytes(b"no database " * 1000)

    told = run("user", "list")

    assert (told.code, told.err) == (1, "Not now: file is not a database\n")


def test_certificate_that_cannot_be_read_is_told_by_name(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INKPOST_SMTP__CERTIFICATE_FILE", "absent.pem")

    told = run("serve")

    assert told.code == 1
    assert told.err.splitlines()[-1] == "the certificate absent.pem: [Errno 2] No such file or directory"


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("RELAY__CA_FILE", "absent.pem", "ca_file absent.pem: [Errno 2] No such file or directory"),
        ("LMTP__SOCKET", "absent/lmtp", "lmtp.socket absent/lmtp: [Errno 2] No such file or directory"),
        ("SMTP__HOST", "books.invalid", "smtp.host books.invalid: [Errno"),
        ("HEALTH__HOST", "books.invalid", "books.invalid: [Errno"),
    ],
)
def test_what_keeps_it_from_starting_is_told_by_name(
    data_folder: Path, tmp_path: Path, key: str, value: str, sentence: str
) -> None:
    """As a process: `serve` sets up the logs of the one that it runs in."""
    shutil.copytree(data_folder, tmp_path / "var")
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2]), "INKPOST_SMTP__PORT": "0",
        "INKPOST_HEALTH__PORT": "0", "INKPOST_RELAY__HOST": "127.0.0.1", f"INKPOST_{key}": value,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "bot", "serve"],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(sentence)


def test_store_that_cannot_be_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INKPOST_STORAGE_URL", "s3://bucket")

    told = run("serve")

    assert told.code == 1
    assert told.err.splitlines()[-1] == "'s3://bucket' is no store: write local:<directory> or gs://<bucket>/<prefix>"


def test_sound_configuration_passes_the_check(inkpost: Run) -> None:
    told = inkpost("check")

    assert told.code == 0
    assert "WRONG" not in told
    assert "ok database" in told


def test_all_that_is_wrong_outside_is_told_at_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INKPOST_RELAY__HOST", "127.0.0.1")
    monkeypatch.setenv("INKPOST_RELAY__PORT", "1")
    monkeypatch.setenv("INKPOST_RELAY__SECURITY", "plain")
    monkeypatch.setenv("INKPOST_SMTP__CERTIFICATE_FILE", "absent.pem")
    monkeypatch.setenv("INKPOST_CACHE__URL", "redis://127.0.0.1:1")
    monkeypatch.setenv("INKPOST_SMTP__HOST", "0.0.0.0")

    told = run("check")

    assert told.code == 1
    assert [line.split()[1] for line in told.out.splitlines() if line.startswith("WRONG")] == [
        "database",
        "relay",
        "certificate",
        "cache",
        "addresses",
    ]
    assert told.err.startswith("5 of ")


@pytest.mark.parametrize("verb", [("check",), ("migrate",), ("serve",), ("user", "list"), ("health",)])
def test_all_mistakes_of_the_configuration_are_told_at_once(run: Run, tmp_path: Path, verb: tuple[str, ...]) -> None:
    (tmp_path / "config.toml").write_text(
        'colour = "red"\n[relay]\nport = "many"\n[trust]\nnetworks = ["10.0.0.0/99"]\n'
    )

    told = run(*verb)

    assert told.code == 1
    assert all(f"  {place}" in told.err for place in ("colour", "relay.port", "trust.networks"))
    assert told.out == ""


def test_configuration_that_is_not_there_is_told(run: Run) -> None:
    told = run("check", "--config", "nowhere.toml")

    assert told.code == 1
    assert "nowhere.toml: there is no such file" in told


def test_example_is_a_configuration_that_passes(run: Run, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(run("example").out)

    assert run("migrate", "--config", "config.toml").code == 0
    assert run("check").code == 0


def test_manual_has_a_page_for_each_command(run: Run, tmp_path: Path) -> None:
    assert run("manual", "pages").code == 0

    names = {page.name for page in (tmp_path / "pages").iterdir()}
    assert {"add.md", "send.md", "help.md"} <= names


def test_health_of_a_service_that_does_not_run_is_a_failure(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INKPOST_HEALTH__PORT", "1")

    told = run("health")

    assert told.code == 1
    assert "No answer at 127.0.0.1:1" in told


def test_version_is_told(run: Run) -> None:
    told = run("--version")

    assert told.code == 0
    assert re.fullmatch(r"[1-9]\d*\.\d+.*|0\.[1-9].*", told.out.strip())
