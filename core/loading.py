"""What a process loads once and keeps, such as a model of languages: whoever measures a call need not charge it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

around: Callable[[], AbstractContextManager[object]] = nullcontext
"""Entered while something is loaded. A worker of the sandbox has its clock stand still for so long."""


def loading() -> AbstractContextManager[object]:
    """A block that loads what the next call finds loaded."""
    return around()
