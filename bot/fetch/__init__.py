"""The one way to the web: feeds, pages and pictures that users named, fetched without being led astray."""

from __future__ import annotations

from bot.fetch.client import HttpFetcher
from bot.fetch.guard import FetchSettings

__all__ = ["FetchSettings", "HttpFetcher"]
