"""ARC: Valimail's validation suite and mail-auth's chain, by `core.mail.signatures`."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import time_machine

from core.mail.signatures import check_signatures, read_claims
from tests.corpus.security._outcome import Outcome, compare

SETS = ("arc-cases", "dkim-arc-mail-auth")

SEALED_AT = 1_667_893_878  # of the one chain in mail-auth's tests
NO_WORD = ("fail", "none")
"""Where a chain ended with a seal that said `cv=fail`, the suite states nothing; it must not pass."""


def run_set(folder: Path) -> Iterator[Outcome]:
    yield from _run_valimail(folder) if folder.name == "arc-cases" else _run_mail_auth(folder)


def _result(raw: bytes, keys: dict[str, str]) -> str:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "mail.eml")
        path.write_bytes(raw)
        names = read_claims(path).arc_key_names
        return check_signatures(path, {name: keys.get(name, "") for name in names}).arc.result


def _run_valimail(folder: Path) -> Iterator[Outcome]:
    records: dict[str, dict[str, str]] = {
        file.name: json.loads(file.read_text("utf-8")) for file in sorted(folder.glob("txt-records-*.json"))
    }
    # Ten scenarios, three files: all others are word for word the same as one of these.
    every = {name: text for keys in records.values() for name, text in keys.items()}
    for file in sorted(folder.glob("d*.json")):
        case: dict[str, Any] = json.loads(file.read_text("utf-8"))
        keys = records.get(case["txt_records"], every)
        raw = case["message"].encode("utf-8")
        yield compare(file.stem, wanted=case["cv"].lower() or NO_WORD, got=_result(raw, keys))


def _run_mail_auth(folder: Path) -> Iterator[Outcome]:
    for file in sorted(folder.glob("arc__*.txt")):
        records, _, raw = file.read_bytes().partition(b"\n\n")
        keys = dict(line.decode().split(" ", 1) for line in records.splitlines())
        with time_machine.travel(SEALED_AT, tick=False):
            yield compare(file.name, wanted="pass", got=_result(raw, keys))
            yield compare(f"{file.name}+body", wanted="fail", got=_result(raw + b"more\n", keys))
