"""Numbers of the configuration that cannot be meant: told by their names, which say what each one is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

LAST_PORT = 65_535
# With a nought here nothing would ever be taken in or done. Elsewhere it means "not at all", or "at once".
_MORE_THAN_NOUGHT = re.compile(
    r"max_(message_bytes|recipients|connections\w*|commands|errors|mib)|(\w+_)?concurrency|workers|connections"
    r"|mails_per_connection|in_flight|at_once|(\w+_)?timeout_seconds|(poll|heartbeat|stalled|connect)_seconds|failures|per_minute"
)


def range_mistakes(section: Any, *, place: str = "") -> Iterator[str]:
    """A sentence for each number in `section`, a dataclass, and in those that it holds."""
    for key in fields(section):
        value, name = getattr(section, key.name), f"{place}{key.name}"
        rows = value if isinstance(value, tuple) else ()
        if is_dataclass(value):
            yield from range_mistakes(value, place=f"{name}.")
        for number, row in enumerate(rows):
            if is_dataclass(row):
                yield from range_mistakes(row, place=f"{name}.{number}.")
        inner = {f"{name}.{one}": number for one, number in value.items()} if isinstance(value, Mapping) else {}
        for place_of_it, number in (inner or {name: value}).items():
            if isinstance(number, int | float) and not isinstance(number, bool):
                yield from (f"{place_of_it}: {mistake}" for mistake in _mistake(key.name, number))


def _mistake(key: str, value: float) -> Iterator[str]:
    if key == "port" or key.endswith("_port"):
        if not 0 <= value <= LAST_PORT:
            yield f"a port is a number from 0 (any free one) to {LAST_PORT}"
    elif _MORE_THAN_NOUGHT.fullmatch(key):
        if not value > 0:
            yield "it has to be more than 0"
    elif not value >= 0:
        yield "it cannot be less than 0"
