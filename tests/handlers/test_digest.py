"""`digest`: when a paper comes, what stands in it, and what stops it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from core.mail.answer import Answer, Items, Problem
from core.models import Digest, DigestIssue
from core.services.digests import schedule_of
from tests.factories.news import make_digest, make_issue, make_subscription
from tests.factories.rows import make_device, make_user
from tests.support.reader import Reader, facts, problem, steps, title, titles

MORNING = datetime(2026, 11, 24, 6, 30, tzinfo=UTC)


def digests(ada: Reader) -> dict[str, str]:
    """Name and order of each."""
    ada.session.flush()
    return {one.name: schedule_of(one).to_text() for one in Digest.of_user(ada.session, ada.user.id)}


def the_digest(ada: Reader, name: str = "Morning paper") -> Digest:
    return ada.session.scalars(sa.select(Digest).where(Digest.name == name, Digest.user_id == ada.user.id)).one()


def details(outcome: Answer | Problem) -> list[str]:
    return [one.detail for block in outcome.blocks if isinstance(block, Items) for one in block.items]


def make_two(ada: Reader) -> None:
    make_digest(ada.session, ada.user, next_due_at=MORNING)
    make_digest(ada.session, ada.user, name="Science", section="Science", next_due_at=MORNING)
    make_subscription(ada.session, ada.user, section="Science")


@pytest.mark.parametrize(
    ("written", "order"),
    [
        ("digest weekdays 06:30 to kindle 20 min", "weekdays at 06:30 to kindle, 20 min"),
        ("digest weekly mon,thu at 19:00", "weekly mon, thu at 19:00 to mail and kindle"),
        ("digest daily 7am to mail", "daily at 07:00 to mail"),
        ("digest 7 in the morning", "daily at 07:00 to mail and kindle"),
        ("please digest 6.15, half an hour, to both", "daily at 06:15 to mail and kindle, 30 min"),
        ("Zeitung werktags um 6:30 auf den Kindle", "weekdays at 06:30 to kindle"),
        ("mi periódico a las 7:00 por correo", "daily at 07:00 to mail"),
        ("digest 40 min", "daily at 06:30 to mail and kindle, 40 min"),
    ],
)
def test_digest_is_ordered_as_people_write_it(ada: Reader, written: str, order: str) -> None:
    title(ada.run(written))

    assert digests(ada) == {"Morning paper": order}


def test_what_is_not_said_stays(ada: Reader) -> None:
    ada.run("digest weekdays 07:15 to mail")

    assert title(ada.run("digest 20 min")) == "Morning paper comes weekdays at 07:15 to mail, 20 min"


def test_next_issue_is_told_in_the_readers_zone(ada: Reader) -> None:
    ada.user.timezone = "Asia/Tokyo"

    assert facts(ada.run("digest 06:30"))["Next"] == "Tue, 24 Nov at 06:30"
    assert the_digest(ada).next_due_at == datetime(2026, 11, 23, 21, 30, tzinfo=UTC)


def test_digest_alone_shows_it(ada: Reader) -> None:
    make_digest(ada.session, ada.user, next_due_at=MORNING)

    answer = ada.run("digest")

    assert title(answer) == "Morning paper"
    assert facts(answer)["Next"] == "Tue, 24 Nov at 06:30"


def test_who_reads_nothing_is_told_how_to_begin(ada: Reader) -> None:
    for written in ("digest", "digest list", "digest now", "digest off"):
        assert "subscribe" in problem(ada.run(written)).fix


def test_words_that_mean_nothing_are_named_and_change_nothing(ada: Reader) -> None:
    make_digest(ada.session, ada.user, next_due_at=MORNING)

    refused = problem(ada.run("digest daily at dawn"))

    assert "“dawn”" in refused.text
    assert digests(ada) == {"Morning paper": "daily at 06:30 to mail and kindle"}


def test_kindle_without_a_device_is_told(ada: Reader) -> None:
    said = str(ada.run("digest 06:30 to kindle").blocks)
    make_device(ada.session, ada.user, is_default=True)

    assert "no device yet" in said
    assert "no device yet" not in str(ada.run("digest 06:30 to kindle").blocks)


# Sections and editions -------------------------------------------------------------------------------------------


def test_section_has_a_digest_of_its_own_beside_the_first(ada: Reader) -> None:
    make_subscription(ada.session, ada.user, section="Science")

    assert title(ada.run("digest weekly sat 09:00 in Science")).startswith("New: Science")

    assert digests(ada) == {
        "Morning paper": "daily at 06:30 to mail and kindle",
        "Science": "weekly sat at 09:00 to mail and kindle",
    }
    assert the_digest(ada, "Science").section == "Science"


@pytest.mark.parametrize(
    "written",
    [
        "digest in Big Science 07:00 weekdays",
        "digest 07:00 weekdays in Big Science",
        "digest in “Big Science” weekdays at 7:00",
        'digest weekdays 07:00 section="Big Science"',
    ],
)
def test_section_may_stand_anywhere(ada: Reader, written: str) -> None:
    make_subscription(ada.session, ada.user, section="Big Science")

    ada.run(written)

    assert digests(ada)["Big Science"] == "weekdays at 07:00 to mail and kindle"


def test_section_without_feeds_is_told(ada: Reader) -> None:
    assert "rename <feed> in Sport" in str(ada.run("digest in Sport").blocks)


def test_order_in_a_section_changes_its_digest(ada: Reader) -> None:
    make_two(ada)

    ada.run("digest 08:00 in science")

    assert digests(ada)["Science"] == "daily at 08:00 to mail and kindle"
    assert len(digests(ada)) == 2


def test_digest_may_be_named_first(ada: Reader) -> None:
    make_two(ada)

    ada.run("digest science 08:00")

    assert digests(ada)["Science"] == "daily at 08:00 to mail and kindle"


def test_second_paper_of_the_same_feeds_has_a_name(ada: Reader) -> None:
    make_digest(ada.session, ada.user, next_due_at=MORNING)

    ada.run("digest 19:00 name=Evening")

    assert digests(ada) == {
        "Morning paper": "daily at 06:30 to mail and kindle",
        "Evening": "daily at 19:00 to mail and kindle",
    }


def test_digest_is_renamed(ada: Reader) -> None:
    make_two(ada)

    assert title(ada.run("digest rename Morning paper to The Daily")) == "Morning paper is now called The Daily"
    assert problem(ada.run("digest rename science to the daily")).code == "conflict"
    assert problem(ada.run("digest rename sport to X")).text == "You have no digest called “sport”."


# Limits ----------------------------------------------------------------------------------------------------------


def test_limits_are_set(ada: Reader) -> None:
    make_digest(ada.session, ada.user, next_due_at=MORNING)

    answer = ada.run("digest min_quality=40 max_articles=12 pictures=no empty=yes")

    digest = the_digest(ada)
    assert (digest.min_quality, digest.max_articles, digest.with_pictures, digest.send_empty) == (40, 12, False, True)
    assert facts(answer)["Limits"] == (
        "at most 12 stories, quality from 40 of 100, no pictures, comes even if it is empty"
    )


def test_limits_and_times_may_be_mixed(ada: Reader) -> None:
    ada.run("digest min_quality=40 07:00 pictures=no to mail")

    assert digests(ada) == {"Morning paper": "daily at 07:00 to mail"}
    assert (the_digest(ada).min_quality, the_digest(ada).with_pictures) == (40, False)


@pytest.mark.parametrize(
    "written",
    ["digest min_quality=high", "digest min_quality=101", "digest max_articles=0", "digest pictures=some",
     "digest colour=red"],
)  # fmt: skip
def test_limit_that_is_none_is_refused(ada: Reader, written: str) -> None:
    make_digest(ada.session, ada.user)

    assert problem(ada.run(written)).code.startswith("request")


def test_limit_that_is_too_low_or_too_high_is_told_the_nearest(ada: Reader) -> None:
    make_digest(ada.session, ada.user)

    assert problem(ada.run("digest max_articles=0")).fix == "Write max_articles=1."
    assert problem(ada.run("digest min_quality=101")).fix == "Write min_quality=100."


def test_limit_does_not_turn_a_digest_on(ada: Reader) -> None:
    make_digest(ada.session, ada.user)

    ada.run("digest quality 40")

    assert the_digest(ada).next_due_at is None
    assert the_digest(ada).min_quality == 40


# Now, and not now ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", ["digest now", "digest jetzt", "my digest now", "digest morning paper now"])
def test_paper_now_is_opened_once(ada: Reader, written: str) -> None:
    make_digest(ada.session, ada.user, next_due_at=MORNING)

    assert title(ada.run(written)) == "Making Morning paper"

    (issue,) = ada.session.scalars(sa.select(DigestIssue)).all()
    assert issue.slot == "now:MAIL-1:1"
    assert ada.jobs == ["build_issue"]
    assert the_digest(ada).next_due_at == MORNING


def test_preview_is_a_job_and_opens_nothing(ada: Reader) -> None:
    make_two(ada)

    ada.run("digest preview in science")

    (job,) = ada.works[0].jobs
    assert (job.task, job.args["digest_id"]) == ("preview_issue", the_digest(ada, "Science").id)
    assert ada.session.scalars(sa.select(DigestIssue)).all() == []


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("digest pause until 12 Dec", "Morning paper"),
        ("digest pause Science until 12 Dec", "Science"),
        ("digest pause science 12 Dec", "Science"),
        ("Zeitung pausieren bis 12. Dezember", "Morning paper"),
        ("digest pausa hasta el 12 de diciembre", "Morning paper"),
    ],
)
def test_digest_is_paused_until_a_day(ada: Reader, written: str, name: str) -> None:
    make_two(ada)

    answer = ada.run(written)

    assert title(answer) == f"{name} is paused until 12 December 2026"
    assert the_digest(ada, name).paused_until == date(2026, 12, 12)
    assert the_digest(ada, name).next_due_at == datetime(2026, 12, 12, 6, 30, tzinfo=UTC)
    assert "Still coming" in str(answer.blocks)


def test_pause_without_a_day_is_asked_about(ada: Reader) -> None:
    make_digest(ada.session, ada.user, next_due_at=MORNING)

    assert problem(ada.run("digest pause")).code == "digest.unclear"
    assert the_digest(ada).paused_until is None


@pytest.mark.parametrize("written", ["digest resume", "digest on", "digest weiter", "digest resume Morning paper"])
def test_digest_is_resumed(ada: Reader, written: str) -> None:
    make_digest(ada.session, ada.user, next_due_at=MORNING + timedelta(days=20), paused_until=date(2026, 12, 12))

    ada.run(written)

    assert (the_digest(ada).paused_until, the_digest(ada).next_due_at) == (
        None,
        datetime(2026, 11, 23, 6, 30, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    "written", ["digest off", "digest stop", "digest aus", "digest off 1", "digest off morning paper", "digest apagar"]
)
def test_digest_is_turned_off_and_can_come_back(ada: Reader, written: str) -> None:
    make_two(ada)

    answer = ada.run(written)

    assert title(answer) == "Morning paper is off"
    assert the_digest(ada).next_due_at is None
    assert the_digest(ada, "Science").next_due_at == MORNING
    ada.run(steps(answer)[0])
    assert the_digest(ada).next_due_at is not None


def test_letter_names_its_digest_by_its_reference(ada: Reader) -> None:
    make_two(ada)
    issue = make_issue(ada.session, ada.user, digest=the_digest(ada, "Science"))

    title(ada.run(f"digest off Morning paper in {issue.reference}"))  # it was renamed since

    assert the_digest(ada, "Science").next_due_at is None
    assert the_digest(ada).next_due_at == MORNING


def test_reference_of_somebody_elses_letter_means_nothing(ada: Reader) -> None:
    make_digest(ada.session, ada.user, next_due_at=MORNING)
    theirs = make_issue(ada.session, make_user(ada.session))

    problem(ada.run(f"digest off Science in {theirs.reference}"))

    assert the_digest(ada).next_due_at == MORNING


def test_unknown_name_turns_nothing_off(ada: Reader) -> None:
    make_two(ada)

    assert "Morning paper, Science" in problem(ada.run("digest off Sport")).fix
    assert all(one.next_due_at for one in Digest.of_user(ada.session, ada.user.id))


def test_digest_is_removed_by_its_name_alone(ada: Reader) -> None:
    make_two(ada)
    problem(ada.run("digest remove"))

    answer = ada.run("digest remove science")

    assert list(digests(ada)) == ["Morning paper"]
    ada.run(steps(answer)[0])
    assert the_digest(ada, "Science").section == "Science"


def test_feeds_of_a_removed_digest_are_told_where_they_stand(ada: Reader) -> None:
    make_two(ada)

    assert "stand in your other digests" in str(ada.run("digest remove science"))
    ada.run("digest weekly sat 09:00 in Science")
    assert "stand in no digest" in str(ada.run("digest remove Morning paper"))


def test_digests_are_listed_with_what_they_are(ada: Reader) -> None:
    make_two(ada)
    ada.run("digest off science")

    answer = ada.run("digest list")

    assert titles(answer) == ["Morning paper", "Science"]
    assert details(answer) == [
        "daily at 06:30 to mail and kindle · next: Tue, 24 Nov at 06:30",
        "daily at 06:30 to mail and kindle · feeds in Science · off",
    ]


def test_digests_of_others_are_not_found(ada: Reader) -> None:
    make_digest(ada.session, ada.user, next_due_at=MORNING)
    make_digest(ada.session, make_user(ada.session), name="Theirs", next_due_at=MORNING)

    assert problem(ada.run("digest off Theirs")).code == "digest.not-found"


@pytest.mark.parametrize("name", ["News in brief", "Tech, now", "A=B", "Off topic", "What? This!", "Heise: alles"])
def test_every_step_works_whatever_the_digest_is_called(ada: Reader, name: str) -> None:
    make_two(ada)
    digest = make_digest(ada.session, ada.user, name=name, next_due_at=MORNING)

    offered = [step.command for block in ada.run("digest list").blocks if isinstance(block, Items)
               for item in block.items for step in item.steps if item.title == name]  # fmt: skip

    assert len(offered) == 3
    for command in offered:
        title(ada.run(command))
    assert digest.next_due_at is None


def test_name_with_quotes_is_understood_where_it_is_tapped(ada: Reader) -> None:
    make_digest(ada.session, ada.user, next_due_at=MORNING)
    ada.run('digest 19:00 name="The ""Late"" one"')

    assert title(ada.run('digest off "The ""Late"" one"')) == 'The "Late" one is off'
    back = steps(ada.run('digest off "The ""Late"" one"'))[0]
    assert title(ada.run(back)).startswith('The "Late" one comes again')
