"""Runs the commands of one mail in order, each in a SAVEPOINT, and translates what they raise: only here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from core.errors import BotError
from core.i18n import N_, _
from core.mail.answer import Answer, Block, Item, Items, Problem, Result, Step, Steps
from core.mail.commands import capped
from core.mail.grammar import Command, CommandSpec, Grammar, Misreading, NotUnderstood
from core.mail.outgoing import Identity
from core.mail.words import as_one_word, is_number
from core.models import Listing, User
from core.services.confirmations import VALID_HOURS, Confirmations
from core.services.counted import NOTHING_COUNTED, Counted
from core.services.fetch_links import MakeLink
from core.services.news_aggregator import FEEDS
from core.tokens import TokenSigner
from core.values import BookFormat, Staged, Trust
from core.work import Work
from handlers._books import BOOKS
from handlers._depending import hindrance
from handlers._registry import Handler
from handlers._request import Request


@dataclass(frozen=True, slots=True)
class Mail:
    """What all commands of one mail share."""

    user: User
    trust: Trust
    attachments: tuple[Staged, ...]
    replied_to: tuple[str, ...]
    """Message-IDs of the mails that it answers, nearest first."""
    reference: str
    identity: Identity
    signer: TokenSigner
    counted: Counted = NOTHING_COUNTED
    converted: frozenset[BookFormat] = frozenset()
    is_too_old: bool = False
    """It answers a mail of ours of which nothing is remembered any more."""
    make_link: MakeLink | None = None


def dispatch(
    work: Work,
    mail: Mail,
    *,
    commands: Sequence[Command | NotUnderstood],
    handlers: Mapping[str, Handler],
    grammar: Grammar,
) -> tuple[Result, ...]:
    """One result for each command, in order. What a command did is undone if it fails; what needs it is not tried,
    and the others stand.

    Raises only what is our own fault, which undoes the whole mail so that it is tried again.
    """
    results: list[Result] = []
    failed: list[tuple[Command, CommandSpec]] = []
    before: Command | None = None
    single = capped(one for command in commands for one in _one_by_one(command, grammar))
    for number, command in enumerate(single, start=1):
        if isinstance(command, NotUnderstood):
            results.append(Result(command.line, _ask_back(command, grammar)))
            continue
        hinders = hindrance(command, failed, before=before, files=mail.attachments)
        desk = _Desk(work, mail, handlers, grammar, cause=f"{mail.reference}:{number}")
        outcome = desk.run(command) if hinders is None else _not_tried(command, hinders)
        if isinstance(outcome, Problem):
            failed.append((command, handlers[command.name].SPEC))
        before = command
        results.append(Result(command.line, outcome, command.corrected_from, command.corrected_to))
    return tuple(results)


def _one_by_one(found: Command | NotUnderstood, grammar: Grammar) -> Sequence[Command | NotUnderstood]:
    """A command with several numbers as one for each, where it takes one book."""
    if isinstance(found, NotUnderstood) or not grammar.specs[found.name].takes_one_book:
        return (found,)
    numbers = tuple(dict.fromkeys(found.words))
    if len(found.words) < 2 or not all(map(is_number, numbers)):
        return (found,)
    return [replace(found, words=(one,), undivided=(one,), line=found.line_with(one)) for one in numbers]


def _not_tried(command: Command, hinders: Command) -> Problem:
    """What is told of a command that needs one before it which failed."""
    line = command.line or command.name
    return Problem(
        code="request.not-tried",
        text=_("“{line}” was not tried, since “{before}” failed.").format(
            line=line, before=hinders.line or hinders.name
        ),
        fix=_("Once that is mended, write it again."),
        blocks=(Steps((Step(_("Try it now"), line),)),),
    )


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
                if spec.question or self.mail.trust < spec.trust_for(command.words, command.options):
                    return self._ask_to_confirm(command, spec)
                return self._handle(command, self.mail.replied_to)
        except BotError as error:
            del self.work.jobs[jobs_before:]  # the rows that they are about are gone with the SAVEPOINT
            return _problem(error, spec, command)

    def _handle(self, command: Command, replied_to: tuple[str, ...]) -> Answer:
        request = Request(
            work=self.work,
            user=self.mail.user,
            command=command,
            grammar=self.grammar,
            attachments=self.mail.attachments,
            replied_to=replied_to,
            is_too_old=self.mail.is_too_old,
            cause=self.cause,
            identity=self.mail.identity,
            signer=self.mail.signer,
            counted=self.mail.counted,
            converted=self.mail.converted,
            make_link=self.mail.make_link,
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
        # A number means what it means now, whatever list is shown before the word comes.
        newest = Listing.newest_mails(self.work.session, user_id=self.mail.user.id)
        replied_to = tuple(dict.fromkeys((*self.mail.replied_to, *newest)))
        token = confirmations.ask(self.mail.user.id, command, replied_to=replied_to)
        return Problem(
            code="confirm.needed",
            text=_(spec.question)
            or _("“{line}” waits for your word: this mail could have been somebody else's.").format(
                line=command.line or spec.name
            ),
            fix=(
                _("If you want that, confirm it within {hours} hours. If not, do nothing.")
                if spec.question
                else _("If it is yours, confirm it within {hours} hours. If not, do nothing.")
            ).format(hours=f"{VALID_HOURS:.0f}"),
            blocks=(
                Steps(
                    (
                        Step(_("Yes, do it"), f"confirm {token}", reply="yes"),
                        Step(_("No"), f"confirm no {token}", reply="no"),
                    )
                ),
            ),
        )


def _problem(error: BotError, spec: CommandSpec, command: Command) -> Problem:
    wrote_it_wrong = error.code.startswith("request")
    return Problem(
        code=error.code,
        text=error.text,
        fix=error.fix,
        usage=spec.usage if wrote_it_wrong else (),
        blocks=tuple(_completing(block, command) for block in error.blocks),
    )


def _completing(block: Block, command: Command) -> Block:
    """A choice of things, each of which completes the command that asked for it: its number in a reply, or a tap, does
    what was wanted with that one."""
    if not isinstance(block, Items) or block.kind not in _NAMES or not block.item_ids:
        return block
    name, pairs = _NAMES[block.kind], zip(block.items, block.item_ids, strict=True)
    items = (replace(item, command=command.line_with(name(item, item_id)), steps=()) for item, item_id in pairs)
    return replace(block, items=tuple(items))


_NAMES: dict[str, Callable[[Item, int], str]] = {
    BOOKS: lambda _item, item_id: f"#{item_id}",
    FEEDS: lambda item, _item_id: as_one_word(item.title),
}
"""How a command names a thing so that it means the same in every mail, by the kind of its list."""


def _ask_back(line: NotUnderstood, grammar: Grammar) -> Problem:
    text, fix = _WORDS[line.reason]
    return Problem(
        code=f"request.{line.reason.value}",
        text=_(text).format(line=line.line),
        fix=_("Did you mean this?") if fix == _WHICH and len(line.suggestions) == 1 else _(fix),
        usage=grammar.specs[line.command].usage if line.command is not None else (),
        blocks=(_suggested(line.suggestions), *_likely(line)),
    )


def _suggested(lines: Sequence[str]) -> Steps | Items:
    """To tap, or to be answered: by “yes” where there is one, else by its number."""
    match lines:
        case []:
            return Steps(tuple(Step(_(step.label), step.command) for step in _FIRST_STEPS))
        case [line]:
            return Steps((Step(line, line, reply="yes"), Step(_("No"), "help", reply="no")))
        case _:
            return Items(tuple(Item(number, line, command=line) for number, line in enumerate(lines, 1)), kind=CHOICE)


def _likely(line: NotUnderstood) -> tuple[Steps, ...]:
    """What people ask for most, where a line was not understood and its suggestions are fewer than three."""
    shown = {*line.suggestions, *(("help",) if len(line.suggestions) == 1 else ())}  # which “no” leads to
    if line.reason is not Misreading.UNKNOWN or not line.suggestions or len(shown) >= LIKELIEST:
        return ()
    others = [step for step in _FIRST_STEPS if step.command not in shown]
    return (Steps(tuple(Step(_(step.label), step.command) for step in others[: LIKELIEST - len(shown)])),)


CHOICE = "choice"
"""The kind of a list of commands, of which one is to be chosen."""

LIKELIEST = 3
_FIRST_STEPS = (Step(N_("What can I write?"), "help"), Step(N_("My books"), "list"), Step(N_("My feeds"), "feeds"))
_WHICH = N_("Did you mean one of these?")
_WORDS = {
    Misreading.EMPTY: (
        N_("Your mail holds neither a command nor a book."),
        N_("Write a command as the subject, or attach a book."),
    ),
    Misreading.UNKNOWN: (N_("I do not know what “{line}” means."), _WHICH),
    Misreading.UNSURE: (N_("I am not sure what “{line}” means, so I did nothing."), _WHICH),
    Misreading.WRONG_SHAPE: (
        N_("I could not make sense of all of “{line}”."),
        N_("This is how the command is written."),
    ),
    Misreading.ASKED_BEFORE: (
        N_("“{line}” is the subject of an earlier mail, so I did not do it a second time."),
        N_("If you want it again, write it as a new mail."),
    ),
    Misreading.NOT_ASKED: (
        N_("The mail that you answer asked nothing that “{line}” is an answer to."),
        N_("Tap what you want in it, or write it as a command."),
    ),
    Misreading.NO_MORE: (N_("The mail that you answer showed all there is."), N_("Did you mean something else?")),
    Misreading.NOT_DONE: (
        N_("Nothing that the mail which you answer has done can be taken back."),
        N_("Removed books come back with “undo” in a new mail."),
    ),
    Misreading.SOMEBODY_ELSES: (
        N_("The link, or the mail, that you answered is somebody else's, so I did nothing."),
        N_("Answer a mail that I have sent to you, or write a new one."),
    ),
    Misreading.TOO_OLD: (
        N_("The mail that you answer is more than 30 days old, and I no longer know what “{line}” meant in it."),
        N_("Have it shown anew."),
    ),
    Misreading.TOO_MANY: (
        N_("“{line}” was one command more than one mail may hold, so I did not do it."),
        N_("Send it again in a mail of its own."),
    ),
}
"""What is wrong, and how to mend it, for each way in which a line is not a command."""
