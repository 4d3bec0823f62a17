"""Line ends hidden in addresses: each is asked for by the real fetcher, and stands in the fields of a letter."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from tests.corpus.security._outcome import Outcome, compare
from tests.corpus.security.feeds import header_defect
from tests.corpus.security.ssrf import OUTSIDE, fetch
from tests.support.web_server import WebServer

SETS = ("crlf-lists",)


def run_set(folder: Path) -> Iterator[Outcome]:
    """A case is a line, as it is and with its escapes undone."""
    for file in sorted(folder.iterdir()):
        lines = filter(None, file.read_text("utf-8", "replace").splitlines())
        for number, line in enumerate(lines, 1):
            for label, text in (("", line), (" undone", unquote(line))):
                found = asyncio.run(_asked(text)), header_defect([text])
                yield compare(f"{file.stem}:{number}{label}", wanted=[(True, "")], got=found)


async def _asked(path: str) -> bool:
    """Whether at most one request came, with no field but ours."""
    async with WebServer(address=OUTSIDE) as server:
        server.put("/tame", "public")
        url = server.url(path if path.startswith("/") else f"/{path}", host="public.test")
        await fetch(server.url("/tame", host="public.test"), server, {"public.test": [[OUTSIDE]]})
        await fetch(url, server, {"public.test": [[OUTSIDE]]})
        tame, *hostile = server.requests()
        return len(hostile) <= 1 and all(set(one.headers) <= set(tame.headers) for one in hostile)
