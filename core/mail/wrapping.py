"""Where a line of the HTML may end: at the joints of an address, not within "1.0 MB", nor before a dot of a list."""

from __future__ import annotations

import re
from typing import Final

from markupsafe import Markup, escape

_NO_BREAK: Final = "\u00a0"
_MAY_BREAK: Final = "\0"
"""Stands where a `<wbr>` comes: what is shown has no such character."""
_JOINT: Final = Markup("<wbr>")
_WITHIN: Final = re.compile(r"(?<=\d) (?=(?:bytes|kB|MB|GB|min)\b)|(?<=\w) (?=\d\d:\d\d\b)|(?<=· \d) ")
"""Between a number and its unit, before a time, behind a number that a part of a detail begins with."""
_BEFORE_AT: Final = re.compile(r"(?<=\w)(?=@\w)")
_URL: Final = re.compile(r"https?://\S+")
_IN_URL: Final = re.compile(r"(?<=\w)(?=[/?&])")


def wrapped(text: str) -> str:
    """A sentence, or the parts of a detail. Addresses in it are whole where a line has room for them."""
    return _WITHIN.sub(_NO_BREAK, text).replace(" · ", f"{_NO_BREAK}· ")


def jointed(text: str) -> Markup:
    """A value that may be one long address, as HTML. A `<wbr>` is no character: an address that is copied is whole."""
    marked = _URL.sub(lambda url: _IN_URL.sub(_MAY_BREAK, url[0]), _BEFORE_AT.sub(_MAY_BREAK, wrapped(text)))
    return escape(marked).replace(_MAY_BREAK, _JOINT)
