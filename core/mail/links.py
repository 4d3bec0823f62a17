"""Web addresses as people write them in a mail."""

from __future__ import annotations

import re

MOST_LINKS = 5  # of a mail that is nothing but links: with more it is somebody's collection, and no wish to read
# draft-obasanjo-feed-URI-scheme: before an address, or in place of "http".
_FEED_SCHEME = re.compile(r"\Afeed:(?://)?", re.IGNORECASE)
_WEB = re.compile(r"https?://[^\s<>\"/?#]+[^\s<>\"]*", re.IGNORECASE)


def web_address(word: str) -> str | None:
    """The http(s) address that a word is, with or without brackets around it; None if it is none.

    A `feed:` before it is another way to write it.
    """
    word = word.strip("<>()[]\"',;").rstrip(".!")
    plain = _FEED_SCHEME.sub("", word)
    if plain != word and "://" not in plain:
        plain = f"https://{plain}"
    return plain if _WEB.fullmatch(plain) else None


def links_of(line: str) -> tuple[str, ...]:
    """The addresses of a line that is nothing but addresses; () for any other."""
    links = tuple(web_address(word) for word in line.split())
    return tuple(link for link in links if link is not None) if None not in links else ()
