"""Authentication-Results that came with a mail: an upstream's are believed for what they say, and no more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from core.mail.author import decide_author
from core.mail.fields import field_text, split_header
from core.mail.results import upstream_results
from tests.corpus.security._outcome import Outcome, compare

SETS = ("authres-authheaders",)


def run_set(folder: Path) -> Iterator[Outcome]:
    """`dmarc=pass` that does not say for which From domain, or stands where the sender could have written it."""
    for file in sorted(folder.iterdir()):
        block = re.split(rb"\r?\n\r?\n", file.read_bytes(), maxsplit=1)[0] + b"\n"
        headers = [(name.decode(), field_text(value)) for name, value in split_header(block).fields]
        domain = decide_author(block).address.rpartition("@")[2]
        for label, seen in (("as it is", headers), ("behind a hop", [("Received", "from x by y"), *headers])):
            results = upstream_results(seen, "lists.example.org")
            is_believed = results is not None and results.passes_dmarc(domain)
            yield compare(
                f"{file.name} {label}", wanted="not believed", got="believed" if is_believed else "not believed"
            )
