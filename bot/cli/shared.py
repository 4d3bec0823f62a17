"""What all verbs of the command line share: the configuration's place, tables, progress, and how to fail."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.config import Config, load_config
from bot.jobs import JobEngine
from bot.opening import check_schema, open_database, open_jobs

if TYPE_CHECKING:
    from rich.progress import Progress

console = Console()

ConfigPath = Annotated[
    Path | None,
    Parameter(name=("--config", "-c"), help="The TOML file; $INKPOST_CONFIG or ./config.toml where not given."),
]
Page = Annotated[int, Parameter(name=("--page", "-p"), help="Which page of the list.")]


def configuration(path: Path | None) -> Config:
    """The configuration that was asked for. Raises `ConfigMistakes`."""
    if path is None and (named := os.environ.get("INKPOST_CONFIG")):
        path = Path(named)
    if path is None and Path("config.toml").exists():
        path = Path("config.toml")
    return load_config(path)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, page: int, pages: int) -> None:
    """A table with its page two named. The first column names the row, for other commands: it is never folded."""
    table = Table(title=Text(title), title_justify="left", box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == columns[0])
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))  # a subject is no markup
    console.print(table)
    if pages > 1:
        console.print(f"Page {page} of {pages}." + (f" Next: --page {page + 1}" if page < pages else ""))


def progress_bar() -> Progress:
    """On stderr, so that what is printed can be piped on."""
    # Not for `serve`.
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


def fail(*lines: str) -> NoReturn:
    """Say why on stderr, and exit 1."""
    print(*lines, sep="\n", file=sys.stderr)
    sys.exit(1)


def engine_of(config: Config) -> JobEngine:
    """Units of work on the service's database, whether the service runs or not; it looks for new jobs by itself.

    Raises `NotMigrated`.
    """
    database = open_database(config)
    check_schema(database)
    return open_jobs(config, database)
