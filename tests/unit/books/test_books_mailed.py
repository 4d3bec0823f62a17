"""A mail that is read together with its books."""

from __future__ import annotations

from email import policy
from email.message import EmailMessage
from pathlib import Path

from core.books.limits import DEFAULT_LIMITS
from core.books.mailed import Mailed, read_mailed
from core.errors import BotError
from core.values import OpenedBook
from tests.factories.books import make_epub, make_picture, make_zip


def read(tmp_path: Path, *files: tuple[str, bytes], language: str = "", header: str = "") -> Mailed:
    mail = EmailMessage()
    mail["From"] = "ada@reader.test"
    if header:
        mail["Accept-Language"] = header
    mail.set_content("Here they are.")
    for name, content in files:
        mail.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    path = tmp_path / "mail.eml"
    path.write_bytes(mail.as_bytes(policy=policy.SMTP))
    return read_mailed(path, work_dir=tmp_path / f"work-{language}-{header}", language=language, limits=DEFAULT_LIMITS)


def test_each_book_of_a_mail_is_opened_or_refused_by_itself(tmp_path: Path) -> None:
    sound = make_epub(title="Dune")

    mailed = read(tmp_path, ("dune.epub", sound), ("cut.epub", sound[: len(sound) // 2]))

    whole, cut = (mailed.opened[file.path] for file in mailed.message.attachments)
    assert isinstance(whole, OpenedBook)
    assert (whole.metadata.title, whole.sha256) == ("Dune", mailed.message.attachments[0].sha256)
    assert isinstance(cut, BotError)


def test_archives_and_what_is_no_book_stay_closed(tmp_path: Path) -> None:
    mailed = read(tmp_path, ("books.zip", make_zip({"one.epub": make_epub()})), ("photo.jpg", make_picture()))

    assert len(mailed.message.attachments) == 2
    assert not mailed.opened


def test_refusal_is_said_in_the_readers_language_or_else_in_that_of_the_mail(tmp_path: Path) -> None:
    cut = ("cut.epub", make_epub()[:400])

    english = read(tmp_path, cut, language="en", header="de")
    german = read(tmp_path, cut, language="de")
    by_mail = read(tmp_path, cut, header="de")

    texts = [str(next(iter(mailed.opened.values()))) for mailed in (english, german, by_mail)]
    assert texts[1] == texts[2] != texts[0]
