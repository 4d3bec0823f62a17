"""Who names which file: `href`, `src` and their like in documents, `url()` and `@import` in styles."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from lxml import etree

from core.books.kindle.trees import XLINK, Tree
from core.books.kindle.working import CONTAINER, Copy, Patch, is_remote, relative
from core.books.text import decode_text
from core.books.xml import local_name
from core.i18n import _

_ATTRIBUTES: Final = ("href", "src", "poster", "data", f"{{{XLINK}}}href", "altimg", "full-path")
_NAMED: Final = etree.XPath(
    "//*[@href or @src or @poster or @data or @altimg or @x:href]", namespaces={"x": XLINK}, smart_strings=False
)
_URL: Final = re.compile(
    r"url\(\s*(?P<quote>[\"']?)(?P<href>[^\"')]*)(?P=quote)\s*\)|@import\s+[\"'](?P<import>[^\"']+)[\"']"
)
_NOT_LOADED: Final = frozenset({"a", "area", "base", "blockquote", "q", "ins", "del"})


class Reference(NamedTuple):
    """An attribute that names something."""

    element: etree._Element
    key: str
    href: str


def references(root: etree._Element) -> Iterator[Reference]:
    """All that a document names, in order."""
    found = _NAMED(root)
    assert isinstance(found, list)
    for element in found:
        if isinstance(element, etree._Element) and local_name(element) != "base":
            for key in _ATTRIBUTES:
                href = element.get(key)
                if href is not None and not (key == "data" and local_name(element) != "object"):
                    yield Reference(element, key, str(href))


def hrefs(book: Copy, document: str) -> tuple[tuple[str, str], ...]:
    """(element, href) of all that a document names."""
    return book.hrefs(document, _hrefs_in)


def _hrefs_in(tree: Tree) -> tuple[tuple[str, str], ...]:
    return tuple((local_name(one.element), one.href) for one in references(tree.getroot()))


def style_hrefs(text: str) -> Iterator[str]:
    """All that a style sheet names."""
    for match in _URL.finditer(text):
        yield (match["href"] or match["import"] or "").strip()


def read_style(book: Copy, name: str) -> str:
    return decode_text(book.read(name))


def local_references(book: Copy, document: str) -> Iterator[str]:
    """Files of the book that a document or style sheet loads or links to."""
    if document in book.styles:
        named: Iterable[str] = style_hrefs(read_style(book, document))
    else:
        named = dict.fromkeys(href for _, href in hrefs(book, document))
    for href in named:
        if href and not is_remote(href):
            name = book.resolve(href, base=document)
            if name is not None and name != document:
                yield name


def rewrite(
    book: Copy, patch: Patch, change: Callable[[str, str], str | None], *, tell: Callable[[str, str], str]
) -> None:
    """Give every reference in the book the href that `change(href, document)` returns; None leaves it."""
    for document in dict.fromkeys((book.package.name, *book.documents)):
        named = dict.fromkeys(href for _, href in hrefs(book, document))
        if all(change(href, document) is None for href in named):
            continue
        for reference in references(patch.edit(document)):
            new = change(reference.href, document)
            if new is not None:
                reference.element.set(reference.key, new)
                patch.tell(document, tell(reference.href, new))
    for style in book.styles:
        text = read_style(book, style)
        new_text = _URL.sub(lambda match: _changed(match, style, change), text)  # noqa: B023 - used at once
        if new_text != text:
            patch.files[style] = new_text.encode("utf-8")
            patch.tell(style, _("names of files in the style sheet were put right"))


def _changed(match: re.Match[str], document: str, change: Callable[[str, str], str | None]) -> str:
    href = (match["href"] or match["import"] or "").strip()
    new = change(href, document) if href else None
    return match[0] if new is None else match[0].replace(href, new)


def mend_paths(book: Copy, patch: Patch) -> None:
    """References that are wrong in their case, their slashes, their root or their escapes, where it is clear which file
    they mean."""

    def change(href: str, document: str) -> str | None:
        if not href.strip() or href.startswith("#") or _is_foreign(href):
            return None
        path, mark, fragment = href.partition("#")
        if book.resolve(href, base=document) is not None and not re.search(r"[\\ ]|^/", path):
            return None
        name = book.resolve(href, base=document) or book.guess(href, base=document)
        return None if name is None else relative(name, base=document) + mark + fragment

    rewrite(book, patch, change, tell=lambda old, new: _("“{old}” is “{new}”").format(old=old, new=new))


def _is_foreign(href: str) -> bool:
    return is_remote(href) and not re.match(r"[A-Za-z]:[\\/]|file:", href)


_ODD_NAME: Final = re.compile(r"[^A-Za-z0-9._/+~-]|^-|/-")


def plain_names(book: Copy, patch: Patch) -> None:
    """Files whose names have blanks, signs or letters beyond ASCII get names without, everywhere."""
    odd = [item.name for item in book.package.items if item.name and _ODD_NAME.search(item.name)]
    if book.package.name != re.sub(_ODD_NAME, "-", book.package.name):
        odd.append(book.package.name)
    if not odd:
        return
    taken = {name.casefold() for name in book.names}
    for name in dict.fromkeys(odd):
        patch.renamed[name] = fresh = _fresh(name, taken)
        taken.add(fresh.casefold())
    apply_renames(book, patch)
    for name, fresh in patch.renamed.items():
        patch.tell(name, _("“{file}” is called “{new}” now").format(file=name, new=fresh))


def _fresh(name: str, taken: set[str]) -> str:
    stem, dot, suffix = name.rpartition(".")
    plain = _ODD_NAME.sub("-", stem if dot else name)
    if not re.search(r"[A-Za-z0-9]", plain.rpartition("/")[2]):
        plain = f"{plain.rpartition('/')[0]}/file".lstrip("/")
    end = f".{_ODD_NAME.sub('', suffix)}" if dot else ""
    names = (f"{plain}{end}", *(f"{plain}-{number}{end}" for number in range(2, 100_000)))
    return next(candidate for candidate in names if candidate.casefold() not in taken)


def apply_renames(book: Copy, patch: Patch) -> None:
    """Have all that names the files of `patch.renamed` name them by their new names."""

    def change(href: str, document: str) -> str | None:
        if not href or href.startswith("#") or is_remote(href):
            return None
        name = book.resolve(href, base=document)
        if name is None or (name not in patch.renamed and document not in patch.renamed):
            return None
        _, mark, fragment = href.partition("#")
        base = patch.renamed.get(document, document)
        return relative(patch.renamed.get(name, name), base=base) + mark + fragment

    rewrite(book, patch, change, tell=lambda _old, new: _("it names “{new}” as that is called now").format(new=new))
    if book.package.name in patch.renamed and CONTAINER in book and book.tree(CONTAINER) is not None:
        for element in patch.edit(CONTAINER).iter():
            if local_name(element) == "rootfile" and element.get("full-path") == book.package.name:
                element.set("full-path", patch.renamed[book.package.name])
                patch.tell(CONTAINER, _("it leads to the new name"))
