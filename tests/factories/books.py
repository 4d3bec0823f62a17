"""Small books of every format, made in memory: sound ones, and broken in the one way that a test asks for."""

from __future__ import annotations

import enum
import io
import zipfile
from xml.sax.saxutils import escape

from PIL import Image


class Fault(enum.Enum):
    """What can be wrong with an EPUB of `make_epub`."""

    NONE = "none"
    CUT = "only the first half of the file"
    NO_CONTAINER = "META-INF/container.xml is missing"
    NO_OPF = "the package document is missing"
    BAD_OPF = "the package document is no XML"
    NO_CHAPTERS = "the chapters are missing"
    DRM = "encrypted for a reader of Adobe's"
    FONTS = "fonts obfuscated, which is allowed"
    BOMB = "a chapter of 500 MB, as its directory has it"
    TRAVERSAL = "a member whose name climbs out"


def make_picture(*, width: int = 60, height: int = 80, kind: str = "JPEG", colour: str = "teal") -> bytes:
    """A picture in one colour, encoded."""
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, kind)
    return buffer.getvalue()


def make_zip(members: dict[str, bytes]) -> bytes:
    """A ZIP with these members, deflated but for a `mimetype`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            # OCF 3.3, 4.3: the file that says what it is stands first, and is stored.
            entry = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))  # the same bytes, whatever the clock says
            archive.writestr(entry, body, zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED)
        for info in archive.infolist():
            # Said only, in the directory: real ones would cost seconds to make.
            if info.filename.endswith("bomb.xhtml"):
                info.file_size = 500 * 1024 * 1024
    return buffer.getvalue()


_CONTAINER = b"""<?xml version="1.0"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="OEBPS/content.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>"""


def make_epub(
    *,
    title: str = "Moby Dick",
    authors: tuple[str, ...] = ("Herman Melville",),
    language: str = "en",
    identifier: str = "urn:uuid:0f1e2d3c",
    cover: bytes | None = None,
    text: str = "Call me Ishmael.",
    metadata: str = "",
    fault: Fault = Fault.NONE,
) -> bytes:
    """An EPUB 3 of one chapter; `metadata` is XML that goes into the package document beside the rest."""
    creators = "".join(f"<dc:creator>{escape(author)}</dc:creator>" for author in authors)
    pictured = '<item id="cover" href="cover.jpg" media-type="image/jpeg" properties="cover-image"/>' if cover else ""
    opf = f"""<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:opf="http://www.idpf.org/2007/opf">
<dc:identifier id="id">{escape(identifier)}</dc:identifier><dc:title>{escape(title)}</dc:title>{creators}
<dc:language>{escape(language)}</dc:language><meta property="dcterms:modified">2026-01-01T00:00:00Z</meta>{metadata}
</metadata><manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="one" href="one.xhtml" media-type="application/xhtml+xml"/>{pictured}
</manifest><spine><itemref idref="one"/></spine></package>"""
    members = {
        "mimetype": b"application/epub+zip",
        "META-INF/container.xml": _CONTAINER,
        "OEBPS/content.opf": opf.encode(),
        "OEBPS/nav.xhtml": _xhtml('<nav epub:type="toc"><ol><li><a href="one.xhtml">One</a></li></ol></nav>'),
        "OEBPS/one.xhtml": _xhtml(f"<h1>One</h1><p>{escape(text)}</p>"),
    }
    if cover:
        members["OEBPS/cover.jpg"] = cover
    return _with_fault(members, fault)


def _xhtml(body: str) -> bytes:
    return f"""<?xml version="1.0" encoding="utf-8"?>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops">
<head><title>x</title></head><body>{body}</body></html>""".encode()


def make_encryption(algorithm: str, *, path: str = "OEBPS/one.xhtml") -> bytes:
    """META-INF/encryption.xml for one member."""
    return f"""<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<EncryptedData xmlns="http://www.w3.org/2001/04/xmlenc#"><EncryptionMethod Algorithm="{algorithm}"/>
<CipherData><CipherReference URI="{path}"/></CipherData></EncryptedData></encryption>""".encode()


