"""The roles of a process: intake, worker and scheduler, in one process or each in as many as there are machines."""

from __future__ import annotations

import enum

from core.errors import InkpostError


class Role(enum.StrEnum):
    INTAKE = "intake"
    """Takes mail in."""
    WORKER = "worker"
    """Does the jobs: reads mails, sends them, makes papers."""
    SCHEDULER = "scheduler"
    """Opens the issues that are due, has feeds checked, and forgets what is to be forgotten."""


ALL_ROLES = frozenset(Role)


class RolesMistaken(InkpostError):
    """These are no roles, or not enough of them for this database."""


def read_roles(text: str) -> frozenset[Role]:
    """`intake,worker` as a set. Raises `RolesMistaken`."""
    names = {name.strip().lower() for name in text.split(",")} - {""}
    if not names or not names <= ALL_ROLES:
        raise RolesMistaken(f"--roles {text!r}: write one or more of {', '.join(Role)}, with commas between them.")
    return frozenset(Role(name) for name in names)


def check_roles(roles: frozenset[Role], *, is_embedded: bool) -> None:
    """Raises `RolesMistaken` where a part of the work would be nobody's: SQLite has one process."""
    if is_embedded and roles != ALL_ROLES:
        missing = ", ".join(sorted(ALL_ROLES - roles))
        raise RolesMistaken(
            f"With SQLite one process does everything, and nobody would be {missing}."
            " Leave --roles away, or set database_url to a PostgreSQL."
        )
