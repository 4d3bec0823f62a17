"""A MOBI on its way to a Kindle, where the operator has set up a converter."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from bot.calibre import CalibreSettings
from tests.factories.books import make_mobi
from tests.support.ebook_convert import make_ebook_convert
from tests.support.service import open_house

KINDLE = "ada@kindle.com"


async def test_mobi_arrives_as_an_epub_or_its_reader_is_told(tmp_path: Path) -> None:
    async with open_house(tmp_path, calibre=CalibreSettings(program=str(make_ebook_convert(tmp_path)))) as house:
        ada = await house.person("ada@reader.test", name="Ada")
        await ada.asks("", attach=[("novel.mobi", make_mobi(title="My Novel"))])
        await ada.asks("", attach=[("broken.mobi", make_mobi(title="Broken FAILS"))])
        await ada.asks(f"kindle add {KINDLE}")

        assert "Queued: My Novel" in (await ada.asks("send my novel")).text
        mail = (await house.world.wait_for(KINDLE)).message
        (part,) = mail.iter_attachments()
        content = part.get_content()
        assert isinstance(content, bytes)
        assert str(part.get_filename()).endswith(".epub")
        assert zipfile.ZipFile(io.BytesIO(content)).read("mimetype") == b"application/epub+zip"
        assert "made an EPUB of another format, by calibre" in (await ada.asks("why my novel")).text

        await ada.asks("send broken")
        assert "no EPUB could be made of it" in (await ada.answer()).text
        assert [one.rcpt_to for one in house.world.mails].count(KINDLE) == 1
