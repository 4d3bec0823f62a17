"""TLS to servers of others, by the authorities that the configuration names."""

from __future__ import annotations

import ssl


def trusting(ca_file: str) -> ssl.SSLContext:
    """Of this file's authorities, or of the system's where it is "". Raises `OSError` where it cannot be read."""
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:  # ssl names no file
        raise OSError(f"ca_file {ca_file}: {error}") from error
