"""Of kind `smtp`: mails that other servers kept (Postfix's vectors, Haraka's queue files), brought to ours."""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path

from core.mail.loops import silence_reason
from core.mail.parse import parse_message
from tests.corpus.outcome import Outcome
from tests.support.intake import OURS, running_intake
from tests.support.smtp_client import connected

_FIELD = re.compile(rb"\A[!-9;-~]+:[^\n]*\n", re.MULTILINE)
_QUEUE_HEADER = re.compile(rb"\A.*?\n?\}\r?\n?(?=[!-9;-~]+:)", re.DOTALL)
NO_MAILS = {
    "delivered_hdr": "how Postfix's own table of Delivered-To answers; ours is core.mail.loops",
    "mail_addr_crunch": "how Postfix rewrites addresses",
    "tok822_limit": "how Postfix bounds its parser of addresses",
    "strcasecmp_utf8": "a string function of Postfix's",
    "unescape": "a string function of Postfix's",
    "template": "a template of Postfix's",
}


def run_vector(file: Path) -> Outcome:
    """Blocks; in an event loop of its own."""
    why = next((why for name, why in NO_MAILS.items() if name in file.name), "")
    if file.parent.name == "postfix-vectors" and "__mime_" in file.name and ".ref" in file.suffix:
        why = "what Postfix's MIME parser says of the mail beside it"
    raw = file.read_bytes()
    if file.parent.name == "haraka":
        raw = _QUEUE_HEADER.sub(b"", raw)
        why = "" if raw.strip() else "no mail in it"
    if why:
        return Outcome(file.name, skipped=why)
    return Outcome(file.name, problem=asyncio.run(_bring(raw, is_report=file.name.startswith("bounce__"))))


async def _bring(raw: bytes, *, is_report: bool) -> str:
    """Taken as it was sent and read without an error; a report is met with silence."""
    content = re.sub(rb"\r?\n", b"\r\n", raw)
    content += b"" if content.endswith(b"\r\n") else b"\r\n"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with running_intake(folder) as intake, connected(intake.port) as client:
            await client.greet()
            stuffed = (b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:]
            reply = await client.bring(stuffed, sender="" if is_report else "a@example.org")
            mails = intake.mails()
            stored = intake.content(mails[0]) if mails else b""
        if reply.startswith("550 5.7.1 the author") and not mails:
            return ""  # its From field is none
        if not reply.startswith("250") or stored != content:
            return f"{reply!r}, and what was stored is {'' if stored == content else 'not '}what was sent"
        (folder / "mail.eml").write_bytes(stored)
        message = await asyncio.to_thread(parse_message, folder / "mail.eml", work_dir=folder / "parts")
        if is_report and silence_reason(message, mail_from="", ours=OURS) is None:
            return "a bounce would be answered"
    return ""
