"""Finds the commands: every module of this package whose name does not begin with an underscore is one."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Protocol, cast

import handlers
from core.mail.answer import Answer
from core.mail.grammar import CommandSpec, Grammar
from handlers._request import Request
from handlers._tongues import in_all_tongues


class Handler(Protocol):
    """A command's module. `handle` may raise `BotError`, which undoes the command and is told to the user."""

    SPEC: CommandSpec

    def handle(self, request: Request) -> Answer: ...


def load_handlers() -> Mapping[str, Handler]:
    """All commands by name. Raises `ValueError` where a module is not called as its command is."""
    found: dict[str, Handler] = {}
    for module in pkgutil.iter_modules(handlers.__path__):
        if module.name.startswith("_"):
            continue
        handler = cast(Handler, importlib.import_module(f"handlers.{module.name}"))
        if handler.SPEC.name != module.name:
            raise ValueError(f"handlers/{module.name}.py describes the command {handler.SPEC.name!r}")
        found[module.name] = handler
    return found


def build_grammar(commands: Mapping[str, Handler]) -> Grammar:
    """The table of all commands. Raises `ValueError` where two claim one word."""
    return Grammar(in_all_tongues(handler.SPEC) for handler in commands.values())


def readers_grammar(commands: Mapping[str, Handler]) -> Grammar:
    """The table without what is for administrators: it is neither understood nor shown."""
    hidden = [handler.SPEC for handler in commands.values() if handler.SPEC.for_administrators]
    return Grammar(
        (in_all_tongues(handler.SPEC) for handler in commands.values() if handler.SPEC not in hidden),
        unguessed=(word for spec in hidden for word in (spec.name, *spec.aliases)),
    )
