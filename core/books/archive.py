"""ZIPs with several books in them: unpacked by number, never by the names inside."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from core.books.limits import DEFAULT_LIMITS, BookLimits
from core.books.refusals import too_many
from core.books.text import clean_line
from core.books.zips import Members, open_members
from core.errors import RefusedFile
from core.i18n import _

_COMPANION_SUFFIXES = re.compile(
    r"\.(jpe?g|png|gif|webp|svg|bmp|opf|nfo|url|lnk|sfv|md5|ini|db|css|js|json|xml|[ot]tf|woff2?|torrent)"
)
"""What lies beside books in archives (covers, Calibre's metadata, the parts of a saved web page) and is passed over."""


def unpack_archive(
    path: Path, *, filename: str, work_dir: Path, limits: BookLimits = DEFAULT_LIMITS
) -> list[tuple[str, Path]]:
    """The books of a ZIP as (file name for people, path), each in a new folder of its own in `work_dir`.

    Not opened yet: `open_book` judges each. Raises `DamagedFile` or `RefusedFile` for the archive as a whole.
    """
    with open_members(path, limits, kind="ZIP") as members:
        chosen = _chosen(members.names, filename=filename, limits=limits)
        return [_unpack(members, name, work_dir / f"{number:04}") for number, name in enumerate(chosen, start=1)]


def _chosen(names: list[str], *, filename: str, limits: BookLimits) -> list[str]:
    if any(name.endswith("/META-INF/container.xml") for name in names):
        raise RefusedFile(
            _("This ZIP holds an EPUB that was unpacked into a folder."),
            fix=_("Send the original .epub file."),
            code="file.unpacked-epub",
        )
    chosen = [name for name in names if not _is_companion(name)]
    if not chosen:
        shown = clean_line(filename, max_length=150)
        raise RefusedFile(
            _("There is no book in “{shown}”.").format(shown=shown), fix=_("Send the book itself."), code="file.no-book"
        )
    if len(chosen) > limits.archive_books:
        raise too_many(len(chosen), limit=limits.archive_books)
    return chosen


def _is_companion(name: str) -> bool:
    path = PurePosixPath(name)
    # A name that is only a suffix (".DS_Store") has none for pathlib.
    hidden = path.name.startswith(".") or path.parts[0] == "__MACOSX"
    return hidden or _COMPANION_SUFFIXES.fullmatch(path.suffix.lower()) is not None


def _unpack(members: Members, name: str, folder: Path) -> tuple[str, Path]:
    """The sender's name is for showing; on the disk the file has ours."""
    folder.mkdir()
    target = folder / "book"
    with target.open("xb") as file:
        members.copy(name, file)
    return clean_line(re.split(r"[/\\]", name)[-1], max_length=150) or "book", target
