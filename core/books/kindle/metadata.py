"""Rules for what a book says of itself: language, title, identifier, cover."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

from lxml import etree

from core.books.epub import author_elements
from core.books.kindle.harm import text_of as page_text
from core.books.kindle.trees import DC, XHTML, body_of, child, element_ids, item_element, remove
from core.books.kindle.working import Copy, Item, Patch
from core.books.language import language_tag
from core.books.text import clean_line
from core.books.xml import attribute, find, local_name, text_of
from core.i18n import _, in_quotes

_SAMPLE_LENGTH: Final = 6000
_ENOUGH: Final = 200  # letters: of fewer no recognition is right often enough
_TAG: Final = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*")
_UNTITLED: Final = "Untitled"


def _metadata(book: Copy, patch: Patch) -> etree._Element:
    """To be changed; made where there is none. EPUB 2 let the Dublin Core stand in an element of its own."""
    root = patch.edit(book.package.name)
    metadata = find(root, "metadata")
    if metadata is None:
        space = etree.QName(root).namespace
        metadata = etree.Element(f"{{{space}}}metadata" if space else "metadata")
        root.insert(0, metadata)
    inner = find(metadata, "dc-metadata")
    return metadata if inner is None else inner


def _named(root: etree._Element | None, name: str) -> list[etree._Element]:
    return [] if root is None else [one for one in root.iter() if local_name(one) == name]


def mend_language(book: Copy, patch: Patch) -> None:
    """One `dc:language` with a tag that is one (BCP 47); where there is none, that of the text."""
    found = _named(book.package.metadata, "language")
    written = [text_of(one) for one in found]
    good = next((place for place, text in enumerate(written) if is_tag(text)), None)
    if good == 0 and len(found) == 1:
        return
    known = next((tag for text in written if (tag := language_tag(text)) is not None and text.lower() != "us"), None)
    tag = written[good] if good is not None else known or detect(book) or "en"
    metadata = _metadata(book, patch)
    edited = _named(patch.edit(book.package.name), "language")
    first = edited[0] if edited else child(metadata, "language", namespace=DC)
    first.text = tag
    for other in edited[1:]:
        _drop_refinements(other, patch.edit(book.package.name))
        remove(other)
    told = _("the language was {shown} and is “{tag}”") if written else _("the language was missing and is “{tag}”")
    patch.tell(book.package.name, told.format(shown=in_quotes(written), tag=tag))


def is_tag(text: str) -> bool:
    """Whether a reader's software knows the language by it: `en`, `zh-TW`; not `eng`, `English`, `und`, `us`."""
    tag = language_tag(text)
    return _TAG.fullmatch(text) is not None and tag is not None and tag.split("-")[0] == text.lower().split("-")[0]


def detect(book: Copy) -> str | None:
    """Two letters, as the text reads; None where there is too little of it."""
    sample = ""
    for name in book.read_pages:
        tree = book.tree(name)
        body = None if tree is None else body_of(tree)
        sample += " ".join(map(str, body.itertext())) if body is not None else ""
        if len(sample) > _SAMPLE_LENGTH:
            break
    sample = " ".join(sample.split())[:_SAMPLE_LENGTH]
    if len(sample) < _ENOUGH:
        return None
    import py3langid  # a second to load, for the few books that need it

    return str(py3langid.classify(sample)[0])


def _drop_refinements(element: etree._Element, root: etree._Element) -> None:
    own = attribute(element, "id")
    for meta in _named(root, "meta"):
        if own and attribute(meta, "refines") == f"#{own}":
            remove(meta)


def mend_title(book: Copy, patch: Patch) -> None:
    """A title; that of the file, where there is none."""
    found = _named(book.package.metadata, "title")
    full = [one for one in found if text_of(one)]
    if full and len(full) == len(found):
        return
    metadata = _metadata(book, patch)
    edited = _named(patch.edit(book.package.name), "title")
    if full:
        for one in [one for one in edited if not text_of(one)]:
            _drop_refinements(one, patch.edit(book.package.name))
            remove(one)
        patch.tell(book.package.name, _("one of the titles was empty"))
        return
    title = edited[0] if edited else child(metadata, "title", namespace=DC)
    for other in edited[1:]:
        remove(other)
    title.text = _title_of_file(book) or _title_of_text(book) or _UNTITLED
    patch.tell(book.package.name, _("there was no title; it is “{title}” now").format(title=title.text))


def _title_of_file(book: Copy) -> str:
    stem = PurePosixPath(book.filename.replace("\\", "/")).stem
    return clean_line(stem.replace("_", " "), max_length=150)


def _title_of_text(book: Copy) -> str:
    for name in book.read_pages:
        tree = book.tree(name)
        for element in () if tree is None else tree.iter(f"{{{XHTML}}}h1", f"{{{XHTML}}}title"):
            if title := clean_line(text_of(element), max_length=150):
                return title
    return ""


