"""A sound EPUB 3 of two chapters, with a picture, a style sheet, and contents of both kinds; or with one fault."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from PIL import Image

from tests.factories.books import make_picture

Members = dict[str, bytes]
Fault = Callable[[Members], None]

OPF, NCX, NAV, ONE, TWO, CSS = (
    "OEBPS/content.opf", "OEBPS/toc.ncx", "OEBPS/nav.xhtml", "OEBPS/one.xhtml", "OEBPS/two.xhtml", "OEBPS/style.css",
)  # fmt: skip
PROSE = " ".join(
    ["It was the best of times, it was the worst of times, it was the age of wisdom, and of foolishness."] * 4
)

_PAGE = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" lang="en" xml:lang="en">
<head><title>{title}</title><link rel="stylesheet" type="text/css" href="style.css"/></head>
<body><h1 id="top">{title}</h1><p>Café – {prose}</p><p><img src="images/picture.jpg" alt="A picture"/></p>
<p><a href="{other}#top">the other chapter</a></p></body></html>
"""


def sound_members() -> Members:
    """By name, in order."""
    return {
        "mimetype": b"application/epub+zip",
        "META-INF/container.xml": b"""<?xml version="1.0" encoding="utf-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="OEBPS/content.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>""",
        OPF: b"""<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="book-id">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="book-id">urn:uuid:9b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9</dc:identifier>
<dc:title>A Tale</dc:title><dc:creator>C. D.</dc:creator><dc:language>en</dc:language>
<meta property="dcterms:modified">2026-01-01T00:00:00Z</meta><meta name="cover" content="picture"/>
</metadata><manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>
<item id="one" href="one.xhtml" media-type="application/xhtml+xml"/>
<item id="two" href="two.xhtml" media-type="application/xhtml+xml"/>
<item id="style" href="style.css" media-type="text/css"/>
<item id="picture" href="images/picture.jpg" media-type="image/jpeg" properties="cover-image"/>
</manifest><spine toc="ncx"><itemref idref="one"/><itemref idref="two"/></spine></package>""",
        NCX: b"""<?xml version="1.0" encoding="utf-8"?>
<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/" version="2005-1">
<head><meta name="dtb:uid" content="urn:uuid:9b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9"/></head>
<docTitle><text>A Tale</text></docTitle><navMap>
<navPoint id="p1" playOrder="1"><navLabel><text>One</text></navLabel><content src="one.xhtml#top"/></navPoint>
<navPoint id="p2" playOrder="2"><navLabel><text>Two</text></navLabel><content src="two.xhtml"/></navPoint>
</navMap></ncx>""",
        NAV: b"""<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><head><title>Contents</title></head>
<body><nav epub:type="toc"><ol><li><a href="one.xhtml">One</a></li><li><a href="two.xhtml#top">Two</a></li></ol></nav>
</body></html>""",
        ONE: _PAGE.format(title="One", prose=PROSE, other="two.xhtml").encode(),
        TWO: _PAGE.format(title="Two", prose=PROSE, other="one.xhtml").encode(),
        CSS: b"p { margin: 0 } h1 { color: #333 }",
        "OEBPS/images/picture.jpg": make_picture(),
    }  # fmt: skip


def pack(members: Mapping[str, bytes], *, deflate_mimetype: bool = False) -> bytes:
    """As a ZIP, the mimetype stored unless told."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            is_stored = name == "mimetype" and not deflate_mimetype
            archive.writestr(zipfile.ZipInfo(name), body, zipfile.ZIP_STORED if is_stored else zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def faulty(fault: Fault | None = None) -> bytes:
    """The sound book with `fault` done to its members."""
    members = sound_members()
    if fault is not None:
        fault(members)
    return pack(members)


def put(name: str, old: str, new: str) -> Fault:
    """The fault that a text stands in place of another."""

    def fault(members: Members) -> None:
        source = members[name].decode()
        assert old in source, f"{old!r} does not stand in {name}"
        members[name] = source.replace(old, new).encode()

    return fault


def both(*faults: Fault) -> Fault:
    def fault(members: Members) -> None:
        for one in faults:
            one(members)

    return fault


def lack(name: str) -> Fault:
    def fault(members: Members) -> None:
        del members[name]

    return fault


def hold(name: str, content: bytes) -> Fault:
    def fault(members: Members) -> None:
        members[name] = content

    return fault


def rename(old: str, new: str) -> Fault:
    def fault(members: Members) -> None:
        members[new] = members.pop(old)

    return fault


def picture_of(kind: str, *, mode: str = "RGB", size: tuple[int, int] = (120, 90)) -> bytes:
    """A photograph, so that it is not flat: more colours than any drawing has."""
    buffer = io.BytesIO()
    image = Image.radial_gradient("L").resize(size)
    Image.merge("RGB", (image, image.rotate(90), image.point(lambda value: 255 - value))).convert(mode).save(
        buffer, kind
    )
    return buffer.getvalue()


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
