"""`more`, `less`, `why`, `save`, `send` about stories: in reply to an issue, by the links of its letter, or alone."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import sqlalchemy as sa
from selectolax.lexbor import LexborHTMLParser

from core.mail.answer import Items
from core.models import Article, DigestIssue, Feedback, IssueStory, Subscription
from core.news.letter import LetterContext, compose_letter
from core.news.one_click import stop_command
from core.values import AttachmentKind
from tests.factories import issues
from tests.factories.news import make_article, make_digest, make_feed, make_issue, make_subscription
from tests.factories.rows import NOW, make_book, make_device, make_staged_book, make_user
from tests.support.reader import IDENTITY, Reader, facts, problem, steps, title, titles


def make_stories(ada: Reader, count: int = 5, *, feed_name: str = "Quanta") -> list[Article]:
    mine = make_subscription(ada.session, ada.user, name=feed_name)
    return [make_article(ada.session, mine.feed, title=f"Story {number}") for number in range(1, count + 1)]


def feedback(ada: Reader) -> dict[str, str]:
    """What was said of the stories, by title."""
    ada.session.flush()
    return {one.title: one.wish for one in ada.session.scalars(sa.select(Feedback))}


def asked_for(ada: Reader) -> list[tuple[str, int, str]]:
    """Task, article and device of the jobs so far."""
    jobs = [job for work in ada.works for job in work.jobs]
    return [(job.task, int(job.args["article_id"]), str(job.args.get("device", ""))) for job in jobs]


# Which story -----------------------------------------------------------------------------------------------------


def test_reply_means_the_issue_that_it_answers(ada: Reader) -> None:
    older = make_issue(ada.session, ada.user, make_stories(ada))
    make_issue(ada.session, ada.user, [make_article(ada.session, make_feed(ada.session), title="Newer")])

    assert title(ada.replies(older, "more 4")) == "Noted: more like “Story 4”"
    assert feedback(ada) == {"Story 4": "more"}


def test_command_alone_means_the_newest_issue(ada: Reader) -> None:
    make_issue(ada.session, ada.user, make_stories(ada))
    make_issue(ada.session, ada.user, [make_article(ada.session, make_feed(ada.session), title="Newer")])

    assert title(ada.run("less 1")) == "Noted: less like “Newer”"


@pytest.mark.parametrize("written", ["more 2, 3", "more 2 and 3", "more like 2 3", "mehr 2 und 3", "más 2 y 3"])
def test_several_stories_are_several_opinions(ada: Reader, written: str) -> None:
    issue = make_issue(ada.session, ada.user, make_stories(ada))

    ada.replies(issue, written)

    assert feedback(ada) == {"Story 2": "more", "Story 3": "more"}


def test_last_word_on_a_story_counts_and_is_offered(ada: Reader) -> None:
    make_issue(ada.session, ada.user, make_stories(ada))

    answer = ada.run("more 4")
    ada.run(steps(answer)[0])

    assert feedback(ada) == {"Story 4": "less"}


@pytest.mark.parametrize("written", ["more 9", "less 0", "why 9", "save 9"])
def test_story_that_is_not_there_is_told(ada: Reader, written: str) -> None:
    issue = make_issue(ada.session, ada.user, make_stories(ada))

    assert problem(ada.replies(issue, written)).code == "story.not-found"
    assert feedback(ada) == {}
    assert ada.jobs == []


@pytest.mark.parametrize("written", ["more 4", "less 7", "save 2"])
def test_who_has_had_no_issue_is_told(ada: Reader, written: str) -> None:
    assert problem(ada.run(written)).code == "issue.not-found"


def test_why_of_who_has_had_no_issue_means_a_book(ada: Reader) -> None:
    assert problem(ada.run("why 3")).code == "book.not-found"


def test_stories_of_others_are_not_found(ada: Reader) -> None:
    stories = make_stories(ada)
    make_issue(ada.session, ada.user, stories)
    theirs = make_issue(ada.session, make_user(ada.session), stories)

    assert problem(ada.run(f"why 1 in {theirs.reference}")).code == "issue.not-found"


# Why -------------------------------------------------------------------------------------------------------------


def test_why_tells_the_score_and_what_it_is_made_of(ada: Reader) -> None:
    issue = make_issue(ada.session, ada.user, make_stories(ada))

    answer = ada.replies(issue, "why 3")

    assert facts(answer)["Score"] == "61 of 100"
    assert facts(answer)["Story"] == "Story 3"
    assert titles(answer)[0] == "Every story starts here: +35"


# Save and send ---------------------------------------------------------------------------------------------------


def test_story_is_saved_by_a_job(ada: Reader) -> None:
    stories = make_stories(ada)
    issue = make_issue(ada.session, ada.user, stories)

    assert title(ada.replies(issue, "save 2")) == "Saving “Story 2”"
    assert asked_for(ada) == [("save_story", stories[1].id, "")]


def test_save_with_a_book_attached_adds_it(ada: Reader) -> None:
    make_issue(ada.session, ada.user, make_stories(ada))

    assert title(ada.run("save", attachments=[make_staged_book(title="Dune")])) == "Added: Dune"
    assert AttachmentKind.BOOK in ada.grammar.specs["save"].takes_attachments


def test_story_is_sent_to_the_default_device_or_the_named_one(ada: Reader) -> None:
    stories = make_stories(ada)
    issue = make_issue(ada.session, ada.user, stories)
    make_device(ada.session, ada.user, name="kindle", is_default=True)
    make_device(ada.session, ada.user, name="kobo")

    assert title(ada.replies(issue, "send 5")) == "Sending “Story 5” to kindle"
    assert title(ada.replies(issue, "send 4 to kobo")) == "Sending “Story 4” to kobo"
    assert title(ada.run(f"send 3 in {issue.reference} to kobo")) == "Sending “Story 3” to kobo"
    assert asked_for(ada) == [
        ("send_story", stories[4].id, "kindle"),
        ("send_story", stories[3].id, "kobo"),
        ("send_story", stories[2].id, "kobo"),
    ]


def test_number_alone_is_a_book_and_no_story(ada: Reader) -> None:
    make_issue(ada.session, ada.user, make_stories(ada))
    make_device(ada.session, ada.user, is_default=True)
    make_book(ada.session, ada.user, title="Dune")
    ada.run("list")

    assert facts(ada.run("send 1"))["Book"] == "Dune"


def test_story_without_a_device_is_told(ada: Reader) -> None:
    issue = make_issue(ada.session, ada.user, make_stories(ada))

    assert problem(ada.replies(issue, "send 5")).code == "device.none"
    assert ada.jobs == []


# The links of a letter -------------------------------------------------------------------------------------------


def taps(issue: DigestIssue, *, feed: str) -> dict[str, str]:
    """What the links of story 2 in an issue's letter write, and those of its foot, by what they say."""
    stories = [issues.make_story(number, feed=feed) for number in (1, 2, 3)]
    context = LetterContext(
        identity=IDENTITY,
        reference=str(issue.reference),
        now=NOW,
        user_address="ada@reader.example",
        reply_address=IDENTITY.address,
        in_issue=f" in {issue.reference}",
        off_command=stop_command(issue.title, str(issue.reference)),
    )
    message = issues.parsed(compose_letter(issues.make_issue(stories, title=issue.title), context=context).head)
    html = message.get_body(("html",))
    assert html is not None
    tree = LexborHTMLParser(html.get_content())
    links = [*tree.css("#s2 .acts a"), *tree.css(".foot a")]
    urls = {link.text(strip=True): urlsplit(link.attributes["href"] or "") for link in links}
    assert all(unquote(url.path) == IDENTITY.address for url in urls.values())
    return {said: parse_qs(url.query, separator="&")["subject"][0] for said, url in urls.items()}


