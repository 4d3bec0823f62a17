"""`send`: what a reader gets for it."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from core.limits import UserLimits
from core.mail.answer import Paragraph
from core.models import OutboxMail
from core.services.fetch_links import LINK_LIFE
from core.values import BookFormat
from tests.factories.rows import make_book, make_device
from tests.support.reader import Reader, facts, problem, title


def test_book_is_queued_for_the_default_device(ada: Reader) -> None:
    make_book(ada.session, ada.user)
    make_device(ada.session, ada.user, name="kindle", is_default=True)

    assert facts(ada.run("send dune"))["To"].startswith("kindle ")
    assert ada.jobs == ["deliver"]


def test_device_behind_to_is_taken(ada: Reader) -> None:
    make_book(ada.session, ada.user)
    make_device(ada.session, ada.user, name="kindle", is_default=True)
    make_device(ada.session, ada.user, name="oasis")

    assert facts(ada.run("send dune to oasis"))["To"].startswith("oasis ")


def test_to_may_belong_to_the_title(ada: Reader) -> None:
    make_book(ada.session, ada.user, title="Letters to Milena")
    make_device(ada.session, ada.user, is_default=True)

    assert facts(ada.run("send letters to milena"))["Book"] == "Letters to Milena"


def test_no_device_is_said_and_nothing_is_queued(ada: Reader) -> None:
    make_book(ada.session, ada.user)

    assert problem(ada.run("send dune")).code == "device.none"
    assert ada.jobs == []


def test_format_that_the_device_refuses_is_said(ada: Reader) -> None:
    make_book(ada.session, ada.user, format=BookFormat.MOBI)
    make_device(ada.session, ada.user, is_default=True)

    said = problem(ada.run("send dune"))

    assert said.code == "device.format"
    assert "Kindles take EPUB" in said.fix
    assert ada.jobs == []


def test_format_that_becomes_an_epub_is_queued_as_one(ada: Reader) -> None:
    make_book(ada.session, ada.user, format=BookFormat.CBZ)
    make_device(ada.session, ada.user, is_default=True)

    ada.run("send dune")

    (mail,) = ada.session.scalars(sa.select(OutboxMail)).all()
    assert mail.wants == "epub"
    assert (mail.attachment_name or "").endswith(".epub")


@pytest.mark.parametrize(
    "line", ["send dune as epub", "send dune to kobo as epub", "send dune as epub to kobo", "send Dune AS EPUB"]
)
def test_as_epub_may_stand_behind_the_book_or_the_device(ada: Reader, line: str) -> None:
    make_book(ada.session, ada.user, format=BookFormat.TXT)
    make_device(ada.session, ada.user, name="kobo", is_default=True)

    ada.run(line)

    assert [mail.wants for mail in ada.session.scalars(sa.select(OutboxMail))] == ["epub"]


def test_convert_may_be_a_title(ada: Reader) -> None:
    make_book(ada.session, ada.user, title="Convert")
    make_device(ada.session, ada.user, is_default=True)

    assert facts(ada.run("send convert"))["Book"] == "Convert"


def test_only_a_pdf_is_converted(ada: Reader) -> None:
    make_book(ada.session, ada.user)
    make_book(ada.session, ada.user, title="Sheet", format=BookFormat.PDF)
    make_device(ada.session, ada.user, is_default=True)

    assert problem(ada.run("send dune convert")).code == "device.convert"
    ada.run("send sheet convert")
    assert [mail.subject for mail in ada.session.scalars(sa.select(OutboxMail))] == ["convert"]


def test_book_too_big_for_the_device_is_said(ada: Reader) -> None:
    make_book(ada.session, ada.user, size_bytes=40_000_000, format=BookFormat.PDF)  # 54 MB in base64
    make_device(ada.session, ada.user, is_default=True)

    assert problem(ada.run("send dune")).code == "device.size"


def test_book_too_big_for_a_mail_can_be_fetched_by_a_link(ada: Reader) -> None:
    book = make_book(ada.session, ada.user, size_bytes=40_000_000, format=BookFormat.PDF)
    make_device(ada.session, ada.user, is_default=True)
    ada.make_link = lambda key, filename: f"https://store.example/{key}?as={filename}"

    said = facts(ada.run("send dune"))

    assert said["Or fetch it here"].startswith(f"https://store.example/{book.storage_key}?as=")
    assert said["Good until"] == str(ada.now + LINK_LIFE)


def test_that_there_is_no_link_is_said_plainly(ada: Reader) -> None:
    make_book(ada.session, ada.user, size_bytes=40_000_000, format=BookFormat.PDF)
    make_device(ada.session, ada.user, is_default=True)
    ada.make_link = lambda _key, _filename: None

    (said,) = [block.text for block in problem(ada.run("send dune")).blocks if isinstance(block, Paragraph)]

    assert said.startswith("Nor is there a link to it: ")


def test_bytes_of_a_day_are_limited_and_open_as_they_grow_old(ada: Reader) -> None:
    ada.limits = UserLimits(sent_bytes_a_day=2_000_000)
    make_book(ada.session, ada.user)
    make_device(ada.session, ada.user, is_default=True)
    facts(ada.run("send dune"))
    ada.waits(hours=2)
    facts(ada.run("send dune"))  # a book is 1.4 MB as a mail: the last one may go over

    refused = problem(ada.run("send dune"))
    assert (refused.code, refused.fix) == ("limit.sent", "It opens again in 22 hours.")
    assert "2.7 MB" in refused.text
    ada.waits(hours=22)
    facts(ada.run("send dune"))


def test_nought_bytes_of_a_day_are_no_limit(ada: Reader) -> None:
    ada.limits = UserLimits(sent_bytes_a_day=0)
    make_book(ada.session, ada.user)
    make_device(ada.session, ada.user, is_default=True)

    assert [facts(ada.run("send dune"))["To"].split()[0] for _ in range(3)] == ["kindle"] * 3


def test_several_numbers_are_sent_one_by_one(ada: Reader) -> None:
    ada.run("kindle add ada@pbsync.com name=pocketbook")
    for name in ("Emma", "Dune"):
        make_book(ada.session, ada.user, title=name)
    ada.run("list")

    results = ada.results("send 1 and 2 to pocketbook")

    assert [title(result.outcome) for result in results] == ["Queued: Dune to pocketbook", "Queued: Emma to pocketbook"]
