"""`inkpost` as an operator types it, in this process and in a folder of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bot.cli import main
from bot.config import load_config
from bot.opening import migrate, open_database


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
