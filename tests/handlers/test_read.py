"""`read` and `later`, and a mail of nothing but links: what a reader gets for it."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from core.models import ReadLater
from core.models.read_later import ReadState
from core.services.reading_list import MOST_WAITING
from core.values import Trust
from tests.factories.news import make_digest
from tests.factories.rows import NOW, make_device, make_staged_book
from tests.support.reader import Reader, problem, steps, title


def wishes(ada: Reader) -> list[tuple[str, bool]]:
    """What is to be read, and whether now."""
    ada.session.flush()
    rows = ada.session.scalars(sa.select(ReadLater).where(ReadLater.user_id == ada.user.id).order_by(ReadLater.id))
    return [(one.url, one.is_now) for one in rows]


@pytest.mark.parametrize(
    "written",
    ["read https://a.example/story", "lies https://a.example/story", "please read <https://a.example/story>.",
     "leer a.example/story", "read this: https://a.example/story"],
)  # fmt: skip
def test_page_is_fetched_by_a_job(ada: Reader, written: str) -> None:
    make_device(ada.session, ada.user, name="kobo", is_default=True)

    answer = ada.run(written)

    assert title(answer) == "Fetching https://a.example/story"
    assert "kobo" in str(answer.blocks)
    assert wishes(ada) == [("https://a.example/story", True)]
    (job,) = ada.works[0].jobs
    assert (job.task, job.lock) == ("read_page", "host:a.example")


def test_without_a_device_it_goes_into_the_library(ada: Reader) -> None:
    assert "library" in str(ada.run("read https://a.example/").blocks)


def test_page_for_later_says_when_it_comes(ada: Reader) -> None:
    make_digest(ada.session, ada.user, next_due_at=NOW.replace(day=24))

    answer = ada.run("später https://a.example/story")

    assert title(answer) == "For later: https://a.example/story"
    assert "Tuesday, 24 November, at 06:00" in str(answer.blocks)
    assert wishes(ada) == [("https://a.example/story", False)]


@pytest.mark.parametrize("command", ["read", "later"])
def test_nothing_is_promised_of_a_page_that_was_not_read_yet(ada: Reader, command: str) -> None:
    assert "If it can be read, " in str(ada.run(f"{command} https://example.org/login"))


def test_later_brings_a_digest_to_who_has_none(ada: Reader) -> None:
    ada.run("later https://a.example/story")

    assert title(ada.run("digest")) == "Morning paper"


@pytest.mark.parametrize("written", ["read nonsense", "later tomorrow"])
def test_what_is_no_address_is_refused(ada: Reader, written: str) -> None:
    assert "no address" in problem(ada.run(written)).text
    assert wishes(ada) == []


def test_too_many_that_wait_are_refused(ada: Reader) -> None:
    for number in range(MOST_WAITING):
        url, cause = f"https://a.example/{number}", f"x:{number}"
        ada.session.add(
            ReadLater(user_id=ada.user.id, cause=cause, url=url, is_now=False, state=ReadState.READY, created_at=NOW)
        )
    ada.session.flush()

    assert problem(ada.run("later https://a.example/one-more")).code == "too-much"
    assert ada.jobs == []


def test_mail_of_nothing_but_links_is_for_the_next_paper_with_a_tap_for_now(ada: Reader) -> None:
    (result,) = ada.results("A proof of everything | Quanta", "https://a.example/1", "<https://b.example/2>")

    assert title(result.outcome) == "For later: https://a.example/1, https://b.example/2"
    assert "Links alone go into your next paper." in str(result.outcome.blocks)
    assert steps(result.outcome) == ["read https://a.example/1 https://b.example/2", "settings links=now"]
    assert wishes(ada) == [("https://a.example/1", False), ("https://b.example/2", False)]


def test_mail_of_nothing_but_links_is_read_at_once_where_its_reader_says_so(ada: Reader) -> None:
    ada.run("settings links=now")

    (result,) = ada.results("", "https://a.example/1")

    assert title(result.outcome) == "Fetching https://a.example/1"
    assert steps(result.outcome) == ["later https://a.example/1", "settings links=later"]
    assert wishes(ada) == [("https://a.example/1", True)]


def test_what_is_said_in_words_wins_over_the_setting_for_links(ada: Reader) -> None:
    ada.run("settings links=now")
    ada.run("later https://a.example/1")

    assert wishes(ada) == [("https://a.example/1", False)]


@pytest.mark.parametrize("value", ["soon", ""])
def test_setting_for_links_is_now_or_later(ada: Reader, value: str) -> None:
    assert "neither now nor later" in problem(ada.run(f'settings links="{value}"')).text


def test_link_in_the_subject_alone_is_for_later(ada: Reader) -> None:
    ada.run("https://a.example/1")

    assert wishes(ada) == [("https://a.example/1", False)]


@pytest.mark.parametrize(
    "lines",
    [
        ("Hello", "-- ", "Ada Reader", "https://ada.example"),
        ("My library", "How are you?", "", "https://ada.example"),
        ("Question", "Ada Reader", "https://ada.example"),
        ("", "Look at https://a.example/1, it is nice"),
        ("", *(f"https://a.example/{number}" for number in range(6))),
        ("list", "", "https://ada.example"),
    ],
)
def test_links_beside_words_are_nobodys_wish(ada: Reader, lines: tuple[str, ...]) -> None:
    ada.results(*lines)

    assert wishes(ada) == []


def test_links_beside_a_book_are_nobodys_wish(ada: Reader) -> None:
    (result,) = ada.results("", "https://a.example/1", attachments=[make_staged_book(title="Dune")])

    assert title(result.outcome) == "Added: Dune"
    assert wishes(ada) == []


@pytest.mark.parametrize("lines", [("read https://a.example/",), ("", "https://a.example/")])
def test_mail_that_anybody_could_have_written_reads_nothing(ada: Reader, lines: tuple[str, ...]) -> None:
    (result,) = ada.results(*lines, trust=Trust.READ)

    assert problem(result.outcome).code == "confirm.needed"
    assert wishes(ada) == []


def test_number_of_a_story_is_told_how_it_is_sent(ada: Reader) -> None:
    assert problem(ada.run("read 3")).fix.endswith("send 3")
