"""Books too large for a mail: smaller pictures, down to a floor of quality, then parts, chapter by chapter."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from core.books.kindle.rebuild import Label, needed_files, write_rebuilt
from core.books.kindle.working import Copy, Patch
from core.books.limits import BookLimits
from core.books.zips import open_members
from core.errors import TooMuch
from core.i18n import _, ngettext
from core.news.sizing import split
from core.sizes import size_in_words

STEPS: Final = ((1600, 2560, 80), (1264, 1680, 70), (1072, 1448, 60), (758, 1024, 50))
"""Width, height in pixels and JPEG quality, tried in order: the pages of Kindles, the largest first. The last one is
the floor: a Paperwhite's page of 2012, below which drawings and small print can no longer be read."""
_SMALL: Final = 20_000  # bytes; less is not worth a letter of quality
_MAX_PIXELS: Final = 80_000_000
MAX_PARTS: Final = 25  # attachments that Amazon takes of one mail, and more mails than anybody wants
_TRIES: Final = 6


def smaller_pictures(book: Copy, *, budget_bytes: int) -> tuple[Copy, str]:
    """The book with its pictures made smaller until it fits, or as small as they may be; and a clause that says how."""
    pictures = [name for name in book.pictures if name.lower().endswith((".jpg", ".jpeg", ".png"))]
    rest = sum(_packed_size(book, name) for name in book.names if name not in pictures)
    best, said = book, ""
    for width, height, quality in STEPS:
        patch = Patch(book)
        total = rest
        for name in pictures:
            data = book.read(name)
            made = _smaller(data, width=width, height=height, quality=quality) if len(data) > _SMALL else None
            if made is not None and len(made) < len(data):
                patch.files[name] = made
                patch.tell(name, _("at most {width} by {height} pixels").format(width=width, height=height))
            total += len(patch.files.get(name, data))
        if patch:
            best, said = (
                book.patched(patch),
                ngettext(
                    "{count} picture was made smaller, to {width} by {height} pixels",
                    "{count} pictures were made smaller, to {width} by {height} pixels",
                    len(patch.files),
                ).format(count=len(patch.files), width=width, height=height),
            )
        if total <= budget_bytes:
            break
    return best, said


def _packed_size(book: Copy, name: str) -> int:
    """In the ZIP, with what is said of it there."""
    origin = book.origin(name)
    size = len(book.read(name)) if origin is None else book.members.packed_size_of(origin)
    return size + 120 + 2 * len(name.encode())


def _smaller(data: bytes, *, width: int, height: int, quality: int) -> bytes | None:
    """The picture of the same kind; None for what cannot be read."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(io.BytesIO(data))
            if image.width * image.height > _MAX_PIXELS or image.format not in ("JPEG", "PNG"):
                return None
            kind = image.format
            if kind == "JPEG":
                image.draft(None, (width, height))
            image.thumbnail((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)
            out = io.BytesIO()
            if kind == "JPEG":
                image.convert("L" if image.mode in ("1", "L") else "RGB").save(out, "JPEG", quality=quality)
            else:
                flat = image.convert("RGBA" if image.has_transparency_data else "RGB")
                flat.quantize(256, method=Image.Quantize.FASTOCTREE).save(out, "PNG", optimize=True)
            return out.getvalue()
        except Exception:  # noqa: BLE001 - a parser's boundary: Pillow's plugins raise whatever they stumble over
            return None


Finish = Callable[[Path], None]
"""What is done to each part, such as mending links that led out of it."""


def write_parts(
    book: Copy, folder: Path, *, label: Label, budget_bytes: int, limits: BookLimits, finish: Finish
) -> list[tuple[str, Path]]:
    """The book in as few parts as can be, as (title, path), none larger than the budget. Raises `TooMuch`."""
    pages, weights, base = _weighed(book)
    room = budget_bytes - base
    for _try in range(_TRIES):
        if room <= 0 or not pages:
            break
        bounds = split(weights, [""] * len(weights), room_bytes=room)
        if len(bounds) > MAX_PARTS or (len(bounds) == len(pages) and max(weights) > room):
            break
        parts = list(_written(book, folder, [pages[start:end] for start, end in bounds], label=label))
        for _title, path in parts:
            finish(path)
        if max(path.stat().st_size for _, path in parts) <= budget_bytes:
            return parts
        room = room * 9 // 10
    raise TooMuch(
        _("“{label}” cannot be made to fit into mails of {size_in_words}, not even in parts.").format(
            label=label.title, size_in_words=size_in_words(budget_bytes)
        ),
        fix=_("Mail me a smaller edition, such as one without pictures."),
        code="device.size",
    )


def half_size(book: Copy) -> int:
    """The budget that makes two parts of a book."""
    _, weights, base = _weighed(book)
    return base + max(sum(weights) * 6 // 10, max(weights, default=0) + 1)


def _weighed(book: Copy) -> tuple[list[str], list[int], int]:
    """The pages, what each weighs by itself, and what every part weighs beside them."""
    pages = [name for name in book.read_pages if name != book.nav]
    shared = _shared(book, pages)
    weights = [_weight(book, name, shared) for name in pages]
    return pages, weights, sum(_packed_size(book, name) for name in shared) + 4096 + 600 * len(pages)


def _written(book: Copy, folder: Path, groups: Sequence[Sequence[str]], *, label: Label) -> Iterator[tuple[str, Path]]:
    for number, group in enumerate(groups, start=1):
        title = label.title if len(groups) == 1 else f"{label.title} ({number} of {len(groups)})"
        path = folder / f"part-{number}.epub"
        said = Label(title=title, authors=label.authors, language=label.language, modified=label.modified)
        write_rebuilt(book, path, label=said, pages=group)
        yield title, path


def _shared(book: Copy, pages: Sequence[str]) -> set[str]:
    """What more than one page shows, and so stands in every part: styles, fonts, the cover."""
    seen: dict[str, int] = {}
    for page in pages:
        for name in needed_files(book, [page]):
            seen[name] = seen.get(name, 0) + 1
    return {name for name, count in seen.items() if count > 1}


def _weight(book: Copy, page: str, shared: set[str]) -> int:
    return sum(_packed_size(book, name) for name in needed_files(book, [page]) if name not in shared)


def open_fitted(path: Path, target: Path, *, budget_bytes: int, limits: BookLimits) -> str:
    """Write `path` with smaller pictures to `target`, whether it fits then or not; returns how it was done, "" if no
    picture could be made smaller, and then nothing is written."""
    with open_members(path, limits, kind="EPUB") as members:
        book, said = smaller_pictures(Copy(members), budget_bytes=budget_bytes)
        if said:
            book.write(target)
        return said
