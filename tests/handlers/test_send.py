"""`send`: what a reader gets for it."""

from __future__ import annotations

from core.values import BookFormat
from tests.factories.rows import make_book, make_device
from tests.support.reader import Reader, facts, problem


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
    make_book(ada.session, ada.user, format=BookFormat.CBZ)
    make_device(ada.session, ada.user, is_default=True)

    assert problem(ada.run("send dune")).code == "device.format"


def test_book_too_big_for_the_device_is_said(ada: Reader) -> None:
    make_book(ada.session, ada.user, size_bytes=40_000_000)  # 54 MB in base64
    make_device(ada.session, ada.user, is_default=True)

    assert problem(ada.run("send dune")).code == "device.size"
