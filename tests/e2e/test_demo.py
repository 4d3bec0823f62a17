"""`inkpost demo` as somebody has it who has just installed it: one command, a story, and files to look at."""

from __future__ import annotations

import os
import re
import signal
import smtplib
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import partial
from pathlib import Path

import pytest

from bot.demo_site import PIECES
from core.news.check_paper import check_paper

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 200  # it is over in ten; a machine that is busy with other tests has its time
READER, KINDLE = "ada@reader.example", "ada_reader@kindle.com"

pytestmark = pytest.mark.timeout(DEADLINE_SECONDS + 20)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-u", "-m", "bot", "demo", *arguments]


def environment(tmp: Path) -> dict[str, str]:
    """A machine that knows nothing of Inkpost. `COLUMNS` keeps the lines whole."""
    return {"PATH": os.environ["PATH"], "TMPDIR": str(tmp), "COLUMNS": "200"}


@dataclass(frozen=True)
class Shown:
    """What a run of the story left behind."""

    code: int
    out: str
    err: str
    folder: Path

    @property
    def words(self) -> str:
        """What was printed, without frames and line breaks."""
        return " ".join(re.sub("[│╭╮╰╯─]", " ", self.out).split())

    def mails(self, address: str) -> list[EmailMessage]:
        """What lies in an address's folder of the outside world, in order of arrival."""
        files = sorted((self.folder / "outside-world" / address).iterdir(), key=lambda file: file.stat().st_mtime_ns)
        return [message_from_bytes(file.read_bytes(), _class=EmailMessage, policy=policy.default) for file in files]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """One run to its end, in a folder that it makes for itself."""
    tmp = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        command("--once"),
        env=environment(tmp),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    (folder,) = (path for path in tmp.iterdir() if path.name.startswith("inkpost-demo-"))
    return Shown(done.returncode, done.stdout, done.stderr, folder)


def test_demo_ends_well_and_complains_of_nothing(shown: Shown) -> None:
    assert (shown.code, shown.err) == (0, "")


def test_each_mail_of_the_story_is_printed(shown: Shown) -> None:
    answers = shown.mails(READER)

    assert len(answers) >= 6
    for mail in answers:
        assert " ".join(str(mail["Subject"]).split()) in shown.words
        body = mail.get_body(("plain",))
        assert body is not None
        assert " ".join(re.sub("[│╭╮╰╯─]", " ", body.get_content()).split()) in shown.words


def test_story_tells_what_the_product_promises(shown: Shown) -> None:
    said = [str(body.get_content()) for mail in shown.mails(READER) if (body := mail.get_body(("plain",)))]

    for promise in ("Added: The Inkpost Handbook", "Your library: 1 book", "Queued: The Inkpost Handbook", KINDLE):
        assert any(promise in text for text in said), promise
    assert any("handbok" in text and "The Inkpost Handbook" in text for text in said), "the slip of the finger"
    assert any("accepted by the relay" in text for text in said), "the truth about the delivery"


def test_book_is_at_the_kindle_byte_for_byte(shown: Shown) -> None:
    parcel, _paper = shown.mails(KINDLE)
    (book,) = parcel.iter_attachments()

    assert book.get_content_type() == "application/epub+zip"
    assert book.get_content() == (shown.folder / "The Inkpost Handbook.epub").read_bytes()
    assert "byte for byte" in shown.words


def test_paper_comes_as_a_mail_and_as_a_book_that_lies_in_the_folder(shown: Shown) -> None:
    (letter,) = (mail for mail in shown.mails(READER) if "List-Id" in mail)
    body = letter.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    (paper,) = shown.mails(KINDLE)[1].iter_attachments()
    path = shown.folder / str(paper.get_filename())

    assert path.read_bytes() == paper.get_content()
    assert check_paper(path) == []
    assert f"{path.name}, {path.stat().st_size // 1024} kB, a valid EPUB" in shown.words
    for piece in PIECES:
        assert text.count(piece.title) == 2, "in the contents, and above its text"
        assert f"The Loopback Gazette · {piece.author} · " in text
        assert piece.paragraphs[-1][:60] in text, "in full, also where its feed has a teaser only"
    for clutter in ("utm_source", "9.99", "seven mail servers", "privacy"):
        assert clutter not in text
    with zipfile.ZipFile(path) as book:
        pages = b"".join(book.read(name) for name in book.namelist() if name.endswith("html")).decode()
        assert [name for name in book.namelist() if name.endswith(".png")], "the picture of the first story"
    assert all(piece.paragraphs[-1][:60] in pages for piece in PIECES)
    assert "Noted: more like “What 250 means”" in shown.words


def test_files_lie_where_it_says(shown: Shown) -> None:
    for folder in ("outside-world", "data"):
        assert str(shown.folder / folder) in shown.out
        assert any((shown.folder / folder).iterdir())
    assert (shown.folder / "data" / "inkpost.db").stat().st_size > 0
    handbook = (shown.folder / "The Inkpost Handbook.epub").read_bytes()
    assert handbook in [file.read_bytes() for file in (shown.folder / "data" / "blobs").rglob("*.epub")]


def test_book_of_the_story_is_a_real_one_about_every_command(shown: Shown) -> None:
    with zipfile.ZipFile(shown.folder / "The Inkpost Handbook.epub") as book:
        assert book.read("mimetype") == b"application/epub+zip"
        pages = b"".join(book.read(name) for name in book.namelist() if name.endswith("html"))

    assert all(f"{word} ".encode() in pages for word in ("kindle add", "send", "find", "remove"))


@pytest.fixture
def staying(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A demo that stays up."""
    with subprocess.Popen(
        command("--folder", str(tmp_path / "demo")),
        env=environment(tmp_path),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Of a shell's job in the background it would inherit that interrupts are ignored.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """What it prints up to the line with these words; the test's own time limit ends what never comes."""
    assert process.stdout is not None
    assert process.stderr is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if words in line:
            return printed
    raise AssertionError(f"it ended without saying “{words}”: {printed[-2000:]}{process.stderr.read()[-2000:]}")


def test_demo_stays_up_for_mail_of_ones_own_until_it_is_interrupted(staying: subprocess.Popen[str]) -> None:
    story = read_until(staying, "-H 'Subject: help'")
    recipe = re.search(r"smtp://127\.0\.0\.1:(\d+) --mail-from (\S+) --mail-rcpt (\S+)", story)
    assert recipe is not None
    mail = EmailMessage()
    mail["From"], mail["Subject"] = recipe[2], "stats"
    mail.set_content("")

    with smtplib.SMTP("127.0.0.1", int(recipe[1])) as client:
        client.send_message(mail, from_addr=recipe[2], to_addrs=[recipe[3]])

    assert "1 book" in read_until(staying, "1 book")
    staying.send_signal(signal.SIGINT)
    _, complaints = staying.communicate(timeout=DEADLINE_SECONDS)
    assert (staying.returncode, complaints) == (130, "")
