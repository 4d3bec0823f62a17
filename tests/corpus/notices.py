"""Kind `notices`: what Amazon writes back, read as its manifest has it; and what only looks like it is not believed."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bot.authenticate import DomainProver, TrustSettings
from bot.origin import OriginCheck
from bot.sandbox import Sandbox, SandboxSettings
from core.mail.authenticity import OurAddresses
from core.mail.loops import silence_reason
from core.mail.notices import Notice, NoticeKind, read_notice
from core.mail.parse import parse_message
from core.values import Envelope, Peer
from tests.corpus.manifest import read_manifest
from tests.support.names import FakeDns

SET = "kindle-amazon/"
OURS = OurAddresses(domains=frozenset({"books.example"}), local_parts=frozenset({"bot"}))
ZONE = {"_dmarc.amazon.com": [("TXT", "v=DMARC1; p=quarantine")], "amazon.com": [("TXT", "v=spf1 -all")]}
STRANGER = Peer(ip="192.0.2.66", helo="mail.evil.test", auth_user=None, tls=False)
CLASSES = {
    "suspended": NoticeKind.SUSPENDED,
    "no attachment": NoticeKind.NO_ATTACHMENT,
    "verification": NoticeKind.VERIFY,
    "unapproved": NoticeKind.UNAPPROVED,
}
FAILURES = (NoticeKind.REJECTED, NoticeKind.FORMAT, NoticeKind.NO_ATTACHMENT, NoticeKind.TOO_LARGE)


@dataclass(frozen=True, slots=True)
class Reading:
    """One mail of the set."""

    file: str
    notice: Notice | None
    is_proven: bool
    complaint: str


def run(folder: Path) -> bool:
    """A table, a line for each complaint, and one of totals."""
    readings = list(read_all(folder))
    table = Table("mail", "kind", "code", "files", "at (UTC)", "proven", box=None)
    for one in readings:
        seen = one.notice
        at = f"{seen.sent_at:%Y-%m-%d %H:%M}" if seen is not None and seen.sent_at is not None else ""
        kind, code = (seen.kind.value, seen.code) if seen is not None else ("no notice", "")
        table.add_row(one.file, kind, code, str(len(seen.files) if seen else 0), at, "yes" if one.is_proven else "no")
    Console(width=120).print(table)
    complaints = [one for one in readings if one.complaint]
    for one in complaints:
        print(f"{one.file}: {one.complaint}")
    print(f"{len(readings)} notices: {len(readings) - len(complaints)} as stated, {len(complaints)} complaints")
    return bool(readings) and not complaints


def read_all(folder: Path) -> Iterator[Reading]:
    """Each of them as a stranger would bring it: read, and asked for a proof."""
    sandbox = Sandbox(SandboxSettings(workers=1), preload=())
    prover = DomainProver(TrustSettings(), OURS, OriginCheck(FakeDns(ZONE), sandbox))
    for row in read_manifest(folder):
        if not row["file"].startswith(SET):
            continue
        path = folder / row["file"]
        with tempfile.TemporaryDirectory() as work_dir:
            message = parse_message(path, work_dir=Path(work_dir))
        envelope = Envelope("bounce@evil.test", ("bot@books.example",))
        is_proven = asyncio.run(prover.is_proven(message, path, envelope, STRANGER))
        notice = read_notice(message)
        complaint = _complaint(str(row["expected"]).lower(), notice, is_proven=is_proven)
        if row["facts"]["must_be_silent"] and not notice and not silence_reason(message, mail_from="x@y", ours=OURS):
            complaint = complaint or "neither a notice nor met with silence"
        yield Reading(row["file"].removeprefix(SET), notice, is_proven, complaint)


def _complaint(expected: str, notice: Notice | None, *, is_proven: bool) -> str:
    """What of the manifest's sentence is not so; "" if all of it is."""
    if is_proven:
        return "believed, although nothing proves who wrote it"
    if "ignored" in expected or "spoof" in expected:
        return "" if notice is None or not is_proven else "not ignored"
    if notice is None:
        return f"no notice, where the manifest has: {expected}"
    if (code := re.search(r"code=(e\d{3})", expected)) and notice.code.lower() != code[1]:
        return f"code {notice.code or 'none'}, not {code[1]}"
    wanted = next((kind for words, kind in CLASSES.items() if f"class={words}" in expected), None)
    if "sender suspended" in expected:
        wanted = NoticeKind.SUSPENDED
    if wanted is not None and notice.kind is not wanted:
        return f"{notice.kind.value}, not {wanted.value}"
    if "failure" in expected and notice.kind not in FAILURES:
        return f"{notice.kind.value}, not a failure"
    if "two failures" in expected and len(notice.files) != 2:
        return f"{len(notice.files)} file names, not two"
    return ""
