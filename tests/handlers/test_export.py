"""`export` and `export all`: what a reader gets for them."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from core.mail.answer import Answer
from core.models import Takeout
from core.news.opml import Opml, OpmlFeed, read_opml
from core.values import StagedFeedList
from tests.factories.news import make_feed, make_subscription
from tests.factories.rows import NOW, make_user
from tests.support.reader import Reader, problem, title


def exported(ada: Reader, line: str = "export") -> Opml:
    answer = ada.run(line)
    assert isinstance(answer, Answer), answer
    (file,) = answer.files
    assert (file.filename, file.media_type) == ("inkpost-feeds.opml", "text/x-opml; charset=utf-8")
    return read_opml(file.content)


def test_all_feeds_are_in_the_file_as_the_reader_calls_them(ada: Reader) -> None:
    quanta = make_feed(ada.session, url="https://quanta.example/feed?a=1&b=2")
    make_subscription(ada.session, ada.user, quanta, name="Quanta <3", section="Science")
    make_subscription(ada.session, ada.user, make_feed(ada.session, url="https://lwn.example/"), name="LWN",
                      paused_at=NOW)  # fmt: skip
    make_subscription(ada.session, make_user(ada.session), name="Theirs")

    assert exported(ada).feeds == (
        OpmlFeed(url="https://lwn.example/", title="LWN"),
        OpmlFeed(url="https://quanta.example/feed?a=1&b=2", title="Quanta <3", section="Science"),
    )


def test_other_words_mean_it_too(ada: Reader) -> None:
    make_subscription(ada.session, ada.user)

    for written in ("export feeds", "OPML", "exportiere feeds", "exportar", "please export my feeds"):
        assert len(exported(ada, written).feeds) == 1


def test_file_brings_everything_back(ada: Reader) -> None:
    make_subscription(ada.session, ada.user, name="Quanta", section="Science")
    opml = exported(ada)
    ada.run("unsubscribe Quanta")

    answer = ada.run("", attachments=[StagedFeedList("inkpost-feeds.opml", opml)])

    assert title(answer) == "1 feed subscribed"
    assert exported(ada) == opml


def test_nothing_to_export_is_told(ada: Reader) -> None:
    assert problem(ada.run("export")).code == "feeds.none"


# Everything


@pytest.mark.parametrize(
    "line", ["export all", "export everything", "export my data", "exportiere alles", "export data"]
)
def test_everything_is_made_later(ada: Reader, line: str) -> None:
    assert title(ada.run(line)) == "Your data is being put together"

    assert ada.jobs == ["make_takeout"]
    assert ada.session.scalars(sa.select(Takeout.page)).all() == [1]


def test_next_mails_are_asked_for_by_their_page(ada: Reader) -> None:
    ada.run("export all 2")

    assert ada.session.scalars(sa.select(Takeout.page)).all() == [2]


@pytest.mark.parametrize("line", ["export dune", "export all of it"])
def test_what_cannot_be_exported_is_told(ada: Reader, line: str) -> None:
    assert problem(ada.run(line)).code.startswith("request")
    assert ada.jobs == []
