"""The sentences for files that cannot be taken: what is wrong, how to mend it, a stable code. One place, one tone."""

from __future__ import annotations

from core.errors import DamagedFile, RefusedFile
from core.i18n import _

_MB = 1024 * 1024


def damaged(kind: str, what: str, *, code: str = "file.damaged", fix: str = "") -> DamagedFile:
    """`kind` is "EPUB", `what` a clause: "its chapters are missing"."""
    fix = fix or _("Send it again, or get a fresh copy from where it came.")
    return DamagedFile(_("The {kind} is damaged: {what}.").format(kind=kind, what=_(what)), fix=fix, code=code)


def protected() -> RefusedFile:
    """DRM."""
    return RefusedFile(
        _("This book is protected (DRM): only the reader that it was bought for can open it."),
        fix=_("Send a copy without protection; many shops and publishers offer one."),
        code="file.drm",
    )


def locked() -> RefusedFile:
    """A password of the owner's own."""
    return RefusedFile(
        _("This file is locked with a password."),
        fix=_("Open it, save a copy without the password and send that."),
        code="file.password",
    )


def hostile(why: str) -> RefusedFile:
    """Built to harm whoever opens it, or so broken that it looks like it. `why` is a clause."""
    return RefusedFile(
        _("This file looks dangerous and was not opened: {why}.").format(why=_(why)),
        fix=_("Get the book from another source, or save it anew with a program such as Calibre."),
        code="file.hostile",
    )


def too_large(what: str, *, limit_bytes: int) -> RefusedFile:
    """`what` ("The file", "A part of the file") has more than `limit_bytes`."""
    return RefusedFile(
        _("{what} is larger than the {count} MB that are read.").format(what=_(what), count=limit_bytes // _MB),
        fix=_("Send a smaller copy, for example with smaller pictures."),
        code="file.too-large",
    )


def too_many(count: int, *, limit: int) -> RefusedFile:
    """Files in an archive."""
    return RefusedFile(
        _("The archive holds {count:,} files; at most {limit:,} are taken at once.").format(count=count, limit=limit),
        fix=_("Send it in several parts."),
        code="file.too-many-parts",
    )


def hungry(kind: str) -> RefusedFile:
    """More memory is asked for than one book may take."""
    return RefusedFile(
        _("The {kind} needs more memory than one book may take.").format(kind=kind),
        fix=_("Send a simpler copy, for example a plain EPUB."),
        code="file.too-large",
    )
