"""The rule for fonts that are obfuscated: undone, as every reader has to (EPUB 3.3, 4.3; Adobe's older way).

It is no copy protection: the key is the book's own identifier, which stands in the book. Amazon takes files with an
`encryption.xml` for protected ones.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from core.books.epub import ADOBE_OBFUSCATION, ENCRYPTION, IDPF_OBFUSCATION
from core.books.kindle.contents import unique_identifier
from core.books.kindle.trees import item_element, remove
from core.books.kindle.working import Copy, Patch
from core.books.xml import attribute, elements_named, find
from core.i18n import _

_FONTS: Final = (b"\x00\x01\x00\x00", b"OTTO", b"true", b"ttcf", b"wOFF", b"wOF2")


def reveal_fonts(book: Copy, patch: Patch) -> None:
    """Fonts as they were before; those that do not become fonts are taken out, and readers use their own."""
    tree = book.tree(ENCRYPTION) if ENCRYPTION in book else None
    if tree is None:
        return
    for data in elements_named(tree.getroot(), "EncryptedData"):
        method, reference = find(data, "EncryptionMethod"), find(data, "CipherData", "CipherReference")
        if method is None or reference is None:
            continue
        name = book.guess(attribute(reference, "URI"), base="x")
        if name is not None:
            _reveal(book, patch, name, algorithm=attribute(method, "Algorithm").strip())
    patch.removed.add(ENCRYPTION)
    patch.tell("", _("fonts were obfuscated, which Amazon takes for copy protection"))


def _reveal(book: Copy, patch: Patch, name: str, *, algorithm: str) -> None:
    if name in patch.files:
        return  # named twice
    data, identifier = book.read(name), unique_identifier(book)
    clear = _clear(data, identifier, algorithm=algorithm)
    if clear.startswith(_FONTS):
        patch.files[name] = clear
        patch.tell(name, _("the font is as it was before it was obfuscated"))
        return
    item = next((item for item in book.package.items if item.name == name), None)
    if item is not None and name not in patch.removed and not data.startswith(_FONTS):
        remove(item_element(patch.edit(book.package.name), item.id))
        patch.tell(book.package.name, _("the font “{file}” could not be read and was taken out").format(file=item.href))
        patch.removed.add(name)


def _clear(data: bytes, identifier: str, *, algorithm: str) -> bytes:
    if algorithm == IDPF_OBFUSCATION:
        # EPUB 3.3 4.3.3: SHA-1 of the identifier without its blanks, over the first 1,040 bytes.
        key = hashlib.sha1(re.sub(r"[\x20\t\r\n]", "", identifier).encode(), usedforsecurity=False).digest()
        return _xor(data, key, length=1040)
    digits = re.sub(r"[^0-9A-Fa-f]", "", identifier.rpartition(":")[2])
    if algorithm == ADOBE_OBFUSCATION and len(digits) == 32:
        return _xor(data, bytes.fromhex(digits), length=1024)
    return data


def _xor(data: bytes, key: bytes, *, length: int) -> bytes:
    head = bytes(byte ^ key[place % len(key)] for place, byte in enumerate(data[:length]))
    return head + data[length:]
