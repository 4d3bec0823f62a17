"""`inkpost user add|list|secret|role|suspend|resume`."""

from __future__ import annotations

from typing import Annotated

import cyclopts
from cyclopts import Parameter

from bot.cli.shared import ConfigPath, Page, configuration, console, engine_of, fail, print_table
from bot.config import Config
from bot.intake.policy import ForwardPath, judge_recipient
from core.models.user import UserRole
from core.services.accounts import Accounts, checked_address

user = cyclopts.App(name="user", help="The people that this Inkpost works for.")


@user.command
def add(
    address: str,
    *,
    name: str = "",
    timezone: str = "UTC",
    admin: Annotated[bool, Parameter(negative="")] = False,
    config: ConfigPath = None,
) -> None:
    """Register a mail address, and say its secret address once.

    Parameters
    ----------
    address:
        Where answers go.
    name:
        How to address the person.
    timezone:
        IANA name, such as Europe/Berlin.
    admin:
        Invites, suspends and limits others by mail.
    """
    settings = configuration(config)
    address = checked_address(address)
    if isinstance(judge_recipient(f"TO:<{address}>", settings.service.ours, is_utf8=True), ForwardPath):
        fail(f"{address} is an address of Inkpost's own: its answers would come back to it.")
    with engine_of(settings).work() as work:
        added, secret = Accounts(work).add_user(address, name=name, timezone=timezone)
        if admin:
            Accounts(work).set_role(added.id, UserRole.ADMINISTRATOR)
    console.print(f"Added {added.address}.", markup=False)
    _print_secret(settings, secret)


@user.command(name="list")
def list_(*, page: Page = 1, config: ConfigPath = None) -> None:
    """Everybody, by address."""
    with engine_of(configuration(config)).work() as work:
        found = Accounts(work).list_page(page)
    rows = [
        (
            one.address,
            one.name,
            one.role.value,
            one.state.value,
            one.timezone,
            "yes" if one.secret_hash else "no",
            f"{one.created_at:%Y-%m-%d}",
        )
        for one in found.rows
    ]
    columns = ("address", "name", "role", "state", "time zone", "secret", "since")
    print_table(f"{found.total} users", columns, rows, page=found.page, pages=found.pages)


@user.command
def secret(
    address: str,
    *,
    revoke: Annotated[bool, Parameter(negative="")] = False,
    config: ConfigPath = None,
) -> None:
    """Make a new secret for somebody; the old one is worth nothing then.

    Parameters
    ----------
    revoke:
        Only take the old one away.
    """
    settings = configuration(config)
    with engine_of(settings).work() as work:
        accounts = Accounts(work)
        found = accounts.find(address)
        if revoke:
            accounts.revoke_secret(found.id)
            console.print(f"{found.address} has no secret any more.", markup=False)
            return
        made = accounts.rotate_secret(found.id)
    _print_secret(settings, made)


@user.command
def role(address: str, role: UserRole, /, *, config: ConfigPath = None) -> None:
    """Make somebody an administrator, or a reader as all others.

    Parameters
    ----------
    role:
        administrator or reader
    """
    with engine_of(configuration(config)).work() as work:
        accounts = Accounts(work)
        found = accounts.find(address)
        accounts.set_role(found.id, role)
    console.print(f"{found.address} is {role} now.", markup=False)


@user.command
def suspend(address: str, *, config: ConfigPath = None) -> None:
    """Obey somebody's mails no more; nothing of theirs is deleted."""
    with engine_of(configuration(config)).work() as work:
        accounts = Accounts(work)
        found = accounts.find(address)
        accounts.suspend(found.id)
    console.print(f"{found.address} is suspended.", markup=False)


@user.command
def resume(address: str, *, config: ConfigPath = None) -> None:
    """Obey a suspended user's mails again."""
    with engine_of(configuration(config)).work() as work:
        accounts = Accounts(work)
        found = accounts.find(address)
        accounts.resume(found.id)
    console.print(f"{found.address} is active again.", markup=False)


def _print_secret(settings: Config, secret_: str) -> None:
    service = settings.service
    console.print("Their secret address, which is told only now (it is also their SMTP password, behind the +):")
    console.print(f"  {service.mailbox}+{secret_}@{service.domain}", markup=False, soft_wrap=True)
