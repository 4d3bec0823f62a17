"""`subscribe`: what a reader gets for it."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from core.mail.answer import Result
from core.mail.meanings import meanings_of
from core.models import Digest, Feed, Subscription
from core.news.opml import Opml, OpmlFeed, SkippedOutline
from core.values import RefusedAttachment, StagedFeedList
from tests.factories.news import make_article, make_feed, make_subscription
from tests.factories.rows import make_listing
from tests.support.reader import Reader, problem, steps, table, title, titles


def feeds_of(ada: Reader) -> list[tuple[str, str]]:
    mine = ada.session.scalars(Subscription.of_user(ada.user.id)).all()
    return [(one.name, one.section) for one in mine]


def looked_at(ada: Reader) -> list[str]:
    """The addresses that are to be looked at for a feed."""
    jobs = [job for work in ada.works for job in work.jobs if job.task == "discover_feed"]
    return [str(job.args["url"]) for job in jobs]


def a_list(*feeds: OpmlFeed, skipped: tuple[SkippedOutline, ...] = ()) -> StagedFeedList:
    return StagedFeedList("feeds.opml", Opml(feeds=feeds, skipped=skipped))


def test_known_feed_is_subscribed_at_once_and_shows_its_headlines(ada: Reader) -> None:
    feed = make_feed(ada.session, url="https://quanta.example/feed", title="Quanta")
    make_article(ada.session, feed, title="A proof of everything")

    answer = ada.run("subscribe https://quanta.example/feed")

    assert title(answer) == "Subscribed: Quanta"
    assert titles(answer) == ["A proof of everything"]
    assert feeds_of(ada) == [("Quanta", "")]


def test_unknown_address_is_looked_at_first(ada: Reader) -> None:
    answer = ada.run("subscribe https://blog.example/ as Blog in Tech")

    assert title(answer) == "Looking at https://blog.example/"
    (job,) = ada.works[0].jobs
    assert (job.args["url"], job.args["name"], job.args["section"]) == ("https://blog.example/", "Blog", "Tech")


def test_feed_that_fails_is_looked_at_again(ada: Reader) -> None:
    make_feed(ada.session, url="https://quanta.example/feed", failures=2)

    ada.run("subscribe https://quanta.example/feed")

    assert looked_at(ada) == ["https://quanta.example/feed"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("heise.de", "https://heise.de"),
        ("heise.de/rss?a=1", "https://heise.de/rss?a=1"),
        ("feed:https://blog.example/rss", "https://blog.example/rss"),
        ("feed://blog.example/rss", "https://blog.example/rss"),
        ("<http://blog.example/rss>.", "http://blog.example/rss"),
        ("me to http://127.0.0.1:8080/rss", "http://127.0.0.1:8080/rss"),
        ("localhost:8080/rss", "https://localhost:8080/rss"),
    ],
)
def test_address_is_understood_as_people_write_it(ada: Reader, written: str, meant: str) -> None:
    ada.run(f"subscribe {written}")

    assert looked_at(ada) == [meant]


def test_several_addresses_are_several_feeds(ada: Reader) -> None:
    ada.results("subscribe https://a.example/ https://b.example/", "https://c.example/")

    assert looked_at(ada) == ["https://a.example/", "https://b.example/", "https://c.example/"]
    causes = {job.args["cause"] for job in ada.works[0].jobs}
    assert len(causes) == 3


def test_addresses_may_stand_below_the_command(ada: Reader) -> None:
    ada.results("subscribe", "https://a.example/", "https://b.example/")

    assert looked_at(ada) == ["https://a.example/", "https://b.example/"]


def test_number_means_the_feed_of_a_choice(ada: Reader) -> None:
    feeds = [make_feed(ada.session, title=name) for name in ("All news", "Sport")]
    make_listing(ada.session, ada.user, [feed.id for feed in feeds], kind="found-feeds")

    assert title(ada.run("subscribe 2")) == "Subscribed: Sport"


def test_number_without_a_choice_is_refused(ada: Reader) -> None:
    assert problem(ada.run("subscribe 2")).code.startswith("request")


def test_what_is_no_address_is_refused(ada: Reader) -> None:
    assert "no address" in problem(ada.run("subscribe nonsense")).text


def test_second_time_is_told_and_changes_the_section(ada: Reader) -> None:
    feed = make_feed(ada.session, url="https://quanta.example/feed")
    make_subscription(ada.session, ada.user, feed, name="Quanta")

    answer = ada.run("subscribe https://quanta.example/feed in Science")

    assert title(answer) == "You read it already: Quanta"
    assert "undo" not in meanings_of([Result("", answer)])
    assert feeds_of(ada) == [("Quanta", "Science")]


def test_first_feed_brings_a_digest(ada: Reader) -> None:
    feed = make_feed(ada.session)

    ada.run(f"subscribe {feed.url}")

    (digest,) = ada.session.scalars(sa.select(Digest)).all()
    assert digest.next_due_at is not None


def test_attached_list_subscribes_to_all_in_it(ada: Reader) -> None:
    there = make_feed(ada.session, url="https://quanta.example/feed")
    make_subscription(ada.session, ada.user, there, name="Quanta")
    opml = a_list(
        OpmlFeed(url="https://quanta.example/feed", title="Quanta Magazine"),
        OpmlFeed(url="https://lwn.example/rss", title="LWN", section="Tech"),
        skipped=(SkippedOutline(name="A page", reason="it has a page, and no feed"),),
    )

    answer = ada.run("", attachments=[opml])

    assert title(answer) == "1 feed subscribed, 1 there already, 1 skipped"
    assert sorted(table(answer)) == [
        ("A page", "", "skipped: it has a page, and no feed"),
        ("LWN", "Tech", "subscribed"),
        ("Quanta", "", "there already"),
    ]
    assert feeds_of(ada) == [("Quanta", ""), ("LWN", "Tech")]


def test_two_feeds_of_a_list_with_one_name_are_both_taken(ada: Reader) -> None:
    opml = a_list(OpmlFeed(url="https://a.example/", title="News"), OpmlFeed(url="https://b.example/", title="News"))

    answer = ada.run("subscribe", attachments=[opml])

    assert [name for name, _, _ in table(answer)] == ["News", "News 2"]


def test_feeds_of_a_list_are_due_at_once(ada: Reader) -> None:
    ada.run("", attachments=[a_list(OpmlFeed(url="https://a.example/", title="News"))])

    (mine,) = ada.session.scalars(Subscription.of_user(ada.user.id)).all()
    assert mine.feed.next_check_at <= ada.now


def test_damaged_list_is_told(ada: Reader) -> None:
    damaged = RefusedAttachment("feeds.opml", "file.opml", "This list of feeds (OPML) is damaged.", "Export it again.")

    assert problem(ada.run("subscribe", attachments=[damaged])).code == "file.opml"


@pytest.mark.parametrize("name", ["The “Daily”", 'Ben\'s "Blog"', "'Tis news"])
def test_name_of_a_feed_keeps_its_quotes(ada: Reader, name: str) -> None:
    make_feed(ada.session, url="https://quanta.example/feed", title=name)

    answer = ada.run("subscribe https://quanta.example/feed")

    assert title(answer) == f"Subscribed: {name}"
    assert title(ada.run(steps(answer)[-1])) == f"Unsubscribed: {name}"


def test_fragment_of_an_address_makes_no_other_feed(ada: Reader) -> None:
    make_feed(ada.session, url="https://quanta.example/feed", title="Quanta")
    ada.run("subscribe https://quanta.example/feed")

    assert title(ada.run("subscribe https://quanta.example/feed#top")) == "You read it already: Quanta"


def test_headline_of_a_story_without_a_title_is_no_empty_line(ada: Reader) -> None:
    make_article(ada.session, make_feed(ada.session, url="https://quanta.example/feed"), title="")

    assert titles(ada.run("subscribe https://quanta.example/feed")) == ["Untitled"]


@pytest.mark.parametrize("written", ["abonniere {} als Blog in Tech", "suscribir {} como Blog en Tech"])
def test_name_and_section_are_read_in_other_languages(ada: Reader, written: str) -> None:
    ada.run(written.format("https://blog.example/"))

    (job,) = ada.works[0].jobs
    assert (job.args["url"], job.args["name"], job.args["section"]) == ("https://blog.example/", "Blog", "Tech")


def test_name_in_a_list_is_its_readers_own(ada: Reader) -> None:
    ada.results("", attachments=[a_list(OpmlFeed(url="https://blog.example/feed", title="My doctor"))])

    assert feeds_of(ada) == [("My doctor", "")]
    assert ada.session.scalars(sa.select(Feed.title)).all() == [""]


def test_list_without_a_feed_is_said_to_be_one(ada: Reader) -> None:
    (result,) = ada.results("", attachments=[a_list()])

    assert problem(result.outcome).code == "request.bad"
