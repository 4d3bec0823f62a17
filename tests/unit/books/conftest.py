"""What tests of book files share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.books.limits import DEFAULT_LIMITS, BookLimits
from core.books.open import open_book
from core.values import OpenedBook

OpenBytes = Callable[..., OpenedBook]


@pytest.fixture
def open_bytes(tmp_path: Path) -> OpenBytes:
    """`open_bytes(content, filename="…", limits=…)`: the book opened from a file without a telling name."""

    def open_(content: bytes, *, filename: str = "attachment", limits: BookLimits = DEFAULT_LIMITS) -> OpenedBook:
        path, work_dir = tmp_path / "part-1", tmp_path / "work"
        path.write_bytes(content)
        work_dir.mkdir(exist_ok=True)
        return open_book(path, filename=filename, work_dir=work_dir, limits=limits)

    return open_
