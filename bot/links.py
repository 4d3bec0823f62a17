"""Signed links to single blobs, for what is too large to mail."""

from __future__ import annotations

import structlog

from core.errors import Unavailable
from core.ports import BlobStore
from core.services.fetch_links import LINK_LIFE, MakeLink

log = structlog.get_logger(__name__)


def link_maker(blobs: BlobStore) -> MakeLink:
    """Links of a store."""

    def make(key: str, filename: str) -> str | None:
        try:
            url = blobs.link(key, filename=filename, seconds=LINK_LIFE.total_seconds())
        except Unavailable as error:
            log.error("no link can be signed", reason=str(error))
            return None
        return url if url is not None and url.startswith("https://") else None

    return make
