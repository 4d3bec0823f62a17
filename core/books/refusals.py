"""The sentences for files that cannot be taken: what is wrong, how to mend it, a stable code. One place, one tone."""

from __future__ import annotations

from core.errors import DamagedFile, RefusedFile

_MB = 1024 * 1024


def damaged(kind: str, what: str, *, code: str = "file.damaged", fix: str = "") -> DamagedFile:
    """`kind` is "EPUB", `what` a clause: "its chapters are missing"."""
    fix = fix or "Send it again, or get a fresh copy from where it came."
    return DamagedFile(f"The {kind} is damaged: {what}.", fix=fix, code=code)


def protected() -> RefusedFile:
    """DRM."""
    return RefusedFile(
        "This book is protected (DRM): only the reader that it was bought for can open it.",
        fix="Send a copy without protection; many shops and publishers offer one.",
        code="file.drm",
    )


def locked() -> RefusedFile:
    """A password of the owner's own."""
    return RefusedFile(
        "This file is locked with a password.",
        fix="Open it, save a copy without the password and send that.",
        code="file.password",
    )


def hostile(why: str) -> RefusedFile:
    """Built to harm whoever opens it, or so broken that it looks like it. `why` is a clause."""
    return RefusedFile(
        f"This file looks dangerous and was not opened: {why}.",
        fix="Get the book from another source, or save it anew with a program such as Calibre.",
        code="file.hostile",
    )


def too_large(what: str, *, limit_bytes: int) -> RefusedFile:
    """`what` ("The file", "A part of the file") has more than `limit_bytes`."""
    return RefusedFile(
        f"{what} is larger than the {limit_bytes // _MB} MB that are read.",
        fix="Send a smaller copy, for example with smaller pictures.",
        code="file.too-large",
    )


def too_many(count: int, *, limit: int) -> RefusedFile:
    """Files in an archive."""
    return RefusedFile(
        f"The archive holds {count:,} files; at most {limit:,} are taken at once.",
        fix="Send it in several parts.",
        code="file.too-many-parts",
    )


def hungry(kind: str) -> RefusedFile:
    """More memory is asked for than one book may take."""
    return RefusedFile(
        f"The {kind} needs more memory than one book may take.",
        fix="Send a simpler copy, for example a plain EPUB.",
        code="file.too-large",
    )
