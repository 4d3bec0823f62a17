"""Runs the commands of one mail in order, each in a SAVEPOINT, and translates what they raise: only here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.errors import BotError
from core.mail.answer import Answer, Problem, Result, Step, Steps
from core.mail.grammar import Command, CommandSpec, Grammar, Misreading, NotUnderstood
from core.mail.outgoing import Identity
from core.models import User
from core.values import Staged, Trust
from core.work import Work
from handlers._registry import Handler
from handlers._request import Request


@dataclass(frozen=True, slots=True)
class Mail:
    """What all commands of one mail share."""

    user: User
    trust: Trust
    attachments: tuple[Staged, ...]
    replied_to: tuple[str, ...]
    reference: str
    identity: Identity


def dispatch(
    work: Work,
    mail: Mail,
    *,
    commands: Sequence[Command | NotUnderstood],
    handlers: Mapping[str, Handler],
    grammar: Grammar,
) -> tuple[Result, ...]:
    """One result for each command, in order. What a command did is undone if it fails; the others stand.

    Raises only what is our own fault, which undoes the whole mail so that it is tried again.
    """
    results = []
    for number, command in enumerate(commands, start=1):
        if isinstance(command, NotUnderstood):
            results.append(Result(command.line, _ask_back(command, grammar)))
            continue
        request = Request(
            work=work,
            user=mail.user,
            command=command,
            grammar=grammar,
            attachments=mail.attachments,
            replied_to=mail.replied_to,
            cause=f"{mail.reference}:{number}",
            identity=mail.identity,
        )
        outcome = _run(request, handlers[command.name], trust=mail.trust)
        results.append(Result(command.line, outcome, command.corrected_from, command.corrected_to))
    return tuple(results)


def _run(request: Request, handler: Handler, *, trust: Trust) -> Answer | Problem:
    spec = handler.SPEC
    if trust < spec.trust:
        return Problem(
            code="forbidden.trust",
            text=f"“{spec.name}” needs a mail that is surely yours, and this one could have been written by anybody.",
            fix="Write to your secret address, the one with a + in it.",
        )
    jobs_before = len(request.work.jobs)
    try:
        with request.work.session.begin_nested():
            return handler.handle(request)
    except BotError as error:
        del request.work.jobs[jobs_before:]  # the rows that they are about are gone with the SAVEPOINT
        return _problem(error, spec)


def _problem(error: BotError, spec: CommandSpec) -> Problem:
    wrote_it_wrong = error.code.startswith("request")
    return Problem(
        code=error.code,
        text=error.text,
        fix=error.fix,
        usage=spec.usage if wrote_it_wrong else (),
        blocks=error.blocks,
    )


def _ask_back(line: NotUnderstood, grammar: Grammar) -> Problem:
    text, fix = _WORDS[line.reason]
    steps = tuple(Step(suggestion, suggestion) for suggestion in line.suggestions) or _FIRST_STEPS
    return Problem(
        code=f"request.{line.reason.value}",
        text=text.format(line=line.line),
        fix=fix,
        usage=grammar.specs[line.command].usage if line.command is not None else (),
        blocks=(Steps(steps),),
    )


_FIRST_STEPS = (Step("What can I write?", "help"), Step("My books", "list"))
_WORDS = {
    Misreading.EMPTY: (
        "Your mail holds neither a command nor a book.",
        "Write a command as the subject, or attach a book.",
    ),
    Misreading.UNKNOWN: ("I do not know what “{line}” means.", "Did you mean one of these?"),
    Misreading.UNSURE: ("I am not sure what “{line}” means, so I did nothing.", "Did you mean one of these?"),
    Misreading.WRONG_SHAPE: ("I could not make sense of all of “{line}”.", "This is how the command is written."),
    Misreading.ASKED_BEFORE: (
        "“{line}” is the subject of an earlier mail, so I did not do it a second time.",
        "If you want it again, write it as a new mail.",
    ),
    Misreading.TOO_MANY: (
        "“{line}” was one command more than one mail may hold, so I did not do it.",
        "Send it again in a mail of its own.",
    ),
}
"""What is wrong, and how to mend it, for each way in which a line is not a command."""
