"""Mails as bytes, and the way from them to values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.mail.message import ParsedMessage
from core.mail.parse import ParseLimits, parse_message

Parse = Callable[..., ParsedMessage]


@pytest.fixture
def parse(tmp_path: Path) -> Parse:
    """Parses a mail given as bytes or text (LF is made CRLF in text); its files lie in a folder of the test."""

    def run(mail: bytes | str, limits: ParseLimits | None = None) -> ParsedMessage:
        raw = mail if isinstance(mail, bytes) else mail.replace("\n", "\r\n").encode()
        path = tmp_path / "mail.eml"
        path.write_bytes(raw)
        return parse_message(path, work_dir=tmp_path / "parts", limits=limits or ParseLimits())

    return run
