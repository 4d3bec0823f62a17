"""`popular`: what a reader gets for it."""

from __future__ import annotations

from tests.factories.rows import make_book, make_user
from tests.support.reader import Reader, titles


def test_most_sent_book_stands_first_and_unsent_ones_are_left_out(ada: Reader) -> None:
    for title, count in (("Never", 0), ("Often", 5), ("Once", 1)):
        make_book(ada.session, ada.user, title=title, download_count=count)

    assert titles(ada.run("popular")) == ["Often", "Once"]


def test_what_others_send_is_not_told(ada: Reader) -> None:
    make_book(ada.session, make_user(ada.session), download_count=9)

    assert titles(ada.run("popular")) == []
