"""The command line as an operator has it: what it prints, what it exits with, and never a traceback."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.cli import main
from bot.config import load_config
from bot.opening import DATABASE, migrate, open_database, open_jobs
from core.jobs import Job
from core.models import Inbound, OutboxMail, User
from core.models.inbound import InboundState
from core.models.outbox import OutboxState
from core.work import Work
from tests.factories.rows import make_inbound, make_outbox_mail, make_user

UNKNOWN = "K7Q29-FDM3X"


@dataclass(frozen=True)
class Told:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def __contains__(self, words: str) -> bool:
        """Whether it printed these words, wherever its lines were broken."""
        return words in " ".join(f"{self.out} {self.err}".split())


Run = Callable[..., Told]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `inkpost` in this process, in an empty folder."""
    for name in [name for name in os.environ if name.startswith("INKPOST_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def inkpost(*arguments: str) -> Told:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Told(ended.value.code, out, err)

    return inkpost


@pytest.fixture(scope="module")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an empty database, to be copied: to make one takes half a second."""
    folder = tmp_path_factory.mktemp("empty")
    config = replace(load_config(None, environment={}), data_dir=folder)
    database = open_database(config)
    migrate(database)
    database.dispose()
    return folder


@pytest.fixture
def inkpost(run: Run, data_folder: Path, tmp_path: Path) -> Run:
    """The same, with a database."""
    shutil.copytree(data_folder, tmp_path / "var")
    return run


@contextmanager
def work() -> Iterator[Work]:
    """A transaction on the database of the folder that we are in."""
    config = load_config(None, environment={})
    database = open_database(config)
    try:
        with open_jobs(config, database).work() as opened:
            yield opened
    finally:
        database.dispose()


def make_job(status: str = "todo", *, number: int = 1) -> int:
    """The id of a job that nobody runs."""
    with work() as opened:
        opened.defer(Job("process_mail", {"inbound_id": number}))
    with work() as opened:
        newest: int = opened.session.execute(sa.text("SELECT max(id) FROM procrastinate_jobs")).scalar_one()
        opened.session.execute(
            sa.text("UPDATE procrastinate_jobs SET status = :status WHERE id = :id"), {"status": status, "id": newest}
        )
    return newest


# The service


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


# Users


def test_added_user_is_listed_and_their_secret_address_is_told_once(inkpost: Run) -> None:
    added = inkpost("user", "add", "Ada@Reader.test", "--name", "Ada", "--timezone", "Europe/Berlin")
    listed = inkpost("user", "list")

    assert added.code == 0
    secret = re.search(r"books\+([a-z2-9]{16})@localhost", added.out)
    assert secret is not None
    assert "1 users ada" not in listed
    assert all(words in listed for words in ("ada@reader.test", "Ada", "active", "Europe/Berlin", "yes"))
    assert secret[1] not in listed


def test_new_secret_takes_the_place_of_the_old_one(inkpost: Run) -> None:
    first = inkpost("user", "add", "ada@reader.test").out
    second = inkpost("user", "secret", "ada@reader.test").out

    old, new = (re.findall(r"books\+(\w+)@", text)[0] for text in (first, second))
    with work() as opened:
        assert (User.by_secret(opened.session, old), User.by_secret(opened.session, new) is None) == (None, False)


def test_secret_is_revoked(inkpost: Run) -> None:
    inkpost("user", "add", "ada@reader.test")

    assert "has no secret any more" in inkpost("user", "secret", "ada@reader.test", "--revoke")
    assert re.search(r"UTC +no ", inkpost("user", "list").out)


def test_user_is_suspended_and_resumed(inkpost: Run) -> None:
    inkpost("user", "add", "ada@reader.test")

    assert "ada@reader.test is suspended." in inkpost("user", "suspend", "ada@reader.test")
    assert "suspended" in inkpost("user", "list")
    assert "ada@reader.test is active again." in inkpost("user", "resume", "ada@reader.test")
    assert "suspended" not in inkpost("user", "list")


def test_address_is_no_markup(inkpost: Run) -> None:
    address = '"[/red]"@reader.test'

    for verb in ("add", "secret", "suspend", "resume"):
        told = inkpost("user", verb, address)
        assert told.code == 0
        assert address in told.out or verb == "secret"
    assert address in inkpost("user", "secret", address, "--revoke").out
    assert address in inkpost("user", "list").out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("add", "ada@reader.test"), "ada@reader.test is a user already."),
        (("add", "no address"), "“no address” is not a mail address."),
        (("add", "<Books+x@localhost>"), "books+x@localhost is an address of Inkpost's own"),
        (("add", "postmaster@localhost"), "postmaster@localhost is an address of Inkpost's own"),
        (("add", "bob@reader.test", "--name", "B\udcf6b"), "is no text: write it in UTF-8."),
        (("suspend", "\udcff"), "is no text: write it in UTF-8."),
        (("add", "bob@reader.test", "--timezone", "Berlin"), "Did you mean Europe/Berlin?"),
        (("secret", "bob@reader.test"), "bob@reader.test is no user."),
        (("suspend", "bob@reader.test"), "bob@reader.test is no user."),
        (("resume", "bob@reader.test"), "bob@reader.test is no user."),
    ],
)
def test_what_cannot_be_done_with_a_user_is_told(inkpost: Run, arguments: tuple[str, ...], sentence: str) -> None:
    inkpost("user", "add", "ada@reader.test")

    told = inkpost("user", *arguments)

    assert told.code == 1
    assert sentence in " ".join(told.err.split())


# Inbox, outbox and jobs


def references(told: Told) -> list[str]:
    return re.findall(r"^[0-9A-Z]{5}-[0-9A-Z]{5}", told.out, re.MULTILINE)


def test_inbox_is_listed_newest_first_by_state_and_page(inkpost: Run) -> None:
    with work() as opened:
        made = [make_inbound(opened.session, subject=f"[/b] mail {number}").reference for number in range(25)]
        aside = make_inbound(opened.session, state=InboundState.SET_ASIDE).reference

    first, second = inkpost("inbox", "list"), inkpost("inbox", "list", "--page", "2")

    assert references(first) + references(second) == [aside, *reversed(made)]
    assert "Page 1 of 2. Next: --page 2" in first
    assert "Page 2 of 2." in second
    assert "[/b] mail 7" in first.out
    assert references(inkpost("inbox", "list", "--state", "set-aside")) == [aside]


def test_reference_is_whole_on_a_narrow_terminal(inkpost: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with work() as opened:
        made = make_inbound(opened.session, subject="words " * 40, mail_from=f"{'long' * 20}@reader.test").reference
    monkeypatch.setenv("COLUMNS", "60")

    assert references(inkpost("inbox", "list")) == [made]


def test_mail_is_shown_with_what_it_caused(inkpost: Run) -> None:
    with work() as opened:
        mail = make_inbound(
            opened.session, subject="[/b] list", state=InboundState.DONE, outcome="answered", reason="their secret"
        )
        sent = make_outbox_mail(opened.session, user=make_user(opened.session), inbound_id=mail.id)

    told = inkpost("inbox", "show", mail.reference.lower())

    assert told.code == 0
    assert all(words in told for words in ("[/b] list", "answered", "their secret", sent.reference, "queued"))


def test_set_aside_mail_is_retried_and_dropped(inkpost: Run) -> None:
    with work() as opened:
        mail = make_inbound(opened.session, state=InboundState.SET_ASIDE)

    assert "is processed again" in inkpost("inbox", "retry", mail.reference)
    assert "process_mail" in inkpost("jobs", "list")
    assert "waits for its turn already" in inkpost("inbox", "retry", mail.reference)
    assert "is dropped" in inkpost("inbox", "drop", mail.reference)
    with work() as opened:
        assert opened.session.get_one(Inbound, mail.id).state is InboundState.DROPPED


def test_outbox_is_listed_newest_first_by_state_and_page(inkpost: Run) -> None:
    with work() as opened:
        user = make_user(opened.session)
        made = [make_outbox_mail(opened.session, user=user).reference for _ in range(20)]
        failed = make_outbox_mail(opened.session, user=user, state=OutboxState.FAILED, last_reply="550 no").reference

    first, second = inkpost("outbox", "list"), inkpost("outbox", "list", "-p", "2")

    assert references(first) + references(second) == [failed, *reversed(made)]
    assert "Page 1 of 2. Next: --page 2" in first
    assert references(inkpost("outbox", "list", "--state", "failed")) == [failed]


def test_outgoing_mail_is_shown_retried_and_dropped(inkpost: Run) -> None:
    with work() as opened:
        mail = make_outbox_mail(
            opened.session, user=make_user(opened.session), state=OutboxState.FAILED, last_reply="550 [/b] no"
        )

    assert "failed: 550 [/b] no" in inkpost("outbox", "show", mail.reference)
    assert "is tried again" in inkpost("outbox", "retry", mail.reference)
    assert "deliver" in inkpost("jobs", "list")
    assert "is dropped" in inkpost("outbox", "drop", mail.reference)
    with work() as opened:
        assert opened.session.get_one(OutboxMail, mail.id).state is OutboxState.DROPPED


@pytest.mark.parametrize("noun", ["inbox", "outbox"])
@pytest.mark.parametrize("verb", ["show", "retry", "drop"])
@pytest.mark.parametrize("reference", [UNKNOWN, "[/b]nonsense"])
def test_unknown_mail_is_told(inkpost: Run, noun: str, verb: str, reference: str) -> None:
    told = inkpost(noun, verb, reference)

    assert (told.code, told.out) == (1, "")
    assert told.err == f"No mail has the reference {reference}.\n"


def test_jobs_are_listed_by_status_and_page(inkpost: Run) -> None:
    waiting = [make_job(number=number) for number in range(21)]
    failed = make_job("failed")

    first, second = inkpost("jobs", "list"), inkpost("jobs", "list", "--page", "2")

    def ids(told: Told) -> list[int]:
        return [int(found) for found in re.findall(r"^ *(\d+) +process_mail", told.out, re.MULTILINE)]

    assert ids(first) + ids(second) == [*waiting, failed]
    assert "Page 1 of 2. Next: --page 2" in first
    assert ids(inkpost("jobs", "list", "--status", "failed")) == [failed]


def test_failed_job_is_retried_and_dropped(inkpost: Run) -> None:
    job = make_job("failed")

    assert "runs again" in inkpost("jobs", "retry", str(job))
    assert "is dropped" in inkpost("jobs", "drop", str(job))
    assert "0 jobs" in inkpost("jobs", "list")


@pytest.mark.parametrize("verb", ["retry", "drop"])
def test_unknown_job_is_told(inkpost: Run, verb: str) -> None:
    told = inkpost("jobs", verb, "4711")

    assert (told.code, told.out) == (1, "")
    assert "There is no" in told
    assert "4711" in told


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("jobs", "list", "--status", "lost"), '"todo", "doing", "failed"'),
        (("inbox", "list", "--state", "lost"), '"set-aside"'),
        (("outbox", "list", "--state", "lost"), '"queued"'),
        (("jobs", "retry", "first"), "int"),
        (("jobs", "retry", "99999999999999999999"), "must be < 9223372036854775808"),
        (("jobs", "drop", "--", "-99999999999999999999"), "must be > 0"),
        (("storage", "copy", "local:absent", "local:there"), "absent: there is no such folder"),
        (("inbox", "list", "--page", "two"), "--page"),
        (("inbox", "show"), "REFERENCE"),
        (("user", "add"), "ADDRESS"),
        (("frobnicate",), "frobnicate"),
        (("user", "frobnicate"), "frobnicate"),
    ],
)
def test_what_is_written_wrongly_is_told_with_the_choices(inkpost: Run, arguments: tuple[str, ...], words: str) -> None:
    told = inkpost(*arguments)

    assert told.code in (1, 2)
    assert words.lower() in " ".join(f"{told.out}{told.err}".split()).lower()
    assert "Traceback" not in told


def test_program_exits_as_it_says(tmp_path: Path) -> None:
    """As a process: the exit code, what goes to stderr, and no traceback."""
    environment = {"PATH": os.environ["PATH"], "INKPOST_DATA_DIR": str(tmp_path / "var")}
    done = subprocess.run(
        [sys.executable, "-m", "bot", "inbox", "show", UNKNOWN],
        env=environment, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "The database is not up to date. Run: inkpost migrate\n"
