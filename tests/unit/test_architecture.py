"""The house plan as a test: who may import whom, and what stands nowhere."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(path for top in ("bot", "handlers", "core") for path in (ROOT / top).rglob("*.py"))
PURE_ROOMS = ("core/mail", "core/books", "core/news")
NETWORK = {"aiohttp", "aiosmtpd", "aiosmtplib", "asyncio", "google", "imapclient", "procrastinate", "socket"}


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, also within functions and for types alone."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield f"{node.module}"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def offenders(folder: str, forbidden: tuple[str, ...]) -> list[str]:
    return [
        f"{place(path)} imports {module}"
        for path in SOURCES
        if place(path).startswith(folder)
        for module in imports(path)
        if module.startswith(forbidden)
    ]


def test_the_plan_covers_files_that_exist() -> None:
    assert len(SOURCES) > 100
    assert all((ROOT / room).is_dir() for room in PURE_ROOMS)


def test_core_knows_neither_handlers_nor_shell() -> None:
    assert offenders("core/", ("bot", "handlers")) == []


def test_handlers_do_not_know_the_shell() -> None:
    assert offenders("handlers/", ("bot",)) == []


@pytest.mark.parametrize("room", PURE_ROOMS)
def test_pure_rooms_know_no_rows(room: str) -> None:
    assert offenders(room + "/", ("sqlalchemy", "core.models", "core.services", "core.db", "core.work")) == []


def test_models_know_no_services() -> None:
    assert offenders("core/models/", ("core.services",)) == []


def test_core_has_no_network_and_no_loop() -> None:
    found = [
        f"{place(path)} imports {module}"
        for path in SOURCES
        if place(path).startswith("core/")
        for module in imports(path)
        if module.split(".")[0] in NETWORK
    ]
    assert found == []


def test_commands_do_not_import_each_other() -> None:
    found = [
        f"{place(path)} imports {module}"
        for path in SOURCES
        if place(path).startswith("handlers/") and not path.name.startswith("_")
        for module in imports(path)
        if module.startswith("handlers.") and not module.startswith("handlers._")
    ]
    assert found == []


def test_core_reads_no_clock() -> None:
    found = [
        f"{place(path)}:{node.lineno}"
        for path in SOURCES
        if place(path).startswith(("core/", "handlers/"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in ("now", "utcnow", "today", "monotonic", "perf_counter")
        and isinstance(node.value, ast.Name)
        and node.value.id in ("datetime", "date", "time")
    ]
    assert found == []


def test_services_and_models_never_commit() -> None:
    found = [
        f"{place(path)}:{node.lineno}"
        for path in SOURCES
        if place(path).startswith(("core/services", "core/models", "handlers/"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("commit", "rollback")
    ]
    assert found == []


def test_every_module_says_what_it_is() -> None:
    undescribed = [place(path) for path in SOURCES if not ast.get_docstring(ast.parse(path.read_text("utf-8")))]
    assert undescribed == []


def test_nothing_is_committed_that_names_a_package_index() -> None:
    hosts = ("pypi" + ".org", "python" + "hosted", "--index" + "-url", "--find" + "-links")
    files = [ROOT / name for name in ("requirements.lock", "pyproject.toml", "Dockerfile")]
    assert [(file.name, host) for file in files for host in hosts if host in file.read_text("utf-8")] == []
