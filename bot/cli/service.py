"""`inkpost serve|demo|check|migrate|health`: the service itself."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import aiohttp
from cyclopts import Parameter

from bot.app import migrate as migrate_database
from bot.app import open_app, open_database
from bot.check import check_everything
from bot.cli.shared import ConfigPath, configuration, console, fail
from bot.config import example_toml
from bot.demo import run_demo
from bot.handbook import write_manual
from bot.logs import set_up_logs
from bot.roles import Role, read_roles
from bot.serve import run_loop
from bot.serve import serve as serve_app


def serve(*, roles: str = ",".join(Role), config: ConfigPath = None) -> None:
    """Run Inkpost until SIGTERM: all of it in one process, or a part of it beside others over PostgreSQL.

    Parameters
    ----------
    roles:
        Which parts: intake takes mail in, worker does the jobs, scheduler says when. With commas between them.
    """
    chosen = read_roles(roles)
    settings = configuration(config)
    set_up_logs(settings.log, stream=sys.stderr)

    async def main() -> None:
        async with open_app(settings, roles=chosen) as app:
            await serve_app(app)

    if not settings.database_url:
        migrate_database(open_database(settings))  # one machine, one file: nobody else could be using the old schema
    run_loop(main())


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
    place = folder or Path(tempfile.mkdtemp(prefix="inkpost-demo-"))
    run_loop(run_demo(place, console=console, is_over_after_story=once))


def check(*, config: ConfigPath = None) -> None:
    """Look over the configuration and everything that it names, and tell every mistake at once."""
    findings = asyncio.run(check_everything(configuration(config)))
    for finding in findings:
        console.print(("ok    " if finding.problem is None else "WRONG ") + finding.name, markup=False)
        if finding.problem is not None:
            console.print(f"      {finding.problem}", markup=False)
    wrong = sum(finding.problem is not None for finding in findings)
    if wrong:
        fail(f"{wrong} of {len(findings)} things are wrong.")


def migrate(*, config: ConfigPath = None) -> None:
    """Bring the database's schema up to date."""
    migrate_database(open_database(configuration(config)))
    console.print("The database is up to date.")


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
    write_manual(folder)


service_commands: tuple[Callable[..., Any], ...] = (serve, demo, check, migrate, example, health, manual)
