"""Of kind `smtp`, what is about IMAP: mails that come out as they went in, and servers that say anything at all."""

from __future__ import annotations

import re
import time
from pathlib import Path

from bot.intake.imap_connection import ImapConnection, ImapDown, ImapRefused, MailAway, Unmarked
from tests.support.hostile_imap import hostile_imap, sane

VISIT_SECONDS = 10.0
_TAG = re.compile(rb"^[A-Za-z]*\d+[a-z]?(?= )")


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
