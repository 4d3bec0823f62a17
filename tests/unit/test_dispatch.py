"""Dispatch: which commands of a mail are run, in which order, and what each one's failure does to the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.errors import BadRequest, NotFound, Unavailable
from core.events import EventBus
from core.jobs import Job
from core.mail.answer import Answer, Items, Paragraph, Problem, Result, Steps
from core.mail.grammar import Command, CommandSpec, Grammar, Misreading, NotUnderstood
from core.models import Spelling, User
from core.values import Trust
from core.work import Work
from handlers._dispatch import Mail, dispatch
from handlers._registry import build_grammar, load_handlers
from handlers._request import Request
from tests.factories.rows import NOW, make_book, make_user, open_database
from tests.support.reader import IDENTITY, SIGNER, Reader, problem, titles

Act = Callable[[Request], Answer]


@dataclass
class Fixed:
    """A command whose doing a test says. See `Handler`."""

    SPEC: CommandSpec
    act: Act

    def handle(self, request: Request) -> Answer:
        return self.act(request)


@dataclass
class Desk:
    """The dispatcher with commands of its own, over a real database."""

    session: Session
    user: User
    commands: dict[str, Fixed]

    @classmethod
    def opened(cls, session: Session) -> Desk:
        return cls(session, make_user(session), {})

    def __post_init__(self) -> None:
        self.work = Work(self.session, NOW, EventBus())

    def teach(self, name: str, act: Act, **spec: object) -> None:
        row = CommandSpec(name=name, summary=name, usage=(f"{name} <thing>",), **spec)  # type: ignore[arg-type] # by name
        self.commands[name] = Fixed(row, act)

    def run(self, *commands: Command | NotUnderstood | str, trust: Trust = Trust.CHANGE) -> tuple[Result, ...]:
        wanted = [Command(one, line=one) if isinstance(one, str) else one for one in commands]
        mail = Mail(
            user=self.user,
            trust=trust,
            attachments=(),
            replied_to=(),
            reference="MAIL-1",
            identity=IDENTITY,
            signer=SIGNER,
        )
        grammar = Grammar(handler.SPEC for handler in self.commands.values())
        return dispatch(self.work, mail, commands=wanted, handlers=self.commands, grammar=grammar)

    def learnt(self, *words: str) -> list[str]:
        """Which of these words stand in the table that the commands below write to."""
        return sorted(set(self.session.scalars(sa.select(Spelling.word).where(Spelling.word.in_(words)))))


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with open_database(tmp_path / "library.db") as engine, Session(engine) as opened:
        yield opened


@pytest.fixture
def desk(session: Session) -> Desk:
    return Desk.opened(session)


def learn(word: str) -> Act:
    """Does two things: a row and a job."""

    def act(request: Request) -> Answer:
        Spelling.learn(request.work.session, (word,))
        request.work.defer(Job(word, {}))
        return Answer(f"Learnt: {word}")

    return act


def then(act: Act, error: Exception) -> Act:
    def fail(request: Request) -> Answer:
        act(request)
        raise error

    return fail


def deferred(desk: Desk) -> list[str]:
    return [job.task for job in desk.work.jobs]


def outcomes(results: Sequence[Result]) -> list[str]:
    """A word each: the title of what worked, the code of what did not."""
    return [one.outcome.title if isinstance(one.outcome, Answer) else one.outcome.code for one in results]


def test_commands_run_in_the_order_of_the_mail(desk: Desk) -> None:
    done: list[str] = []

    def act(request: Request) -> Answer:
        done.append(request.command.name)
        return Answer(str(len(done)))

    desk.teach("one", act)
    desk.teach("two", act)

    results = desk.run("two", "one", "two")

    assert done == ["two", "one", "two"]
    assert [result.line for result in results] == done
    assert outcomes(results) == ["1", "2", "3"]


def test_each_command_has_a_cause_of_its_own(desk: Desk) -> None:
    desk.teach("name", lambda request: Answer(request.cause))

    assert outcomes(desk.run("name", "name")) == ["MAIL-1:1", "MAIL-1:2"]


def test_what_a_failed_command_did_is_undone_and_the_others_stand(desk: Desk) -> None:
    desk.teach("before", learn("albatross"))
    desk.teach("broken", then(learn("barnacle"), NotFound("No such thing.")))
    desk.teach("after", learn("cormorant"))

    results = desk.run("before", "broken", "after")

    assert outcomes(results) == ["Learnt: albatross", "not-found", "Learnt: cormorant"]
    assert desk.learnt("albatross", "barnacle", "cormorant") == ["albatross", "cormorant"]
    assert deferred(desk) == ["albatross", "cormorant"]


def test_error_for_the_user_is_told_with_its_code_its_fix_and_its_choice(desk: Desk) -> None:
    choice = (Paragraph("Which one?"),)
    desk.teach("show", then(learn("x"), NotFound("No dune.", fix="Write list.", code="book.not-found", blocks=choice)))

    (result,) = desk.run("show")

    assert result.outcome == Problem("book.not-found", "No dune.", "Write list.", usage=(), blocks=choice)


def test_wrongly_written_command_is_told_with_its_usage(desk: Desk) -> None:
    desk.teach("show", then(learn("x"), BadRequest("A page is a number.")))

    assert problem(desk.run("show")[0].outcome).usage == ("show <thing>",)


@pytest.mark.parametrize("error", [Unavailable("the disk is full"), ValueError("a bug")])
def test_our_own_fault_is_no_answer_and_undoes_the_mail(desk: Desk, error: Exception) -> None:
    desk.teach("broken", then(learn("barnacle"), error))

    with pytest.raises(type(error)):
        desk.run("broken")

    assert desk.learnt("barnacle") == []


@pytest.mark.parametrize(
    ("trust", "expected"),
    [
        (Trust.NONE, ["forbidden.trust", "forbidden.trust", "forbidden.trust"]),
        (Trust.READ, ["Learnt: look", "confirm.needed", "confirm.needed"]),
        (Trust.DELIVER, ["Learnt: look", "Learnt: post", "confirm.needed"]),
        (Trust.CHANGE, ["Learnt: look", "Learnt: post", "Learnt: alter"]),
    ],
)
def test_each_tier_of_trust_may_do_what_the_tiers_below_may(desk: Desk, trust: Trust, expected: list[str]) -> None:
    desk.teach("look", learn("look"), trust=Trust.READ)
    desk.teach("post", learn("post"), trust=Trust.DELIVER)
    desk.teach("alter", learn("alter"), trust=Trust.CHANGE)

    results = desk.run("look", "post", "alter", trust=trust)

    assert outcomes(results) == expected
    assert len(deferred(desk)) == sum(word.startswith("Learnt") for word in expected)


def test_untrusted_writer_is_told_how_to_be_believed(desk: Desk) -> None:
    desk.teach("alter", learn("alter"), trust=Trust.CHANGE)

    assert "secret address" in problem(desk.run("alter", trust=Trust.NONE)[0].outcome).fix


def test_corrected_word_is_told(desk: Desk) -> None:
    desk.teach("list", learn("x"))

    (result,) = desk.run(Command("list", line="lsit", corrected_from="lsit", corrected_to="list"))

    assert (result.line, result.corrected_from, result.corrected_to) == ("lsit", "lsit", "list")


@pytest.mark.parametrize("reason", list(Misreading))
def test_line_that_is_no_command_is_asked_back_about_and_hinders_nothing(desk: Desk, reason: Misreading) -> None:
    desk.teach("list", learn("x"))

    results = desk.run(NotUnderstood("frobnicate", reason=reason), "list")

    assert outcomes(results) == [f"request.{reason.value}", "Learnt: x"]
    asked = problem(results[0].outcome)
    assert asked.text
    assert asked.fix
    assert asked.blocks


def test_suggestions_are_there_to_tap(desk: Desk) -> None:
    asked = problem(desk.run(NotUnderstood("remvoe dune", ("remove dune",)))[0].outcome)

    assert asked.fix == "Did you mean this?"
    assert [step.command for block in asked.blocks if isinstance(block, Steps) for step in block.steps] == [
        "remove dune",
        "help",
        "list",
    ]


def test_usage_is_told_where_the_command_is_sure(desk: Desk) -> None:
    desk.teach("show", learn("x"))

    asked = problem(desk.run(NotUnderstood("show", reason=Misreading.WRONG_SHAPE, command="show"))[0].outcome)

    assert asked.usage == ("show <thing>",)


@pytest.fixture
def ada(session: Session) -> Reader:
    handlers = load_handlers()
    return Reader(session, make_user(session), build_grammar(handlers), handlers, EventBus())


def test_page_two_of_a_list_goes_on_where_page_one_ended(ada: Reader, session: Session) -> None:
    for number in range(25):
        make_book(session, ada.user, title=f"Volume {number:02d}")

    first, second = ada.run("list"), ada.run("list 2")

    (page,) = (block for block in second.blocks if isinstance(block, Items))
    assert [one.number for one in page.items] == [21, 22, 23, 24, 25]
    assert len({*titles(first), *titles(second)}) == 25
    assert ada.run("show 21") == ada.run(f"show #{page.item_ids[0]}")


def test_removed_book_is_gone_for_the_next_command_of_the_mail(ada: Reader, session: Session) -> None:
    make_book(session, ada.user, title="Dune")

    results = ada.results("remove dune", "show dune", "undo", "list")

    assert [isinstance(one.outcome, Answer) for one in results] == [True, False, True, True]
    assert titles(results[-1].outcome) == ["Dune"]


def test_what_needs_a_command_that_failed_is_not_tried(ada: Reader, session: Session) -> None:
    make_book(session, ada.user, title="Emma")
    added, sent, found = ada.results("add title=Dune", "send dune to kobo", "find emma")

    assert problem(added.outcome).code == "add.no-book"
    assert problem(sent.outcome).code == "request.not-tried"
    assert problem(sent.outcome).text == "“send dune to kobo” was not tried, since “add title=Dune” failed."
    assert isinstance(found.outcome, Answer)


def test_device_that_could_not_be_added_gets_no_book(ada: Reader, session: Session) -> None:
    make_book(session, ada.user, title="Emma")
    refused, sent = ada.results("kindle add nowhere name=kobo", "send emma to kobo")

    assert isinstance(refused.outcome, Problem)
    assert problem(sent.outcome).code == "request.not-tried"


def test_failed_removal_is_not_undone(ada: Reader, session: Session) -> None:
    make_book(session, ada.user, title="Emma")
    ada.run("remove emma")
    removed, undone = ada.results("remove dune", "undo")

    assert problem(removed.outcome).code == "book.not-found"
    assert problem(undone.outcome).code == "request.not-tried"
