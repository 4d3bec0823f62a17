"""`inkpost mail` and `inkpost completion`: the bot from a terminal, with a pipe as input."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.cli import main
from bot.config import Config, load_config
from bot.correspondent import Link, link_of, open_correspondent
from bot.opening import migrate, open_database
from core.errors import BadRequest
from core.models import OutboxMail
from core.models.outbox import OutboxState
from tests.factories.books import make_epub
from tests.factories.rows import make_user
from tests.support.service import open_house


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    """A folder with a migrated database and one user, and no service."""
    database = open_database(replace(load_config(None, environment={}), data_dir=tmp_path / "var"))
    migrate(database)
    with sa.orm.Session(database) as session:
        make_user(session, address="ada@reader.test", name="Ada")
        session.commit()
    database.dispose()
    return tmp_path


def inkpost(folder: Path, *arguments: str, lines: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bot", *arguments]
    return subprocess.run(command, input=lines, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_a_conversation_through_a_pipe(installation: Path) -> None:
    (installation / "moby.epub").write_bytes(make_epub(title="Moby Dick"))
    page = installation / "page.html"

    told = inkpost(
        installation, "mail", "--as", "ada@reader.test",
        lines=f":attach moby.epub\n\nlist\n> show 1\n:html {page}\n:tap 1\nfrobnicate\n:quit\nlist\n",
    )  # fmt: skip

    assert told.returncode == 0, told.stderr
    answers = re.findall(r"^Subject: (.*)$", told.stdout, re.MULTILINE)
    assert len(answers) == 5, told.stdout
    assert answers[0] == "Added: Moby Dick"
    assert "Your library: 1 book" in told.stdout
    assert "Herman Melville" in told.stdout
    assert "I do not know what “frobnicate” means" in told.stdout
    assert "mail>" not in told.stdout
    assert "<html" in page.read_text("utf-8")
    assert _sent(installation) == {OutboxState.DROPPED: 5}


def test_what_cannot_be_done_is_told_and_the_rest_is_done(installation: Path) -> None:
    told = inkpost(installation, "mail", lines=":tap 3\n:tap ²\n:attach nowhere.epub\n:dance\nhelp\n")

    assert told.returncode == 1
    assert told.stderr.splitlines() == [
        "There is no answer yet. Write a line first.",
        "There is no answer yet. Write a line first.",
        "nowhere.epub: there is no such file.",
        ":dance is nothing that I know. :help says what there is.",
    ]
    assert "Subject: " in told.stdout


def test_nobody_writes_as_somebody_who_is_not_there(
    installation: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(installation)

    with pytest.raises(SystemExit) as ended:
        main(["mail", "--as", "eve@reader.test"])

    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("eve@reader.test is no active user.")


async def test_service_that_runs_deals_with_the_mails(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.person("ada@reader.test")
        async with open_correspondent(house.app.config, address="") as ada:
            answer = await ada.write("list")
            assert not isinstance(answer, str)
            assert "Your library is empty" in answer.text
            with pytest.raises(BadRequest):
                await ada.tap(99)
        await house.settle()
        assert house.world.mails == []


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("mailto:a%2Bb@c.example?subject=send%20%231&body=yes", Link("a+b@c.example", "send #1", "yes")),
        ("mailto:a+b@c.example?subject=1+1", Link("a+b@c.example", "1+1", "")),
        ("mailto:a@c.example", Link("a@c.example", "", "")),
    ],
)
def test_link_is_the_mail_that_it_writes(url: str, link: Link) -> None:
    assert link_of(url) == link


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_the_verbs_and_is_sound(
    tmp_path: Path, shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["completion", shell])

    assert ended.value.code == 0
    script = capsys.readouterr().out
    assert all(word in script for word in ("serve", "outbox", "suspend", "config"))
    if (program := shutil.which(shell)) is not None:
        (tmp_path / "script").write_text(script, "utf-8")
        subprocess.run([program, "-n", "script"], cwd=tmp_path, check=True, timeout=30)


def _sent(folder: Path) -> dict[OutboxState, int]:
    config: Config = replace(load_config(None, environment={}), data_dir=folder / "var")
    database = open_database(config)
    with sa.orm.Session(database) as session:
        counted = session.execute(
            sa.select(OutboxMail.state, sa.func.count().label("number")).group_by(OutboxMail.state)
        ).all()
    database.dispose()
    return {row.state: row.number for row in counted}
