"""Whether two files are one work: a key of title and author that editions, formats and catalogues write alike."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from core.values import BookMetadata

_EDITION = re.compile(
    r"\b(?:(?:revised|expanded|updated|annotated|illustrated|unabridged|abridged|complete|anniversary|special|kindle"
    r"|international|deluxe|new|first|second|third|[0-9]{1,3}(?:st|nd|rd|th)?)\s+)+(?:edition|ed)\b"
    r"|\b(?:unabridged|illustrated|annotated|a novel|ein roman|roman|ebook)\s*$"
)
_BRACKETED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_SUBTITLE = re.compile(r"\s*(?::|;|\s[-\u2013\u2014]\s).*")
_VOLUME = re.compile(r"\b(?:volume|vol|part|book|tome|band|bd|teil|tomo|livre|no)\b\.?\s*([0-9]{1,4}|[ivx]{1,5})\b")
_LEADING_ARTICLE = re.compile(r"^(?:the|an?)\s+(?=\S)")
_TRAILING_ARTICLE = re.compile(r",\s*(?:the|an?)$")


def work_key(metadata: BookMetadata) -> str:
    """64 hex digits, the same for two files of one work.

    "The Hobbit; or, There and Back Again (Illustrated Edition)" by "Tolkien, J. R. R." and "Hobbit, The" by
    "J.R.R. Tolkien" are one. It errs on the side of one: it is for a word to the user, not for refusing a file.
    """
    author = next(iter(metadata.authors), "")
    return hashlib.sha256(f"{_title(metadata.title)}\n{_author(author)}".encode()).hexdigest()


def _folded(text: str) -> str:
    """Without case and accents: compatibility decomposition, combining marks dropped."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def _title(title: str) -> str:
    text = _folded(title)
    plain = _BRACKETED.sub(" ", text)
    volume = _VOLUME.search(plain)
    main = _SUBTITLE.sub("", _EDITION.sub(" ", _VOLUME.sub(" ", plain)).strip())
    words = re.findall(r"\w+", _LEADING_ARTICLE.sub("", _TRAILING_ARTICLE.sub("", main)))
    if volume:
        # The volumes of a work differ in nothing but this.
        words.append(volume[1])
    # A title of nothing but signs is still a title.
    return " ".join(words) or text.strip()


def _author(author: str) -> str:
    """Words of a name in their alphabetical order: "Herbert, Frank" is "Frank Herbert"; years of life are dropped."""
    first = re.split(r"\s+&\s+|;|\s+(?:and|und|et)\s+", _BRACKETED.sub(" ", author))[0]
    return " ".join(sorted(re.findall(r"[^\W\d]+", _folded(first))))
