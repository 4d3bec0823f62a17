"""Runs the commands of one mail in order, each in a SAVEPOINT, and translates what they raise: only here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.errors import BotError
from core.i18n import N_, _
from core.mail.answer import Answer, Problem, Result, Step, Steps
from core.mail.grammar import Command, CommandSpec, Grammar, Misreading, NotUnderstood
from core.mail.outgoing import Identity
from core.models import User
from core.services.confirmations import VALID_HOURS, Confirmations
from core.services.counted import NOTHING_COUNTED, Counted
from core.tokens import TokenSigner
from core.values import BookFormat, Staged, Trust
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
    signer: TokenSigner
    counted: Counted = NOTHING_COUNTED
    converted: frozenset[BookFormat] = frozenset()


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
        desk = _Desk(work, mail, handlers, grammar, cause=f"{mail.reference}:{number}")
        results.append(Result(command.line, desk.run(command), command.corrected_from, command.corrected_to))
    return tuple(results)


@dataclass(frozen=True, slots=True)
class _Desk:
    """Where one command of a mail is dealt with."""

    work: Work
    mail: Mail
    handlers: Mapping[str, Handler]
    grammar: Grammar
    cause: str

    def run(self, command: Command) -> Answer | Problem:
        """What comes of it, or a question back where its mail is not enough."""
        spec = self.handlers[command.name].SPEC
        jobs_before = len(self.work.jobs)
        try:
            with self.work.session.begin_nested():
                if self.mail.trust < spec.trust_for(command.words, command.options):
                    return self._ask_to_confirm(command, spec)
                return self._handle(command, self.mail.replied_to)
        except BotError as error:
            del self.work.jobs[jobs_before:]  # the rows that they are about are gone with the SAVEPOINT
            return _problem(error, spec)

    def _handle(self, command: Command, replied_to: tuple[str, ...]) -> Answer:
        request = Request(
            work=self.work,
            user=self.mail.user,
            command=command,
            grammar=self.grammar,
            attachments=self.mail.attachments,
            replied_to=replied_to,
            cause=self.cause,
            identity=self.mail.identity,
            signer=self.mail.signer,
            counted=self.mail.counted,
            converted=self.mail.converted,
            run_as_sure=self._handle,
        )
        return self.handlers[command.name].handle(request)

    def _ask_to_confirm(self, command: Command, spec: CommandSpec) -> Problem:
        """Keep the command, and ask its user at their own address; a file of the mail cannot be kept with it."""
        needs_file = bool(spec.takes_attachments and self.mail.attachments)
        if self.mail.trust is Trust.NONE or needs_file:
            return Problem(
                code="forbidden.trust",
                text=_("“{command}” needs a mail that is surely yours, and this one could be somebody else's.").format(
                    command=spec.name
                ),
                fix=_("Write to your secret address, the one with a + in it."),
            )
        confirmations = Confirmations(self.work, self.mail.signer)
        token = confirmations.ask(self.mail.user.id, command, replied_to=self.mail.replied_to)
        return Problem(
            code="confirm.needed",
            text=_("“{line}” waits for your word: this mail could have been somebody else's.").format(
                line=command.line or spec.name
            ),
            fix=_("If it is yours, confirm it within {hours} hours. If not, do nothing.").format(
                hours=f"{VALID_HOURS:.0f}"
            ),
            blocks=(Steps((Step(_("Yes, do it"), f"confirm {token}"),)),),
        )


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
    steps = tuple(Step(suggestion, suggestion) for suggestion in line.suggestions)
    steps = steps or tuple(Step(_(step.label), step.command) for step in _FIRST_STEPS)
    return Problem(
        code=f"request.{line.reason.value}",
        text=_(text).format(line=line.line),
        fix=_(fix),
        usage=grammar.specs[line.command].usage if line.command is not None else (),
        blocks=(Steps(steps),),
    )


_FIRST_STEPS = (Step(N_("What can I write?"), "help"), Step(N_("My books"), "list"))
_WORDS = {
    Misreading.EMPTY: (
        N_("Your mail holds neither a command nor a book."),
        N_("Write a command as the subject, or attach a book."),
    ),
    Misreading.UNKNOWN: (N_("I do not know what “{line}” means."), N_("Did you mean one of these?")),
    Misreading.UNSURE: (N_("I am not sure what “{line}” means, so I did nothing."), N_("Did you mean one of these?")),
    Misreading.WRONG_SHAPE: (
        N_("I could not make sense of all of “{line}”."),
        N_("This is how the command is written."),
    ),
    Misreading.ASKED_BEFORE: (
        N_("“{line}” is the subject of an earlier mail, so I did not do it a second time."),
        N_("If you want it again, write it as a new mail."),
    ),
    Misreading.TOO_MANY: (
        N_("“{line}” was one command more than one mail may hold, so I did not do it."),
        N_("Send it again in a mail of its own."),
    ),
}
"""What is wrong, and how to mend it, for each way in which a line is not a command."""
