"""An IMAP server that says what a test tells it to, sense or nonsense."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from bot.intake.imap_connection import ImapAccount
from bot.transport import Security

Answer = Callable[[str, str], bytes | None]
"""From tag and command to all that is said to it; None hangs up."""

MAIL = b"From: a@example.org\r\nMessage-ID: <1@example.org>\r\n\r\nhi\r\n"


def sane(tag: str, command: str) -> bytes:
    """What a server of one mail says."""
    verb, _, words = command.upper().removeprefix("UID ").partition(" ")
    says = {
        "CAPABILITY": b"* CAPABILITY IMAP4rev1 IDLE MOVE UIDPLUS\r\n",
        "SELECT": b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] .\r\n* OK [UIDNEXT 2] .\r\n",
        "SEARCH": b"* SEARCH 1\r\n",
        "FETCH": b"* 1 FETCH (UID 1 RFC822.SIZE %d)\r\n" % len(MAIL)
        if "RFC822.SIZE" in words
        else b"* 1 FETCH (UID 1 BODY[]<0> {%d}\r\n%s)\r\n" % (len(MAIL), MAIL),
    }
    if verb == "IDLE":
        return b"+ idling\r\n* 2 EXISTS\r\n"
    return says.get(verb, b"") + f"{tag} OK done\r\n".encode()


@dataclass
class HostileImap:
    port: int
    logins: int = 0
    answer: Answer = field(default=sane)
    drip_seconds: float = 0
    """Pause before each octet of what is said of `dripped`."""
    dripped: str = "SEARCH"
    tls: ssl.SSLContext | None = None
    is_implicit: bool = False
    """TLS from the first octet on; else it begins with STARTTLS."""

    def account(self, security: Security = Security.PLAIN, *, ca_file: str = "") -> ImapAccount:
        secret = SecretStr("secret")
        return ImapAccount("127.0.0.1", "user", secret, port=self.port, security=security, ca_file=ca_file)

    def serve(self, client: socket.socket) -> None:
        try:
            if self.tls is not None and self.is_implicit:
                client = self.tls.wrap_socket(client, server_side=True)
            client.sendall(b"* OK ready\r\n")
            if self._talk(client) and self.tls is not None:
                self._talk(client := self.tls.wrap_socket(client, server_side=True))
        except OSError:  # the client has gone, as it may, or does not believe our certificate
            return
        finally:
            client.close()

    def _talk(self, client: socket.socket) -> bool:
        """Whether the client wants TLS."""
        tag = ""
        with client.makefile("rb") as lines:
            for line in lines:
                first, _, command = line.decode("utf-8", "replace").strip().partition(" ")
                tag = tag if first == "DONE" else first
                self.logins += command.upper().startswith("LOGIN")
                said = self.answer(tag, command if first != "DONE" else "DONE")
                if said is None:
                    return False
                if self.drip_seconds and self.dripped in command:
                    for octet in said:
                        time.sleep(self.drip_seconds)
                        client.sendall(bytes([octet]))
                else:
                    client.sendall(said)
                if command.upper() == "STARTTLS":
                    return True
        return False


@contextmanager
def hostile_imap(answer: Answer = sane, **ways: Any) -> Iterator[HostileImap]:
    """On a free port of the loopback, a thread for each client."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = HostileImap(listener.getsockname()[1], answer=answer, **ways)

        def listen() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:  # the test is over
                    return
                threading.Thread(target=server.serve, args=(client,), daemon=True).start()

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)
