"""Roles: read from the command line, and not less than a database needs."""

from __future__ import annotations

import pytest

from bot.roles import ALL_ROLES, Role, RolesMistaken, check_roles, read_roles


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("worker", {Role.WORKER}),
        ("intake,worker,scheduler", ALL_ROLES),
        (" Intake , scheduler,", {Role.INTAKE, Role.SCHEDULER}),
    ],
)
def test_roles_are_read(text: str, roles: set[Role]) -> None:
    assert read_roles(text) == roles


@pytest.mark.parametrize("text", ["", ",", "sender", "worker sender"])
def test_what_is_no_role_is_told(text: str) -> None:
    with pytest.raises(RolesMistaken, match="intake, worker, scheduler"):
        read_roles(text)


def test_one_process_on_sqlite_has_all_roles() -> None:
    check_roles(ALL_ROLES, is_embedded=True)
    check_roles(frozenset({Role.WORKER}), is_embedded=False)
    with pytest.raises(RolesMistaken, match="nobody would be scheduler, worker"):
        check_roles(frozenset({Role.INTAKE}), is_embedded=True)
