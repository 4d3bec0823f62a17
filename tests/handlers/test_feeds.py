"""`feeds`, `unsubscribe`, `rename`, `pause`, `resume`: what a reader sees and does of their subscriptions."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from core.mail.answer import Answer, Items, Problem
from core.models import Subscription
from core.models.feed import FeedState
from tests.factories.news import make_digest, make_feed, make_subscription
from tests.factories.rows import NOW, make_user
from tests.support.reader import Reader, problem, steps, title, titles


def names(ada: Reader) -> list[str]:
    return [one.name for one in ada.session.scalars(Subscription.of_user(ada.user.id))]


def details(outcome: Answer | Problem) -> list[str]:
    return [one.detail for block in outcome.blocks if isinstance(block, Items) for one in block.items]


def make_three(ada: Reader) -> None:
    for name in ("Heise", "LWN", "Quanta"):
        make_subscription(ada.session, ada.user, name=name)


def test_feeds_are_shown_by_section_and_name(ada: Reader) -> None:
    make_subscription(ada.session, ada.user, name="LWN", section="Tech")
    make_subscription(ada.session, ada.user, name="Heise", section="Tech")
    make_subscription(ada.session, ada.user, name="Quanta")

    assert titles(ada.run("feeds")) == ["Quanta", "Heise", "LWN"]


def test_health_of_a_feed_is_told_in_the_readers_zone(ada: Reader) -> None:
    ada.user.timezone = "Europe/Berlin"
    feed = make_feed(
        ada.session,
        last_success_at=NOW - timedelta(hours=1),
        last_article_at=NOW - timedelta(days=2),
        next_check_at=NOW + timedelta(minutes=30),
    )
    make_subscription(ada.session, ada.user, feed, section="Tech")

    (detail,) = details(ada.run("feeds"))

    assert detail == "Tech · read 06:00 · newest article 21 Nov 07:00 · next check 07:30"


def test_feed_that_was_never_read_is_told_as_that(ada: Reader) -> None:
    make_subscription(ada.session, ada.user, make_feed(ada.session, last_success_at=None, next_check_at=NOW))

    (detail,) = details(ada.run("feeds"))

    assert detail == "not read yet · no article yet · next check 06:00"


def test_what_is_wrong_with_a_feed_is_told(ada: Reader) -> None:
    failing = make_feed(ada.session, failures=3, last_error="The server says 500.")
    gone = make_feed(ada.session, state=FeedState.GONE)
    make_subscription(ada.session, ada.user, failing, name="Failing")
    make_subscription(ada.session, ada.user, gone, name="Gone")

    first, second = details(ada.run("feeds"))

    assert "3 failed checks: The server says 500." in first
    assert "gone for good" in second


def test_what_is_wrong_is_told_in_the_language_of_its_reader(ada: Reader) -> None:
    ada.user.language = "de"
    failing = make_feed(ada.session, failures=3, last_error="It takes too long or too much memory to read.")
    make_subscription(ada.session, ada.user, failing, name="Failing")

    (detail,) = details(ada.run("feeds"))

    assert "Das zu lesen braucht zu viel Zeit oder zu viel Speicher." in detail


def test_second_page_counts_on(ada: Reader) -> None:
    for number in range(25):
        make_subscription(ada.session, ada.user, name=f"Feed {number:02}")

    answer = ada.run("feeds 2")

    (items,) = [block for block in answer.blocks if isinstance(block, Items)]
    assert [one.number for one in items.items] == [21, 22, 23, 24, 25]
    assert title(ada.run("unsubscribe 25")) == "Unsubscribed: Feed 24"


def test_who_reads_nothing_is_told_how_to_begin(ada: Reader) -> None:
    assert title(ada.run("feeds")) == "You read no feeds yet"


def test_feeds_of_others_are_not_shown(ada: Reader) -> None:
    make_subscription(ada.session, make_user(ada.session), name="Theirs")

    assert titles(ada.run("feeds")) == []
    assert problem(ada.run("unsubscribe Theirs")).code == "feed.not-found"


def test_feed_is_left_by_its_number(ada: Reader) -> None:
    make_three(ada)
    ada.run("feeds")

    assert title(ada.run("unsubscribe 2")) == "Unsubscribed: LWN"
    assert names(ada) == ["Heise", "Quanta"]


def test_feeds_are_left_by_several_numbers(ada: Reader) -> None:
    make_three(ada)
    ada.run("feeds")

    ada.run("unsubscribe 1, 3")

    assert names(ada) == ["LWN"]


def test_feed_is_left_by_its_name_and_by_its_address(ada: Reader) -> None:
    make_three(ada)
    make_subscription(ada.session, ada.user, make_feed(ada.session, url="https://blog.example/rss"), name="Blog")

    ada.run("unsubscribe from quanta")
    ada.run("unsubscribe https://blog.example/rss")

    assert names(ada) == ["Heise", "LWN"]


def test_several_feeds_of_one_name_are_asked_about(ada: Reader) -> None:
    make_subscription(ada.session, ada.user, name="Heise Top")
    make_subscription(ada.session, ada.user, name="Heise Developer")

    asked = ada.run("unsubscribe heise")

    assert problem(asked).code == "feed.several"
    assert title(ada.run("unsubscribe 1")).startswith("Unsubscribed: Heise")
    assert len(names(ada)) == 1


def test_unsubscribe_is_never_run_on_a_guess(ada: Reader) -> None:
    make_three(ada)

    problem(ada.run("unsubscribee Heise"))

    assert names(ada) == ["Heise", "LWN", "Quanta"]


def test_feed_is_renamed(ada: Reader) -> None:
    make_three(ada)

    ada.run("rename lwn to Linux Weekly News")

    assert names(ada) == ["Heise", "Linux Weekly News", "Quanta"]


def test_name_that_is_taken_is_refused(ada: Reader) -> None:
    make_three(ada)

    assert problem(ada.run("rename LWN to heise")).code == "conflict"


def test_rename_without_a_name_is_refused(ada: Reader) -> None:
    make_three(ada)

    assert problem(ada.run("rename LWN")).code.startswith("request")


def test_feed_is_moved_to_a_section(ada: Reader) -> None:
    make_three(ada)

    ada.run("rename LWN in Tech")

    assert ada.session.scalars(sa.select(Subscription.section).where(Subscription.name == "LWN")).one() == "Tech"


@pytest.mark.parametrize("name", ["My Blog", "My Blog in the Sun", "Paper Mag", "Until Tomorrow"])
def test_every_tap_of_a_feed_works_whatever_it_is_called(ada: Reader, name: str) -> None:
    make_subscription(ada.session, ada.user, make_feed(ada.session), name=name)

    (feeds,) = (block for block in ada.run("feeds").blocks if isinstance(block, Items))
    pause, leave = (step.command for step in feeds.items[0].steps)

    paused = ada.run(pause)
    assert title(paused) == f"Paused: {name}"
    assert title(ada.run(steps(paused)[0])) == f"Resumed: {name}"
    assert title(ada.run(leave)) == f"Unsubscribed: {name}"


def test_paused_feed_is_told_as_paused_until_it_is_resumed(ada: Reader) -> None:
    make_three(ada)
    ada.run("feeds")

    assert title(ada.run("pause 2")) == "Paused: LWN"
    assert "paused" in details(ada.run("feeds"))[1]
    assert title(ada.run("resume LWN")) == "Resumed: LWN"
    assert "paused" not in details(ada.run("feeds"))[1]


@pytest.mark.parametrize("written", ["pause until 12 Dec", "pause digest until 12 Dec", "pausiere Zeitung bis 12. Dez"])
def test_pause_of_a_paper_is_shown_how_it_is_written(ada: Reader, written: str) -> None:
    make_three(ada)
    make_digest(ada.session, ada.user, next_due_at=NOW)

    offered = steps(problem(ada.run(written)))

    assert title(ada.run(offered[0])) == "Morning paper is paused until 12 December 2026"


@pytest.mark.parametrize("written", ["pause 2 until 12 Dec", "pausiere 2 bis 12. Dez"])
def test_feed_is_not_paused_until_a_day(ada: Reader, written: str) -> None:
    make_three(ada)
    ada.run("feeds")

    refused = problem(ada.run(written))

    assert refused.fix.startswith("Write: pause 2")
    assert steps(refused) == [
        "pause 2",
        "digest pause until 12 Dec" if "until" in written else "digest pause bis 12. Dez",
    ]


def test_page_behind_the_last_is_told_from_it(ada: Reader) -> None:
    make_three(ada)

    assert "There is only one page." in str(ada.run("feeds 9"))


def test_number_behind_the_last_is_no_part_of_a_name(ada: Reader) -> None:
    make_three(ada)
    make_subscription(ada.session, ada.user, name="Radio 9")
    ada.run("feeds")

    assert problem(ada.run("unsubscribe 9")).code == "feed.not-found"
    assert title(ada.run("unsubscribe radio 9")) == "Unsubscribed: Radio 9"


def test_several_feeds_are_spoken_of_as_several(ada: Reader) -> None:
    make_three(ada)
    ada.run("feeds")

    assert "They stay out" in str(ada.run("pause 1, 2"))
    assert "They are in your papers" in str(ada.run("resume 1, 2"))


@pytest.mark.parametrize("section", ["", "Tech"])
def test_undo_of_a_move_brings_a_feed_back_where_it_was(ada: Reader, section: str) -> None:
    make_subscription(ada.session, ada.user, name='The "Post"', section=section)

    moved = ada.run("rename post in Gossip")
    back = ada.run(steps(moved)[0])
    both = ada.run("rename post to Mail in Gossip")

    assert title(back) == ('The "Post": moved to Tech' if section else 'The "Post": in no section any more')
    assert "moved to Gossip" in str(both.blocks)
    assert "moved to Tech" in str(ada.run(steps(both)[0])) if section else "no section" in str(ada.run(steps(both)[0]))
