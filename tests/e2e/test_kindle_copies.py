"""A book that Amazon would refuse: what the device gets, what its owner is told, and what stays as it was."""

from __future__ import annotations

import io
import zipfile
from email.message import EmailMessage

from tests.factories.books import make_fb2
from tests.factories.kindle_books import OPF, both, faulty, put
from tests.support.service import House, Person

BROKEN = faulty(
    both(put(OPF, "<dc:language>en<", "<dc:language>English<"), put("OEBPS/one.xhtml", ' encoding="utf-8"', ""))
)
KINDLE = "ada@kindle.com"


async def delivered(house: House, *, count: int = 1) -> EmailMessage:
    return (await house.world.wait_for(KINDLE, count=count, timeout_seconds=30)).message


def attachment(mail: EmailMessage) -> tuple[str, bytes]:
    (part,) = mail.iter_attachments()
    content = part.get_content()
    assert isinstance(content, bytes)
    return str(part.get_filename()), content


async def reader(house: House, *files: tuple[str, bytes]) -> Person:
    ada = await house.person()
    await ada.asks("add", attach=files)
    await ada.asks(f"kindle add {KINDLE}")
    return ada


async def test_broken_book_arrives_mended_and_why_says_how(house: House) -> None:
    ada = await reader(house, ("tale.epub", BROKEN))

    await ada.asks("send tale")
    name, content = attachment(await delivered(house))
    why = await ada.asks("why tale")

    assert name == "A Tale - C. D.epub"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert b"<dc:language>en</dc:language>" in archive.read(OPF)
        assert archive.read("OEBPS/one.xhtml").startswith(b'<?xml version="1.0" encoding="utf-8"?>')
    assert "“English”" in why.text
    assert "UTF-8" in why.text
    assert "minimal, version 2" in why.text


async def test_what_a_reader_has_changed_is_on_the_device(house: House) -> None:
    ada = await reader(house, ("tale.epub", faulty()))
    await ada.asks("send tale")
    _, as_it_came = attachment(await delivered(house))

    await ada.asks('edit tale title="Her Tale" author="Ada L."')
    await ada.asks("send her tale")
    name, content = attachment(await delivered(house, count=2))

    assert as_it_came == faulty()
    assert name == "Her Tale - Ada L.epub"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        package = archive.read(OPF)
    assert b"<dc:title>Her Tale</dc:title>" in package
    assert b"<dc:creator>Ada L.</dc:creator>" in package


async def test_why_tells_a_german_reader_the_details_in_german(house: House) -> None:
    """They are said in a process of the sandbox when the copy is made, and kept as they are said."""
    ada = await reader(house, ("tale.epub", BROKEN))
    await ada.asks("settings language=de")

    await ada.asks("send tale")
    await delivered(house)
    why = await ada.asks("why tale")

    assert "die Sprache war „English“ und ist „en“" in why.text
    assert "die Kodierung ist als UTF-8 angegeben, was sie ist" in why.text
    assert "the language was" not in why.text


async def test_sound_book_arrives_as_it_came(house: House) -> None:
    ada = await reader(house, ("tale.epub", faulty()))

    await ada.asks("send tale")
    _, content = attachment(await delivered(house))
    why = await ada.asks("why tale")

    assert content == faulty()
    assert "Nothing was changed" in why.text


async def test_copy_is_made_once(house: House) -> None:
    ada = await reader(house, ("tale.epub", BROKEN))

    await ada.asks("send tale")
    first = attachment(await delivered(house))
    await ada.asks("send tale")
    second = attachment(await delivered(house, count=2))

    assert first == second
    assert len(list(house.app.blobs.list("copies/"))) == 1


async def test_text_becomes_a_book_where_it_is_asked_for(house: House) -> None:
    story = "CHAPTER I.\n\nIt was a dark and stormy night.\n\nCHAPTER II.\n\nThe rain fell in torrents.\n"
    ada = await reader(house, ("storm.txt", story.encode()), ("paper.md", b"# A paper\n\nWords & *more*.\n"))

    await ada.asks("send storm as epub")
    name, content = attachment(await delivered(house))
    await ada.asks("send paper")
    other, _ = attachment(await delivered(house, count=2))

    assert (name, other) == ("storm.epub", "A paper.epub")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert b"The rain fell in torrents." in archive.read("EPUB/chapter-2.xhtml")


async def test_what_becomes_a_book_says_what_the_library_says(house: House) -> None:
    ada = await reader(house, ("master.fb2", make_fb2(title="Master")))

    await ada.asks("send master")
    _, first = attachment(await delivered(house))
    await ada.asks("edit master title=Margarita language=uk")
    await ada.asks("send margarita")
    _, second = attachment(await delivered(house, count=2))

    for content, title, language in ((first, b"Master", b"ru"), (second, b"Margarita", b"uk")):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            package = archive.read("EPUB/content.opf")
        assert b">%b</dc:title>" % title in package
        assert b"<dc:language>%b</dc:language>" % language in package


async def test_convert_is_the_subject_of_a_pdf_only(house: House) -> None:
    pdf = (
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj "
        b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
    )
    ada = await reader(house, ("sheet.pdf", pdf), ("tale.epub", faulty()))

    answer = await ada.asks("send tale convert")
    await ada.asks("send sheet convert")

    assert "Only a PDF" in answer.text
    assert str((await delivered(house))["Subject"]) == "convert"