def mark_main_title(book: Copy, patch: Patch) -> None:
    """Of several titles one is said to be the main one (EPUB 3); in EPUB 2, which has no way to say so, one stays."""
    found = [one for one in _named(book.package.metadata, "title") if text_of(one)]
    if len(found) < 2:
        return
    kinds = [meta for meta in _named(book.package.metadata, "meta") if attribute(meta, "property") == "title-type"]
    ids = {attribute(one, "id") for one in found if attribute(one, "id")}
    if any(text_of(meta) == "main" and attribute(meta, "refines")[1:] in ids for meta in kinds):
        return
    metadata, root = _metadata(book, patch), patch.edit(book.package.name)
    edited = [one for one in _named(root, "title") if text_of(one)]
    first = edited[0]
    if book.package.is_epub3:
        own = attribute(first, "id")
        if not own:
            own = _free_id(root, "main-title")
            first.set("id", own)
        for meta in _named(root, "meta"):
            if attribute(meta, "refines") == f"#{own}" and attribute(meta, "property") == "title-type":
                remove(meta)
        meta = child(metadata, "meta", namespace=etree.QName(metadata).namespace)
        meta.set("refines", f"#{own}")
        meta.set("property", "title-type")
        meta.text = "main"
    else:
        for other in edited[1:]:
            remove(other)
    patch.tell(
        book.package.name,
        _("of {count} titles none was the main one; it is “{title}”").format(count=len(found), title=text_of(first)),
    )


def call(book: Copy, patch: Patch, *, title: str, authors: Sequence[str], language: str) -> None:
    """What its reader says of the book in the library; what is empty stays as the file has it."""
    metadata, root = _metadata(book, patch), patch.edit(book.package.name)
    if title:
        _say(metadata, root, _named(root, "title"), [title], name="title")
        patch.tell(book.package.name, _("it is called “{title}”, as in your library").format(title=title))
    if authors:
        _say(metadata, root, author_elements(list(root.iter(etree.Element))), authors, name="creator")
        patch.tell(book.package.name, _("it is by {authors}, as in your library").format(authors=", ".join(authors)))
    if language:
        _say(metadata, root, _named(root, "language"), [language], name="language")
        patch.tell(book.package.name, _("its language is “{tag}”, as in your library").format(tag=language))


def _say(
    metadata: etree._Element, root: etree._Element, old: Sequence[etree._Element], texts: Sequence[str], *, name: str
) -> None:
    for element in old:
        _drop_refinements(element, root)
        remove(element)
    for text in texts:
        child(metadata, name, namespace=DC).text = text


def _free_id(root: etree._Element, stem: str) -> str:
    taken = set(element_ids(root))
    return next(name for name in (stem, *(f"{stem}-{n}" for n in range(2, 10_000))) if name not in taken)


def mend_identifier(book: Copy, patch: Patch) -> None:
    """An identifier, and a package that names it as its own."""
    root = book.package.root
    wanted = attribute(root, "unique-identifier")
    found = _named(book.package.metadata, "identifier")
    own = next((one for one in found if wanted and attribute(one, "id") == wanted), None)
    if own is not None and text_of(own):
        return
    metadata, edited = _metadata(book, patch), patch.edit(book.package.name)
    target = next((one for one in _named(edited, "identifier") if attribute(one, "id") == wanted and wanted), None)
    if target is None:
        target = next((one for one in _named(edited, "identifier") if text_of(one)), None)
    if target is None:
        target = child(metadata, "identifier", namespace=DC)
    if not text_of(target):
        target.text = made_identifier(book)
        patch.tell(book.package.name, _("it had no identifier and got one"))
    if not attribute(target, "id"):
        target.set("id", _free_id(edited, "book-id"))
    if attribute(target, "id") != wanted:
        edited.set("unique-identifier", attribute(target, "id"))
        patch.tell(book.package.name, _("none of the identifiers was said to be the book's own"))


def made_identifier(book: Copy) -> str:
    """The same for the same text, whenever it is made."""
    digest = hashlib.sha256("".join(page_text(book, name) for name in book.read_pages).encode()).hexdigest()
    return uuid.uuid5(uuid.NAMESPACE_URL, f"inkpost:{digest}").urn


def name_cover(book: Copy, patch: Patch) -> None:
    """The picture that is the cover is said to be it in the ways of EPUB 2 and 3."""
    covers = [item for item in book.package.items if item.is_picture and item.name]
    ids = {item.id: item for item in covers}
    named = [meta for meta in _named(book.package.metadata, "meta") if attribute(meta, "name") == "cover"]
    old = next((ids[key] for meta in named if (key := attribute(meta, "content").strip()) in ids), None)
    new = next((item for item in covers if "cover-image" in item.properties), None)
    cover = new or old or _likely_cover(book)
    if cover is None or cover.media_type == "image/svg+xml":
        return
    if old is None:
        metadata = _metadata(book, patch)
        edited = [meta for meta in _named(patch.edit(book.package.name), "meta") if attribute(meta, "name") == "cover"]
        meta = edited[0] if edited else child(metadata, "meta", namespace=etree.QName(metadata).namespace)
        meta.set("name", "cover")
        meta.set("content", cover.id)
        patch.tell(
            book.package.name,
            _("“{file}” was not said to be the cover in the way that Kindles look for").format(file=cover.href),
        )
    if new is None and book.package.is_epub3:
        element = item_element(patch.edit(book.package.name), cover.id)
        element.set("properties", f"{attribute(element, 'properties')} cover-image".strip())
        patch.tell(book.package.name, _("“{file}” was not said to be the cover").format(file=cover.href))


def _likely_cover(book: Copy) -> Item | None:
    """The only picture with “cover” in its name or id; or the only picture of a first page that is called so."""
    named = [
        item
        for item in book.package.items
        if item.is_picture
        and item.name
        and re.search(r"(?:^|[^a-z])cover(?:[^a-z]|$)", f"{item.id} {item.name.rpartition('/')[2]}".lower())
    ]
    return named[0] if len(named) == 1 else None
