"""The pictures of stories: fetched within bounds of number, size and time, and fitted for e-readers in a worker."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import structlog

from bot.sandbox import Sandbox, SandboxError
from core.errors import Unavailable
from core.news.issue import FittedPicture
from core.news.pictures import fit_picture
from core.news.values import Fetched, FetchFailed
from core.ports import Fetcher, FetchLimits

log = structlog.get_logger(__name__)

LIMITS = FetchLimits(body_bytes=12 << 20, seconds=20.0, media_types=("image/", "application/octet-stream", "binary/"))
AT_ONCE = 16
MOST = 400  # of one issue
ALL_SECONDS = 90.0  # for all pictures of an issue: what has not come by then is left out
QUICK_SECONDS = 1.0  # ten times what a photograph takes
FIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class PictureFetcher:
    """Gets pictures. One that cannot be had is missing from what it gives; no paper waits for a picture."""

    fetcher: Fetcher
    sandbox: Sandbox

    async def fetch(self, urls: Iterable[str]) -> dict[str, FittedPicture]:
        """The pictures by their addresses."""
        wanted = list(dict.fromkeys(urls))[:MOST]
        found: dict[str, FittedPicture] = {}
        turns = asyncio.Semaphore(AT_ONCE)

        async def get(url: str) -> None:
            async with turns:
                if (picture := await self._one(url)) is not None:
                    found[url] = picture

        tasks = [asyncio.create_task(get(url)) for url in wanted]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=ALL_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if late:
                log.info("pictures came too late", count=len(late))
        return {url: found[url] for url in wanted if url in found}

    async def _one(self, url: str) -> FittedPicture | None:
        try:
            answer = await self.fetcher.fetch(url, limits=LIMITS)
            assert isinstance(answer, Fetched)
            return await self.sandbox.run_quick(
                fit_picture, answer.body, key=f"picture:{urlsplit(url).hostname}",
                quick_seconds=QUICK_SECONDS, timeout_seconds=FIT_SECONDS,
            )  # fmt: skip
        except (FetchFailed, SandboxError, Unavailable) as error:
            log.debug("picture left out", url=url, reason=str(error))
            return None
