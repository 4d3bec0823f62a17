"""The compiler: an EPUB in, the copy for a Kindle out, and a list of what was changed. Zero harm, or nothing.

A rule whose change would cost a letter of the text or a picture is taken back, alone. In the end the written file is
read again, and is thrown away if it does not hold what the original holds: then the original is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.books.epub import refuse_drm
from core.books.kindle.harm import harm_of, picture_count, text_of
from core.books.kindle.order import Fix
from core.books.kindle.rules import RULES, Rule
from core.books.kindle.working import PAGE_BYTES, Copy, Patch
from core.books.limits import DEFAULT_LIMITS, BookLimits
from core.books.refusals import damaged
from core.books.zips import open_members
from core.errors import BotError
from core.i18n import _

MAX_TEXT_BYTES: Final = 48 * 1024 * 1024
"""Of all pages and styles together: their trees have ten times as much, and a worker has 512 MB."""
SHOWN_CHANGES: Final = 12
"""Of one rule, in the list for people."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """What became of a book."""

    fixes: tuple[Fix, ...]
    harmful: tuple[tuple[str, str], ...] = ()
    """Rules that were taken back, each with the harm that it would have done."""
    is_written: bool = False
    """Whether there is a copy; else the original is as good as can be."""


def compile_book(
    source: Path,
    target: Path,
    *,
    filename: str = "",
    limits: BookLimits = DEFAULT_LIMITS,
    rules: tuple[Rule, ...] = RULES,
) -> Compiled:
    """Write the copy of the EPUB at `source` to `target`, if anything in it needs mending. Blocks; changes no original.

    Raises `RefusedFile` for copy protection and for files that are dangerous to read, `DamagedFile` for those of which
    no whole book can be made.
    """
    with open_members(source, limits, kind="EPUB") as members:
        refuse_drm(members)
        original = Copy(members, filename=filename)
        if _text_bytes(original) > MAX_TEXT_BYTES:
            return Compiled(())
        book, fixes, harmful = apply_rules(original, rules)
        refuse_broken(book)
        if not fixes:
            return Compiled((), harmful)
        book.write(target)
        lost = _lost(book, target, limits=limits)
    if lost:
        target.unlink()
        return Compiled((), (*harmful, ("all", lost)))
    return Compiled(fixes, harmful, is_written=True)


def _text_bytes(book: Copy) -> int:
    suffixes = (".xhtml", ".html", ".htm", ".xml", ".opf", ".ncx", ".css", ".svg")
    return sum(book.size_of(name) for name in book.names if name.lower().endswith(suffixes))


def apply_rules(book: Copy, rules: tuple[Rule, ...]) -> tuple[Copy, tuple[Fix, ...], tuple[tuple[str, str], ...]]:
    """The book after the rules, what they did, and which of them were taken back."""
    fixes: list[Fix] = []
    harmful: list[tuple[str, str]] = []
    for rule in rules:
        patch = Patch(book)
        try:
            rule.apply(book, patch)
            after = book.patched(patch)
            # Before the package can be read, no page is known that could be harmed.
            harm = harm_of(book, after, patch) if patch and _is_readable(book) else ""
        except BotError:
            if not _is_readable(book):
                continue  # a later rule may make the package one that can be read
            raise
        if harm:
            harmful.append((rule.name, harm))
        elif patch:
            book = after
            fixes.append(Fix(rule.name, tuple(patch.changes[:SHOWN_CHANGES]), len(patch.changes)))
    return book, tuple(fixes), tuple(harmful)


def _is_readable(book: Copy) -> bool:
    try:
        return bool(book.package.items)
    except BotError:
        return False


def refuse_broken(book: Copy) -> None:
    """Raises `DamagedFile` for what no rule could mend and no Kindle can read."""
    there = {item.id for item in book.package.items if item.name}
    if not there.intersection(book.package.spine):
        raise damaged("EPUB", _("none of its chapters is in the file"))
    for name in book.read_pages:
        if book.tree(name) is None and book.size_of(name) <= PAGE_BYTES:
            shown = name.rpartition("/")[2]
            raise damaged("EPUB", _("a chapter of it, “{shown}”, cannot be read").format(shown=shown[:60]))


def _lost(book: Copy, target: Path, *, limits: BookLimits) -> str:
    """What the written file does not hold, a clause; "" if it is whole. Only what was changed is read again."""
    with open_members(target, limits, kind="EPUB") as members:
        written = Copy(members)
        if set(written.names) - {"mimetype"} != set(book.names) - {"mimetype"}:
            return "files of the book are not in the copy"
        for name in written.read_pages:
            if book.origin(name) is None and written.tree(name) is None:
                return f"“{name}” cannot be read in the copy"
        texts = "".join(text_of(written, name) for name in written.read_pages if book.origin(name) is None)
        expected = "".join(text_of(book, name) for name in book.read_pages if book.origin(name) is None)
        if texts != expected:
            return "the text of the copy is another one"
        if sum(picture_count(written, name) for name in written.read_pages) < sum(
            picture_count(book, name) for name in book.read_pages
        ):
            return "pictures are not in the copy"
    return ""
