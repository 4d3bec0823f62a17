"""The command line as an operator has it, for users, mails and jobs: what it prints, its exit code, no traceback."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.config import load_config
from bot.opening import open_database, open_jobs
from core.jobs import Job
from core.models import Inbound, OutboxMail, User
from core.models.inbound import InboundState
from core.models.outbox import OutboxState
from core.work import Work
from tests.factories.rows import make_inbound, make_outbox_mail, make_user
from tests.support.command_line import Run, Told

UNKNOWN = "K7Q29-FDM3X"


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
