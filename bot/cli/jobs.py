"""`inkpost jobs list|retry|drop`: what is waiting to be done, is being done, or was given up."""

from __future__ import annotations

import enum
from typing import Annotated

import cyclopts
from cyclopts import Parameter, validators

from bot.cli.shared import ConfigPath, Page, configuration, console, engine_of, print_table
from core.errors import NotFound
from core.pages import PER_PAGE

JobId = Annotated[int, Parameter(validator=validators.Number(gt=0, lt=2**63))]  # what databases can look for
jobs = cyclopts.App(name="jobs", help="The job engine's queue. Mails themselves stand in `inbox` and `outbox`.")


class JobStatus(enum.StrEnum):
    """What Procrastinate calls the states of a job that is not done; one that succeeded is deleted."""

    TODO = "todo"
    DOING = "doing"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ABORTED = "aborted"


@jobs.command(name="list")
def list_(*, status: JobStatus | None = None, page: Page = 1, config: ConfigPath = None) -> None:
    """Oldest first.

    Parameters
    ----------
    status:
        Only those that are todo, doing, failed, cancelled or aborted.
    """
    found = engine_of(configuration(config)).list_jobs(status=status)
    pages = max(1, -(-len(found) // PER_PAGE))
    page = min(max(page, 1), pages)
    rows = [
        (job.id, job.task, job.status, ", ".join(f"{k}={v}" for k, v in job.args.items()), job.attempts, job.lock or "")
        for job in found[(page - 1) * PER_PAGE : page * PER_PAGE]
    ]
    print_table(
        f"{len(found)} jobs", ("id", "task", "status", "arguments", "failures", "lock"), rows, page=page, pages=pages
    )


@jobs.command
def retry(job_id: JobId, *, config: ConfigPath = None) -> None:
    """Run a job again that was given up."""
    if not engine_of(configuration(config)).retry(job_id):
        raise NotFound(f"There is no failed job {job_id}.", fix="See: inkpost jobs list --status failed")
    console.print(f"Job {job_id} runs again.")


@jobs.command
def drop(job_id: JobId, *, config: ConfigPath = None) -> None:
    """Forget a job that is not running. The mail that it was for stays in `inbox` or `outbox`."""
    if not engine_of(configuration(config)).drop(job_id):
        raise NotFound(f"There is no job {job_id} that could be dropped.", fix="See: inkpost jobs list")
    console.print(f"Job {job_id} is dropped.")
