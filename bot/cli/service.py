"""`inkpost serve|demo|check|migrate|health`: the service itself."""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Annotated, Any

import aiohttp
from cyclopts import Parameter

from bot.app import open_app
from bot.check import check_everything
from bot.cli.shared import ConfigPath, configuration, console, fail, print_table, progress_bar
from bot.config import Config, example_toml
from bot.locks import DataDirLock
from bot.logs import set_up_logs
from bot.loops import run_loop
from bot.moving import count_rows, move_database
from bot.opening import NotMigrated, check_schema, open_database
from bot.opening import migrate as migrate_database
from bot.roles import Role, read_roles
from bot.serve import serve as serve_app
from core.db import create_engine


def serve(*, roles: str = ",".join(Role), config: ConfigPath = None) -> None:
    """Run Inkpost until SIGTERM: all of it in one process, or a part of it beside others over PostgreSQL.

    Parameters
    ----------
    roles:
        Which parts: intake takes mail in, worker does the jobs, scheduler says when. With commas between them.
    """
    chosen = read_roles(roles)
    settings = configuration(config)
    set_up_logs(settings.log, stream=sys.stderr, is_final=True)

    async def main() -> None:
        async with open_app(settings, roles=chosen) as app:
            await serve_app(app)

    if not settings.database_url:
        _bring_up_to_date(settings)  # one machine, one file: nobody else could be using the old schema
    run_loop(main())


def _bring_up_to_date(settings: Config) -> None:
    """An old schema, and a new database, in a process that ends with it: Alembic and what it leaves take 10 MB."""
    database = open_database(settings)
    try:
        check_schema(database)
    except NotMigrated:
        database.dispose()  # a connection of SQLite's must not be in two processes
        aside = multiprocessing.get_context("fork").Process(target=_migrate_aside, args=(settings,))
        aside.start()  # before there is any thread, which a fork would not have
        aside.join()
    migrate_database(database)  # what is left to do; or all of it, where that failed, and here its error is told
    database.dispose()


def _migrate_aside(settings: Config) -> None:
    with suppress(Exception):  # the other process meets it as well
        migrate_database(open_database(settings))


def demo(
    *,
    once: Annotated[bool, Parameter(negative="")] = False,
    folder: Path | None = None,
) -> None:
    """Start the real service in a folder of its own and play one story to it over SMTP; then stay up.

    Parameters
    ----------
    once:
        End when the story is over.
    folder:
        Where everything is kept; a new temporary folder where not given.
    """
    from bot.demo import run_demo  # and 6 MB for pictures and Markdown, which a service has no use for

    place = folder or Path(tempfile.mkdtemp(prefix="inkpost-demo-"))
    run_loop(run_demo(place, console=console, is_over_after_story=once))


def check(*, config: ConfigPath = None) -> None:
    """Look over the configuration and everything that it names, and tell every mistake at once."""
    findings = asyncio.run(check_everything(configuration(config)))
    for finding in findings:
        mark = "ok    " if finding.problem is None else "WRONG " if finding.is_mistake else "note  "
        console.print(mark + finding.name, markup=False)
        if finding.problem is not None:
            console.print(f"      {finding.problem}", markup=False)
    wrong = sum(finding.problem is not None and finding.is_mistake for finding in findings)
    if wrong:
        fail(f"{wrong} of {len(findings)} things are wrong.")


def migrate(
    *,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    to: str | None = None,
    config: ConfigPath = None,
) -> None:
    """Bring the database's schema up to date; or carry a stopped installation over from SQLite to PostgreSQL.

    Parameters
    ----------
    from_:
        sqlite:///<data folder>/inkpost.db, which stays as it is.
    to:
        postgresql://…, which has to be empty. The schema is made there.
    """
    if from_ is None and to is None:
        migrate_database(open_database(configuration(config)))
        console.print("The database is up to date.")
    elif from_ is None or to is None:
        fail("Write both: --from sqlite:///… --to postgresql://…")
    else:
        _move(from_, to)


def _move(from_: str, to: str) -> None:
    source, target = create_engine(from_), create_engine(to)
    path = Path(source.url.database or "")
    if source.dialect.name == "sqlite" and not path.is_file():
        fail(f"{path}: there is no such file")
    with ExitStack() as stack:
        if source.dialect.name == "sqlite":
            stack.enter_context(DataDirLock(path.parent))  # nothing may come in meanwhile
        check_schema(source)
        migrate_database(target)
        bar = stack.enter_context(progress_bar())
        old = stack.enter_context(source.execution_options(read_only=True).begin())
        task = bar.add_task("rows", total=count_rows(old))

        def advance(table: str, rows: int) -> None:
            bar.update(task, advance=rows, description=table)

        with target.begin() as new:
            moved = move_database(old, new, progress=advance)
    rows = [(one.table, one.rows, one.sha256[:16]) for one in moved]
    print_table("The same on both sides", ("table", "rows", "hash"), rows, page=1, pages=1)
    console.print("Now set database_url. The books stay where they are: set storage_url if it is another machine.")


def example() -> None:
    """Print a configuration file with every key, its default and a line on each."""
    sys.stdout.write(example_toml())


def health(*, config: ConfigPath = None) -> None:
    """Ask the running service whether it is alive; exit 1 if it is not."""
    settings = configuration(config).health

    async def ask() -> str:
        timeout = aiohttp.ClientTimeout(total=5)
        url = f"http://{settings.host}:{settings.port}/healthz"
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as answer:
            answer.raise_for_status()
            return await answer.text()

    try:
        console.print(asyncio.run(ask()), markup=False)
    except (aiohttp.ClientError, TimeoutError) as error:
        fail(f"No answer at {settings.host}:{settings.port}: {error or 'it takes too long'}")


def manual(folder: Path) -> None:
    """Write a page of documentation for each command of the mail interface, made from the same table as `help`."""
    from bot.handbook import write_manual  # see `demo`

    write_manual(folder)


service_commands: tuple[Callable[..., Any], ...] = (serve, demo, check, migrate, example, health, manual)
