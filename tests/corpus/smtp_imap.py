"""Of kind `smtp`, what is about IMAP: mails that come out as they went in, and servers that say anything at all."""

from __future__ import annotations

import re
import time
from pathlib import Path
from unittest.mock import patch

from bot.intake import imap_connection
from bot.intake.imap_connection import ImapConnection, ImapDown, ImapRefused, MailAway, Unmarked
from tests.corpus.outcome import Outcome
from tests.support.hostile_imap import hostile_imap, sane
from tests.support.imap_servers import MailDevel

VISIT_SECONDS = 10.0
COMMAND_SECONDS = 0.5  # in place of our patience with a server: many of these lines announce more than there is
_BODY = re.compile(rb"BODY\[\] \{(\d+)\}\r?\n")
_TAG = re.compile(rb"^[A-Za-z]*\d+[a-z]?(?= )")


def run_fetches(folder: Path) -> list[Outcome]:
    """Each mail through a real server and our connection to it; it comes out as the source says that it must."""
    server = MailDevel()
    server.start()
    try:
        return [Outcome(file.name, problem=_fetch(server, file)) for file in sorted(folder.glob("*.txt"))]
    finally:
        server.stop()


def _fetch(server: MailDevel, file: Path) -> str:
    told = file.with_suffix(".imap").read_bytes()
    start = _BODY.search(told)
    source = told[start.end() : start.end() + int(start[1])] if start else file.read_bytes()
    wanted = re.sub(rb"\r?\n", b"\r\n", source)  # RFC 3501 2.2; the source counts some without the CR
    box = server.mailbox()
    box.put(wanted)
    with ImapConnection(box.account()) as connection:
        connection.select()
        (uid,) = connection.unread()
        got = b"".join(connection.content(uid))
        size = connection.size(uid)
    return "" if (got, size) == (wanted, len(wanted)) else f"{size} octets of another content"


def run_responses(folder: Path) -> list[Outcome]:
    """Each line said at every step of a visit."""
    with patch.object(imap_connection, "COMMAND_SECONDS", COMMAND_SECONDS):
        return [
            Outcome(f"line {number}", problem=visit(line))
            for number, line in enumerate(responses(folder.parent.parent), 1)
        ]


def responses(corpus: Path) -> list[bytes]:
    """The lines that a server may say; none where there is no corpus."""
    return [
        line
        for file in sorted((corpus / "smtp/imap-responses").glob("*.txt"))
        for line in file.read_bytes().splitlines()
    ]


def visit(line: bytes) -> str:
    """Look into a mailbox whose server says a line at every step, as its answer or before it; "" if all is well.

    All is well if it ends in time, with what we came for or one of our own errors.
    """

    def answer(tag: str, command: str) -> bytes:
        if _TAG.match(line):
            return _TAG.sub(tag.encode(), line) + b"\r\n"
        if command in ("CAPABILITY", "IDLE", "DONE") or command.upper().startswith("LOGIN"):
            return sane(tag, command)  # or there would be no further step
        return line + b"\r\n" + sane(tag, command)

    began = time.monotonic()
    try:
        with hostile_imap(answer) as server, ImapConnection(server.account()) as connection:
            connection.select()
            for uid in connection.unread()[:2]:
                connection.size(uid)
                list(connection.content(uid))
                connection.mark_taken(uid)
    except (ImapDown, ImapRefused, MailAway, Unmarked):
        pass
    except Exception as error:  # noqa: BLE001 - this is what is looked for
        return f"{line[:80]!r} raised {type(error).__name__}: {error}"
    took = time.monotonic() - began
    return f"{line[:80]!r} took {took:.1f} s" if took > VISIT_SECONDS else ""
