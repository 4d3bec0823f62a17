"""Rules for style sheets: variables, fonts that are not there, and what would be loaded from the network."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from core.books.kindle.references import read_style, style_hrefs
from core.books.kindle.trees import XHTML
from core.books.kindle.working import Copy, Patch, is_loaded_from_afar, is_remote
from core.i18n import _

_FONT_FACE: Final = re.compile(r"@font-face\s*\{([^{}]*)\}", re.IGNORECASE)
_SRC: Final = re.compile(r"(\bsrc\s*:)([^;{}]*)", re.IGNORECASE)
_IMPORT: Final = re.compile(r"@import\s+(?:url\(\s*)?[\"']?([^\"')\s;]+)[\"']?\s*\)?[^;{}]*;?", re.IGNORECASE)
_DECLARATION: Final = re.compile(r"(?<=[{;])\s*[\w-]+\s*:\s*[^;{}]*\burl\([^;{}]*(?:;|(?=\}))")
_VARIABLE: Final = re.compile(r"(?<![\w-])--([\w-]+)\s*:\s*([^;{}]*)(?:;|(?=\})|$)")
_USE: Final = re.compile(r"var\(\s*--([\w-]+)\s*(?:,\s*((?:[^()]|\([^()]*\))*))?\)")
_USED_STILL: Final = re.compile(r"[\w-]+\s*:\s*[^;{}]*\bvar\([^;{}]*(?:;|(?=\})|$)")
_CHARSET: Final = re.compile(r"^\s*@charset\s+[^;]*;\s*", re.IGNORECASE)
_DEPTH: Final = 8  # variables that are made of variables

Resolve = Callable[[str], bool]


def mend_styles(book: Copy, patch: Patch) -> None:
    """Style sheets, and the styles inside of pages."""
    variables = _variables(book)

    def mended(text: str, document: str) -> str:
        text = _without_variables(text, variables)
        return _without_lost(text, lambda href: _is_there(book, href, document))

    for name in book.styles:
        text = read_style(book, name)
        new = mended(text, name)
        if not _is_utf8(book.read(name)):
            new = _CHARSET.sub("", new)
            patch.tell(name, _("the style sheet became UTF-8"))
        if new != text:
            patch.tell(name, _told(text, new))
        if new != text or not _is_utf8(book.read(name)):
            patch.files[name] = new.encode("utf-8")
    for name in book.pages:
        source = book.read(name)
        tree = (
            book.tree(name) if b"style" in source and (b"--" in source or b"url(" in source or b"@" in source) else None
        )
        if tree is None:
            continue
        if not any(mended(text, name) != text for text in _inner_styles(tree.getroot())):
            continue
        for element in patch.edit(name).iter(f"{{{XHTML}}}*"):
            if element.tag == f"{{{XHTML}}}style" and element.text:
                element.text = mended(element.text, name)
            if (style := element.get("style")) is not None:
                element.set("style", _without_variables(style, variables))
        patch.tell(name, _("styles in the page that Kindles do not know were resolved"))


def _inner_styles(root: object) -> Iterator[str]:
    # It is an element of lxml; `object` is all that its caller can say of it.
    for element in root.iter(f"{{{XHTML}}}*"):  # type: ignore[attr-defined]
        if element.tag == f"{{{XHTML}}}style" and element.text:
            yield element.text
        elif style := element.get("style"):
            yield style


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _is_there(book: Copy, href: str, document: str) -> bool:
    if href.startswith(("data:", "#", "about:")) or not href:
        return True
    if is_loaded_from_afar(href) or is_remote(href):
        return False
    return book.resolve(href, base=document) is not None


def _told(old: str, new: str) -> str:
    if "var(" in old and "var(" not in new:
        return _("variables in the style sheet, which older Kindles do not know, were put in place")
    if len(_FONT_FACE.findall(old)) > len(_FONT_FACE.findall(new)):
        return _("the style sheet named fonts that are not in the book")
    return _("the style sheet named files that are not in the book")


# -- variables


def _variables(book: Copy) -> dict[str, str]:
    """The first value of each, from all style sheets and pages, as `:root` has them."""
    found: dict[str, str] = {}
    for name in (*book.styles, *book.pages):
        data = book.read(name)
        if (b"--" in data and b"var(" in data) or (name in book.styles and b"--" in data):
            for key, value in _VARIABLE.findall(data.decode("utf-8", "replace")):
                found.setdefault(key, value.strip())
    return found


def _without_variables(text: str, variables: dict[str, str]) -> str:
    if "--" not in text or ("var(" not in text and _VARIABLE.search(text) is None):
        return text

    def value(match: re.Match[str]) -> str:
        return variables.get(match[1]) or (match[2] or "").strip() or match[0]

    for _level in range(_DEPTH):
        new = _USE.sub(value, text)
        if new == text or len(new) > 4 * len(text) + 4096:
            break
        text = new
    # What has no value makes its declaration none (CSS Variables 1, 3.1).
    return _VARIABLE.sub("", _USED_STILL.sub("", text)) if "{" in text or "var(" in text or "--" in text else text


# -- what is not there


def _without_lost(text: str, is_there: Resolve) -> str:
    if all(is_there(href) for href in style_hrefs(text)):
        return text
    text = _IMPORT.sub(lambda match: match[0] if is_there(match[1]) else "", text)
    faces: list[str] = []

    def face(match: re.Match[str]) -> str:
        new = _SRC.sub(lambda src: src[1] + _sources(src[2], is_there), match[0])
        has_source = re.search(r"\bsrc\s*:\s*[^\s;}]", new, re.IGNORECASE) is not None
        faces.append(new if has_source else "")
        return f"\x00{len(faces) - 1}\x00"  # set aside: a declaration of a font is judged here alone

    text = _FONT_FACE.sub(face, text)
    text = _DECLARATION.sub(lambda match: match[0] if all(map(is_there, style_hrefs(match[0]))) else "", text)
    return re.sub("\x00([0-9]+)\x00", lambda match: faces[int(match[1])], text)


def _sources(written: str, is_there: Resolve) -> str:
    parts = re.split(r",(?![^()]*\))", written)
    return ",".join(part for part in parts if all(map(is_there, style_hrefs(part))))
