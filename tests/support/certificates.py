"""A certificate for the test server, and a client's trust in it."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme


def make_certificate(folder: Path, *names: str) -> tuple[Path, ssl.SSLContext]:
    """A PEM file with key and chain for these host names, and a client context that trusts it."""
    authority = trustme.CA()
    file = folder / "server.pem"
    authority.issue_cert(*names).private_key_and_cert_chain_pem.write_to_path(str(file))
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return file, client
