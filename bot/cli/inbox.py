"""`inkpost inbox list|show|retry|drop`: the mails that came in."""

from __future__ import annotations

import cyclopts

from bot.cli.shared import ConfigPath, Page, configuration, console, engine_of, print_table
from core.models.inbound import InboundState
from core.services.inbox import Inbox
from core.services.outbox import Outbox
from core.services.standing import describe

inbox = cyclopts.App(name="inbox", help="Mails that were accepted, and what became of each.")


@inbox.command(name="list")
def list_(*, state: InboundState | None = None, page: Page = 1, config: ConfigPath = None) -> None:
    """Newest first.

    Parameters
    ----------
    state:
        Only those that are accepted (and not done yet), done, set-aside or dropped.
    """
    with engine_of(configuration(config)).work() as work:
        found = Inbox(work).list_page(state=state, page=page)
    rows = [
        (
            mail.reference,
            f"{mail.received_at:%Y-%m-%d %H:%M}",
            mail.mail_from,
            mail.subject,
            mail.state.value,
            mail.outcome,
        )
        for mail in found.rows
    ]
    columns = ("reference", "received (UTC)", "from", "subject", "state", "outcome")
    print_table(f"{found.total} mails", columns, rows, page=found.page, pages=found.pages)


@inbox.command
def show(reference: str, *, config: ConfigPath = None) -> None:
    """All that is known of one mail: how it came, what was decided and why, and what was sent because of it."""
    with engine_of(configuration(config)).work() as work:
        mail = Inbox(work).find(reference)
        caused = [(sent, describe(sent, "UTC")) for sent in Outbox(work).of_inbound(mail.id)]
    facts = {
        "reference": mail.reference,
        "state": mail.state.value,
        "outcome": mail.outcome,
        "why": mail.reason,
        "received": f"{mail.received_at:%Y-%m-%d %H:%M:%S} UTC by {mail.intake}",
        "peer": f"{mail.peer_ip or '-'} ({mail.helo or 'no greeting'}){', TLS' if mail.tls else ''}",
        "login": mail.auth_user or "-",
        "mail from": mail.mail_from or "<>",
        "author": mail.author or "-",
        "subject": mail.subject,
        "size": f"{mail.size_bytes} bytes",
        "failures": mail.attempts,
    }
    for name, value in facts.items():
        console.print(f"[bold]{name:<10}[/] ", end="")
        console.print(str(value), markup=False)
    for sent, words in caused:
        console.print(f"[bold]{sent.kind.value:<10}[/] ", end="")
        console.print(f"{sent.reference} to {sent.rcpt_to}: {words}", markup=False)


@inbox.command
def retry(reference: str, *, config: ConfigPath = None) -> None:
    """Process a mail again that was set aside, dropped, or turned away by a limit."""
    with engine_of(configuration(config)).work() as work:
        mail = Inbox(work).retry(reference)
    console.print(f"{mail.reference} is processed again.")


@inbox.command
def drop(reference: str, *, config: ConfigPath = None) -> None:
    """Have a mail that is not done never processed."""
    with engine_of(configuration(config)).work() as work:
        mail = Inbox(work).drop(reference)
    console.print(f"{mail.reference} is dropped.")
