"""Of kind `smtp`: the sessions of Exim's test suite, played to our listener.

Scripts of its `client` say what Exim answers, which with its other configuration is its own affair: what they expect is
held against us, and where it does not fit, the reason stands below. All other sessions are input without expectations.
For every session: one well-formed reply to each line, never a fault of ours, and what is told to be taken is stored as
it was sent.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.corpus.outcome import Outcome
from tests.support.intake import Intake, running_intake
from tests.support.smtp_client import RawClient, connected

_SESSION = re.compile(rb"^(?:client |exim\b.* -b[hs]\b)")
_OUR_RCPT = re.compile(rb"^(rcpt to: *)<[^>]*@test\.ex>", re.IGNORECASE)
_REPLY = re.compile(r"(?:[2-5]\d\d-[^\n]*\n)*[2-5]\d\d [^\n]*")
_EXPECTED = re.compile(rb"^\?\?\?\s*(\d)")

DIFFERENCES = {
    "0000-Basic__0022": "addresses that its access lists defer or refuse are other domains' here",
    "0000-Basic__0609": "y.test.ex is one of its domains, and another's here",
    "0000-Basic__0612": "it offers DSN (RFC 3461), and we do not",
    "4200-International__4201": "it offers SMTPUTF8 to some clients only",
    "5500-PRDR__5500": "it offers PRDR, and we do not",
}


@dataclass(frozen=True, slots=True)
class Session:
    lines: list[bytes]
    """What the client says; `??? n` among it is what it expects."""


def sessions(script: bytes) -> Iterator[Session]:
    """What is said to Exim's SMTP input; what it says as a client, and its other commands, are no business of ours."""
    lines: list[bytes] | None = None
    for line in script.splitlines():
        if line == b"****":
            if lines:
                yield Session(lines)
            lines = None
        elif _SESSION.match(line):
            lines = []
        elif lines is not None and not line.startswith((b"+++", b"> > >")):
            lines.append(_OUR_RCPT.sub(rb"\1<bot@books.example>", line))


def run_dialogue(file: Path) -> Outcome:
    """Blocks; in an event loop of its own."""
    played = [session for session in sessions(file.read_bytes()) if any(map(_is_said, session.lines))]
    if not played:
        return Outcome(file.name, skipped="no session with a server in it")
    return asyncio.run(_play(file.name, played))


def _is_said(line: bytes) -> bool:
    return not line.startswith(b"???")


async def _play(name: str, played: list[Session]) -> Outcome:
    differences: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        async with running_intake(Path(folder)) as intake:
            for number, session in enumerate(played, 1):
                async with connected(intake.port) as client:
                    talk = _Talk(intake, client)
                    problem = await talk.run(session)
                if problem:
                    return Outcome(name, problem=f"session {number}: {problem}")
                differences += talk.differences
    if differences and name not in DIFFERENCES:
        return Outcome(name, problem="; ".join(differences))
    return Outcome(name, difference=DIFFERENCES[name] if differences else "")


class _Talk:
    """One session."""

    def __init__(self, intake: Intake, client: RawClient) -> None:
        self._intake = intake
        self._client = client
        self._reply = client.banner
        self._verb = "HELO"
        self._data: list[bytes] | None = None
        self.differences: list[str] = []

    async def run(self, session: Session) -> str:
        """What went wrong, or ""."""
        expected: str | None = None
        for line in session.lines:
            if (match := _EXPECTED.match(line)) is not None:
                expected = match[1].decode()
                continue
            if line.startswith(b"???"):
                continue
            self._compare(expected)
            expected = None
            if (problem := await self._say(line)) is not None:
                return problem
        self._compare(expected)
        return ""

    def _compare(self, expected: str | None) -> None:
        if expected is not None and self._data is None and self._reply[:1] != expected:
            self.differences.append(f"{self._verb} was answered with {self._reply[:60]!r}, not {expected}yz")

    async def _say(self, line: bytes) -> str | None:
        """What is wrong with the reply; None if nothing is; "" where the connection is over."""
        if self._data is not None and line != b".":
            self._data.append(line)
            return None
        if self._data is not None:
            return await self._end_data(self._data)
        await self._client.send(line + b"\r\n")
        self._verb = _verb(line)
        self._reply = await self._client.reply()
        if self._reply.startswith("354"):
            self._data = []
        if not self._reply:
            return "" if self._verb == "OTHER" else f"no reply to {line[:60]!r}"
        if not _REPLY.fullmatch(self._reply) or self._reply.startswith("451 4.3.0"):
            return f"{line[:60]!r} was answered with {self._reply!r}"
        return "" if self._reply.startswith(("221", "421")) else None

    async def _end_data(self, lines: list[bytes]) -> str | None:
        self._data, self._verb = None, "END"
        content = b"".join(line + b"\r\n" for line in lines)
        before = {mail.reference for mail in self._intake.mails()}
        await self._client.send(content + b".\r\n")
        self._reply = await self._client.reply()
        new = [mail for mail in self._intake.mails() if mail.reference not in before]
        if not self._reply.startswith("250"):
            return "a mail that was refused is stored" if new else None
        if "queued as" in self._reply and not new:
            return None  # the same mail a second time
        stored = self._intake.content(new[0])
        wanted = (b"\r\n" + content).replace(b"\r\n.", b"\r\n")[2:]
        return None if len(new) == 1 and stored == wanted else "what was stored is not what was sent"


def _verb(line: bytes) -> str:
    word = line.split(b" ")[0].split(b":")[0].decode("ascii", "replace").upper()
    return "HELO" if word == "EHLO" else word if word in ("HELO", "MAIL", "RCPT", "DATA") else "OTHER"