@pytest.mark.parametrize(
    "feed", ["Quanta", "This Week in Rust", "It's FOSS! News. And more", "All about 3 to 5", "Heise: alles", "Mail"]
)
def test_every_link_of_a_letter_does_what_it_says(ada: Reader, feed: str) -> None:
    digest = make_digest(ada.session, ada.user, name="News in brief", next_due_at=NOW)
    stories = make_stories(ada, feed_name=feed)
    issue = make_issue(ada.session, ada.user, stories, digest=digest)
    make_issue(ada.session, ada.user, [make_article(ada.session, make_feed(ada.session), title="Newer")])
    make_device(ada.session, ada.user, is_default=True)
    links = taps(issue, feed=feed)

    said = {label: title(ada.run(command)) for label, command in links.items()}

    assert said["Save"] == "Saving “Story 2”"
    assert said["To Kindle"] == "Sending “Story 2” to kindle"
    assert said["More like this"] == "Noted: more like “Story 2”"
    assert said["Less"] == "Noted: less like “Story 2”"
    assert said["Why?"] == "Why story 2"
    assert said["Stop this feed"] == f"Unsubscribed: {feed}"
    assert said["Change the times"]
    assert said["Your feeds"]
    assert said["Stop this digest"] == "News in brief is off"
    assert digest.next_due_at is None
    assert ada.session.scalars(Subscription.of_user(ada.user.id)).all() == []


def test_colophons_words_are_a_command(ada: Reader) -> None:
    make_digest(ada.session, ada.user, next_due_at=NOW)

    assert title(ada.run("digest 40 min")) == "Morning paper comes daily at 06:30 to mail and kindle, 40 min"


def steps_of(outcomes: Sequence[object]) -> list[str]:
    found = []
    for outcome in outcomes:
        found += steps(outcome)  # type: ignore[arg-type] # outcomes of commands
    return found


def test_steps_that_answers_offer_are_commands(ada: Reader) -> None:
    make_digest(ada.session, ada.user, next_due_at=NOW)
    issue = make_issue(ada.session, ada.user, make_stories(ada))
    make_device(ada.session, ada.user, is_default=True)
    written = ["more 1", "less 2", "why 3", "save 4", "digest list", "feeds", "export", "digest now", "digest preview",
               "digest pause until 12 Dec", "digest off", "digest 07:00", "later https://a.example/",
               "read https://a.example/"]  # fmt: skip
    outcomes = [ada.run(line) for line in written]
    listed = [step.command for one in outcomes for block in one.blocks if isinstance(block, Items)
              for item in block.items for step in item.steps]  # fmt: skip

    for command in dict.fromkeys([*steps_of(outcomes), *listed]):
        title(ada.run(command))
    assert ada.session.get(IssueStory, (issue.id, 1)) is not None
