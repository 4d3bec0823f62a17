"""`inkpost outbox list|show|retry|drop|stops|resume|cures`: the mails that go out."""

from __future__ import annotations

from collections import Counter

import cyclopts

from bot.cli.shared import ConfigPath, Page, configuration, console, engine_of, print_table
from core.errors import NotFound
from core.models import AuditEntry
from core.models.outbox import OutboxState
from core.services.outbox import Outbox
from core.services.standing import describe
from core.services.stops import Stops

outbox = cyclopts.App(name="outbox", help="Mails that we owe somebody, and what became of each.")


@outbox.command(name="list")
def list_(*, state: OutboxState | None = None, page: Page = 1, config: ConfigPath = None) -> None:
    """Newest first.

    Parameters
    ----------
    state:
        Only those that are queued, sending, accepted, needs-your-click, no-refusal-seen, rejected, bounced, failed,
        unknown or dropped.
    """
    with engine_of(configuration(config)).work() as work:
        found = Outbox(work).list_page(state=state, page=page)
    rows = [
        (mail.reference, f"{mail.created_at:%Y-%m-%d %H:%M}", mail.rcpt_to, mail.subject, describe(mail, "UTC"))
        for mail in found.rows
    ]
    columns = ("reference", "since (UTC)", "to", "subject", "state")
    print_table(f"{found.total} mails", columns, rows, page=found.page, pages=found.pages)


@outbox.command
def show(reference: str, *, config: ConfigPath = None) -> None:
    """One mail and every attempt to hand it over."""
    with engine_of(configuration(config)).work() as work:
        mail = Outbox(work).find(reference)
        attempts = Outbox(work).attempts(mail.id)
    console.print(f"{mail.reference}: {mail.kind.value} to {mail.rcpt_to}, {mail.size_bytes} bytes", markup=False)
    console.print(f"Subject: {mail.subject}", markup=False)
    console.print(f"State: {describe(mail, 'UTC')}", markup=False)
    rows = [
        (attempt.number, f"{attempt.started_at:%Y-%m-%d %H:%M:%S}", attempt.result or "under way", attempt.reply)
        for attempt in attempts
    ]
    print_table("", ("attempt", "started (UTC)", "result", "reply"), rows, page=1, pages=1)


@outbox.command
def retry(reference: str, *, config: ConfigPath = None) -> None:
    """Try a mail again now that failed, was dropped, waits, or whose fate is unknown."""
    with engine_of(configuration(config)).work() as work:
        mail = Outbox(work).retry(reference)
    console.print(f"{mail.reference} is tried again.")


@outbox.command
def drop(reference: str, *, config: ConfigPath = None) -> None:
    """Never send a mail that was not accepted yet."""
    with engine_of(configuration(config)).work() as work:
        mail = Outbox(work).drop(reference)
    console.print(f"{mail.reference} is dropped.")


@outbox.command
def stops(*, config: ConfigPath = None) -> None:
    """What holds mails back: a reader who has not approved us, an address that keeps bouncing, a gateway."""
    with engine_of(configuration(config)).work() as work:
        rows = [(stop.scope, stop.reason, f"{stop.since:%Y-%m-%d %H:%M}", stop.words) for stop in Stops(work).all()]
    print_table(f"{len(rows)} stops", ("scope", "reason", "since (UTC)", "words"), rows, page=1, pages=1)


@outbox.command
def resume(scope: str, *, config: ConfigPath = None) -> None:
    """End a stop, and send what it held."""
    with engine_of(configuration(config)).work() as work:
        found = next((stop for stop in Stops(work).all() if stop.scope == scope), None)
        if found is None:
            raise NotFound(f"Nothing is stopped under {scope}.", fix="inkpost outbox stops")
        released = Stops(work).lift(found)
    console.print(f"{released} mails go out now.")


@outbox.command
def cures(*, config: ConfigPath = None) -> None:
    """Which form of a refused book was taken in the end, and how often."""
    with engine_of(configuration(config)).work() as work:
        counted = Counter(facts.get("recipe", "") for facts in AuditEntry.facts_of(work.session, "DeliveryMended"))
    print_table(f"{counted.total()} cures", ("recipe", "times"), counted.most_common(), page=1, pages=1)
