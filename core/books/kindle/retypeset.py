"""A book set anew: its words, pictures and links in pages of ours, without anything of how it was made."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from lxml import etree

from core.books.kindle.contents import outline
from core.books.kindle.harm import decoded
from core.books.kindle.rebuild import Label, cover_of
from core.books.kindle.working import Copy, is_remote
from core.books.making import BookPlan, Chapter, Picture
from core.books.refusals import damaged
from core.books.typeset import body_xhtml, parse_html
from core.i18n import _
from core.news.shape import drop

_SUFFIXES: Final = {"image/jpeg": "jpg", "image/png": "png", "image/gif": "gif", "image/svg+xml": "svg"}
_ID_SIGNS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")


def plan_of(book: Copy, *, label: Label, modified: str) -> BookPlan:
    """The plan of the same book; `modified` is RFC 3339. Every picture is in the file."""
    from datetime import datetime

    setting = _Setting(book)
    pages = [name for name in book.read_pages if name != book.nav]
    if not pages:
        raise damaged("EPUB", _("it has no chapters of text that could be set anew"), code="device.text")
    titles = {entry.name: entry.title for entry in outline(book)}
    setting.names = {name: f"chapter-{number}" for number, name in enumerate(pages, start=1)}
    chapters = [Chapter(setting.names[name], titles.get(name, "…"), setting.body(name)) for name in pages]
    cover = cover_of(book)
    is_photograph = cover is not None and book.read(cover).startswith(b"\xff\xd8\xff")
    return BookPlan(
        title=label.title,
        authors=label.authors or ("…",),
        language=label.language,
        chapters=with_live_links(chapters),
        pictures=setting.pictures(),
        cover=book.read(cover) if cover is not None and is_photograph else None,
        modified_at=datetime.fromisoformat(modified),
    )


@dataclass(slots=True)
class _Setting:
    book: Copy
    names: dict[str, str] = field(default_factory=dict)
    shown: dict[str, str] = field(default_factory=dict)
    """Picture files -> their new names."""

    def body(self, page: str) -> str:
        tree = self.book.tree(page)
        # As HTML: prefixes and namespaces go, and empty elements are written out.
        source = (
            decoded(self.book.read(page))
            if tree is None
            else str(etree.tostring(tree, method="html", encoding="unicode"))
        )
        document = parse_html(source)
        for nav in list(document.iter("nav")):
            drop(nav)
        return body_xhtml(
            document, picture=lambda src: self._picture(src, page), link=lambda href: self._link(href, page)
        )

    def _picture(self, src: str, page: str) -> str | None:
        name = None if not src or is_remote(src) else self.book.resolve(src, base=page)
        kinds = {item.name: item.media_type for item in self.book.package.items}
        suffix = _SUFFIXES.get(kinds.get(name or "", ""))
        if name is None or suffix is None:
            return None
        return self.shown.setdefault(name, f"pictures/{len(self.shown) + 1}.{suffix}")

    def _link(self, href: str, page: str) -> str | None:
        if href.startswith(("http://", "https://", "mailto:")):
            return quote(href, safe="%/:=&?~#+!$,;'@()*[]")
        if is_remote(href):
            return None
        path, _, fragment = href.partition("#")
        name = self.book.resolve(path, base=page)
        if name not in self.names:
            return None
        mark = f"#{fragment}" if fragment and set(fragment) <= _ID_SIGNS else ""
        return f"{self.names[name]}.xhtml{mark}"

    def pictures(self) -> list[Picture]:
        kinds = {item.name: item.media_type for item in self.book.package.items}
        return [Picture(new, kinds[name], self.book.read(name)) for name, new in self.shown.items()]


def with_live_links(chapters: Sequence[Chapter]) -> list[Chapter]:
    """Links to ids that did not come along lead to their page."""
    trees = {
        chapter.name: etree.fromstring(f"<div>{chapter.body}</div>", etree.XMLParser(huge_tree=True))
        for chapter in chapters
    }
    ids = {name: {str(one.get("id")) for one in tree.iter("*") if one.get("id")} for name, tree in trees.items()}
    made = []
    for chapter in chapters:
        tree, is_changed = trees[chapter.name], False
        for link in tree.iter("a"):
            path, mark, fragment = link.get("href", "").partition("#")
            name = posixpath.splitext(path)[0]
            if mark and name in ids and fragment not in ids[name]:
                link.set("href", path)
                is_changed = True
        body = chapter.body
        if is_changed:
            whole = etree.tostring(tree, encoding="unicode")
            body = whole[whole.find(">") + 1 : whole.rfind("</")]
        made.append(Chapter(chapter.name, chapter.title, body, chapter.section))
    return made