def _with_fault(members: dict[str, bytes], fault: Fault) -> bytes:
    match fault:
        case Fault.NO_CONTAINER:
            del members["META-INF/container.xml"]
        case Fault.NO_OPF:
            del members["OEBPS/content.opf"]
        case Fault.BAD_OPF:
            members["OEBPS/content.opf"] = b"\x00\x01\x02 this is no XML"
        case Fault.NO_CHAPTERS:
            del members["OEBPS/one.xhtml"], members["OEBPS/nav.xhtml"]
        case Fault.DRM:
            members["META-INF/encryption.xml"] = make_encryption("http://www.w3.org/2001/04/xmlenc#aes128-cbc")
        case Fault.FONTS:
            members["META-INF/encryption.xml"] = make_encryption("http://www.idpf.org/2008/embedding", path="a.otf")
        case Fault.BOMB:
            members["OEBPS/bomb.xhtml"] = b"x"
        case Fault.TRAVERSAL:
            members["../../evil.xhtml"] = b"x"
        case Fault.NONE | Fault.CUT:
            pass
    book = make_zip(members)
    return book[: len(book) // 2] if fault is Fault.CUT else book


def make_pdf(*, title: str = "Moby Dick", author: str = "Herman Melville", pages: int = 1, password: str = "") -> bytes:
    """A PDF of empty pages; with `password` it can be opened with it only."""
    import pikepdf  # heavy, and few tests want it

    with pikepdf.new() as pdf:
        for _ in range(pages):
            pdf.add_blank_page(page_size=(300, 400))
        pdf.docinfo["/Title"] = title
        pdf.docinfo["/Author"] = author
        buffer = io.BytesIO()
        locks = pikepdf.Encryption(user=password, owner=f"{password}!") if password else None
        pdf.save(buffer, encryption=locks or False)
        return buffer.getvalue()


def make_fb2(
    *, title: str = "Мастер и Маргарита", first: str = "Михаил", last: str = "Булгаков", encoding: str = "utf-8"
) -> bytes:
    """A FictionBook in `encoding`, with a cover."""
    import base64

    picture = base64.b64encode(make_picture()).decode()
    return f"""<?xml version="1.0" encoding="{encoding}"?>
<FictionBook xmlns="http://www.gribuser.ru/xml/fictionbook/2.0" xmlns:l="http://www.w3.org/1999/xlink">
<description><title-info><genre>prose_classic</genre>
<author><first-name>{first}</first-name><last-name>{last}</last-name></author>
<book-title>{title}</book-title><annotation><p>Роман.</p><p>Москва.</p></annotation><lang>ru</lang>
<coverpage><image l:href="#cover.jpg"/></coverpage><sequence name="Классика" number="2"/></title-info>
<publish-info><isbn>978-0-14-143951-8</isbn></publish-info></description>
<body><section><p>Никогда не разговаривайте с неизвестными.</p></section></body>
<binary id="cover.jpg" content-type="image/jpeg">{picture}</binary></FictionBook>""".encode(encoding)


def make_docx(*, title: str = "Moby Dick", author: str = "Herman Melville") -> bytes:
    """A Word document of one paragraph."""
    core = f"""<?xml version="1.0" encoding="UTF-8"?>
<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties"
 xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{escape(title)}</dc:title><dc:creator>{escape(author)}</dc:creator>
<cp:keywords>whales; sea</cp:keywords><dc:language>en-GB</dc:language></cp:coreProperties>"""
    return make_zip(
        {
            "[Content_Types].xml": b'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
            "word/document.xml": b'<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"/>',
            "docProps/core.xml": core.encode(),
        }
    )


def make_odt(*, title: str = "Moby Dick", author: str = "Herman Melville") -> bytes:
    """An OpenDocument text with its metadata only."""
    meta = f"""<?xml version="1.0" encoding="UTF-8"?>
<office:document-meta xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:meta="urn:oasis:names:tc:opendocument:xmlns:meta:1.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><office:meta>
<dc:title>{escape(title)}</dc:title><meta:initial-creator>{escape(author)}</meta:initial-creator>
<meta:document-statistic meta:page-count="7"/></office:meta></office:document-meta>"""
    return make_zip(
        {
            "mimetype": b"application/vnd.oasis.opendocument.text",
            "content.xml": b"<content xmlns='urn:oasis:names:tc:opendocument:xmlns:office:1.0'/>",
            "meta.xml": meta.encode(),
        }
    )


def make_cbz(*, title: str = "Nemo", pages: int = 3) -> bytes:
    """A comic with ComicInfo.xml; each page has a colour of its own, the first is red."""
    info = f"<ComicInfo><Title>{escape(title)}</Title><Writer>Winsor McCay</Writer></ComicInfo>"
    colours = ("red", "green", "blue")
    pictures = {f"{n + 1}.png": make_picture(kind="PNG", colour=colours[n % 3]) for n in range(pages)}
    return make_zip({**pictures, "ComicInfo.xml": info.encode()})


def make_mobi(
    *, title: str = "Moby Dick", author: str = "Herman Melville", version: int = 6, encryption: int = 0
) -> bytes:
    """A MOBI (`version` 6) or AZW3 (8) with a header, a record of text, and a cover."""
    from struct import pack

    cover = make_picture()
    records_of_header = [(100, author.encode()), (104, b"9780141439518"), (524, b"en"), (201, pack(">L", 0))]
    body = b"".join(pack(">LL", kind, len(value) + 8) + value for kind, value in records_of_header)
    exth = b"EXTH" + pack(">LL", len(body) + 12, len(records_of_header)) + body
    mobi = bytearray(232)
    mobi[0:4] = b"MOBI"
    for offset, value in ((4, 232), (8, 2), (12, 65001), (20, version), (92, 2), (112, 0x40)):
        mobi[offset : offset + 4] = pack(">L", value)
    name_at = 16 + len(mobi) + len(exth)
    mobi[68:76] = pack(">LL", name_at, len(title.encode()))
    first = pack(">HHLHHHH", 1, 0, 16, 1, 4096, encryption, 0) + bytes(mobi) + exth + title.encode() + b"\0\0"
    # The last record is the mark that ends every MOBI.
    records = [first, b"Call me Ishmael.", cover, b"\xe9\x8e\r\n"]
    offsets, at = [], 78 + 8 * len(records) + 2
    for record in records:
        offsets.append(at)
        at += len(record)
    index = b"".join(pack(">LL", offset, number) for number, offset in enumerate(offsets))
    header = title.encode()[:31].ljust(60, b"\0") + b"BOOKMOBI" + bytes(8) + pack(">H", len(records))
    return header + index + b"\0\0" + b"".join(records)
