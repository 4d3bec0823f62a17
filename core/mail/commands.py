"""What a mail asks for: its subject and its text, read as commands of the grammar. Pure, and never raises."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

from core.mail.arguments import split_arguments
from core.mail.grammar import Command, CommandSpec, Grammar, Misreading, NotUnderstood
from core.mail.guessing import first_three
from core.mail.lines import Manner, find_command, fits, is_closing, is_sentence, is_silent, read_line
from core.mail.links import MOST_LINKS, links_of
from core.mail.meanings import Meanings, Short, short_word
from core.mail.message import Attachment, ParsedMessage
from core.mail.subjects import Subject, read_subject
from core.mail.text import command_lines, own_text
from core.mail.words import COLON_LIKENESS, fold, nearest_key
from core.values import AttachmentKind

MAX_COMMANDS = 20  # of one mail; nobody types more, and each may be a search
MAX_QUESTIONS = 3  # lines of one mail that are asked back about
LONGEST_SHOWN = 120  # letters of a line that is shown back
WRAPPED = 45  # letters: a line as long as this that ends in no stop goes on in the next one
LONGEST_LOOKED_INTO = 30  # words of a line in which a command may hide
LONGEST_TITLE = 6  # words of a text that is offered as a search
SHORTEST_FORWARD = 20  # characters below a forwarded mail's head: less is nothing to keep
LONGEST_STRAY = 4  # words of a line between commands that was meant for one

_KEY = re.compile(r"([^\W\d][\w-]*)\s?[:=]")
# What programs attach by themselves: signatures, keys, calling cards, invitations.
_ACCESSORIES = re.compile(r"image/|text/(?:calendar|x?-?vcard)|application/(?:pgp-|(?:x-)?pkcs7-|ics)")

_GUIDE = "help"

Found = Command | NotUnderstood


def read_commands(
    message: ParsedMessage, grammar: Grammar, *, meanings: Meanings | None = None, is_too_old: bool = False
) -> tuple[Found, ...]:
    """The commands of a mail in order, with the lines that were meant for some; never empty.

    `meanings` are those of the mail of ours that it answers, None where it answers none; `is_too_old` where it answers
    one of which nothing is known any more.

    The subject comes first. Below a subject that is a command, the text holds further ones only where a line is
    clearly one; in a reply the text comes first, since the subject is that of an earlier mail. A mail with a book and
    no command adds it. A mail with nothing gives one `NotUnderstood` with an empty line.
    """
    subject = read_subject(message.subject)
    lines = [line for text in command_lines(message.text) for line in _apart(text, grammar)]
    is_ours = meanings is not None or is_too_old or bool(message.in_reply_to or message.references)
    is_answer = subject.is_forward or (subject.is_reply and is_ours)
    said = "" if passes_on(message) else subject.text  # else it is the subject of somebody else's mail
    titles = [read_line(line, grammar, manner=Manner.SUBJECT) for line in _apart(said, grammar)]
    asked = [title for title in titles if isinstance(title, Command)]
    if asked and not is_answer:
        found = _read_text(lines, grammar, manner=Manner.UNDER_COMMAND, above=asked)
    else:
        manner = Manner.REPLY if subject.is_reply or meanings is not None else Manner.BODY
        replied = _Reply(meanings, grammar, is_too_old=is_too_old)
        found = _read_text(lines, grammar, manner=manner, replied=replied)
        if not any(isinstance(each, Command) for each in found):
            found = [*_from_subject(titles, grammar, is_answer=is_answer, has_text=any(lines)), *found]
        elif not is_answer:
            found = [*(title for title in titles if _must_be_asked(title)), *found]
    found = _with_files(_without_repeats(found), message.attachments, grammar)
    if not any(isinstance(each, Command) for each in found):
        found = _from_links(lines or [subject.text], grammar) or found
    return tuple(capped(found)) if found else (_question(subject, lines, grammar),)


def passes_on(message: ParsedMessage) -> bool:
    """Whether somebody forwards a mail with it, as a part or in its text."""
    if message.holds_mail:
        return read_subject(message.subject).is_forward or not own_text(message.text)
    below = len(message.text.strip()) - len(own_text(message.text))
    return read_subject(message.subject).is_forward and below >= SHORTEST_FORWARD


def _apart(line: str, grammar: Grammar) -> list[str]:
    """`list; send 2` as two lines, if each of its parts begins with a command word."""
    parts = [part.strip() for part in line.split(";")]
    if len(parts) == 1 or '"' in line or not all(find_command(part, grammar) for part in parts if part):
        return [line]
    return [part for part in parts if part]


@dataclass(frozen=True, slots=True)
class _Reply:
    """Words that mean something only with the mail that they answer."""

    meanings: Meanings | None
    grammar: Grammar
    is_too_old: bool = False

    def read(self, line: str) -> list[Found]:
        """What a line of such a word means, [] for all others. A number that the mail gave no meaning is left to the
        commands that take one."""
        if (word := short_word(line)) is None or (self.meanings is None and not self.is_too_old):
            return []
        commands = self.meanings.get(word, ()) if self.meanings is not None else ()
        readings = [read_line(each, self.grammar, manner=Manner.SUBJECT) for each in commands]
        found = [each for each in readings if each is not None]
        if len(found) == 1:
            return [replace(found[0], line=line)]
        if found or word not in _UNANSWERED:
            return found
        return [NotUnderstood(line, reason=Misreading.TOO_OLD if self.is_too_old else _UNANSWERED[Short(word)])]


_UNANSWERED = {
    Short.YES: Misreading.NOT_ASKED,
    Short.NO: Misreading.NOT_ASKED,
    Short.MORE: Misreading.NO_MORE,
    Short.UNDO: Misreading.NOT_DONE,
}


def _read_text(
    lines: Sequence[str],
    grammar: Grammar,
    *,
    manner: Manner,
    above: Sequence[Command] = (),
    replied: _Reply | None = None,
) -> list[Found]:
    """The commands above a text and in it, and the lines among them that were meant for some."""
    found: list[Found] = [*above]
    strays: list[Found] = []
    before, is_wrapped = "", False
    for line in lines:
        if replied is not None and (meant := replied.read(line)):
            found += [*strays, *meant]
            strays, before = [], ""
            continue
        if is_closing(line) and any(isinstance(each, Command) for each in found):
            break
        if (longer := _continued(found[-1] if found else None, line, grammar)) is not None:
            found = [*found[:-1], longer]
            continue
        is_wrapped = _goes_on(before, line, is_wrapped=is_wrapped)
        reading = None if is_silent(line) or is_wrapped else read_line(line, grammar, manner=manner)
        before = "" if isinstance(reading, Command) else line
        if isinstance(reading, Command):
            found += [*strays, reading]
            strays = []
        elif isinstance(reading, NotUnderstood):
            found.append(reading)
        elif manner is not Manner.UNDER_COMMAND and found and _is_stray(line):
            strays.append(NotUnderstood(line))  # asked about only if a command follows: after the last comes a name
    return found


def _goes_on(before: str, line: str, *, is_wrapped: bool) -> bool:
    """Whether a line is the rest of the sentence that the line before it began, wrapped by the mail program.

    `is_wrapped` is whether that line was such a rest itself.
    """
    is_long = len(before) >= WRAPPED or (is_wrapped and bool(before))
    return is_long and before[-1] not in ".!?:;" and line[:1].islower()


def _is_stray(line: str) -> bool:
    return not is_silent(line) and len(line.split()) <= LONGEST_STRAY and line[-1].isalnum()


def _continued(last: Found | None, line: str, grammar: Grammar) -> Command | None:
    """The command with the options, or the addresses, of a line below it that holds nothing else: `title: Dune`.

    With no command above it, such a line is about the book that the mail carries.
    """
    keeper = grammar.keeper
    command = Command(keeper.name, line=keeper.name) if last is None and keeper is not None else last
    if isinstance(last, Command) and grammar.specs[last.name].takes_links and (links := links_of(line)):
        more = f"{last.line} {line}"
        return replace(last, words=(*last.words, *links), undivided=(*last.undivided, *links), line=more)
    if not isinstance(command, Command) or not _begins_with_key(line, grammar.specs[command.name]):
        return None
    arguments = split_arguments(line, grammar.specs[command.name], word=command.name)
    if arguments.words or not arguments.options:
        return None
    return replace(command, options={**command.options, **arguments.options}, line=f"{command.line} {line}")


def _begins_with_key(line: str, spec: CommandSpec) -> bool:
    key = _KEY.match(line)
    return key is not None and nearest_key(key[1], spec.keys, likeness=COLON_LIKENESS) is not None


def _must_be_asked(title: Found | None) -> TypeGuard[NotUnderstood]:
    """A subject that may be a command which is run on no guess: not to ask would be to leave it undone in silence."""
    return isinstance(title, NotUnderstood) and title.reason is Misreading.UNSURE and title.command is not None


def _from_subject(
    titles: Sequence[Found | None], grammar: Grammar, *, is_answer: bool, has_text: bool
) -> Iterator[Found]:
    """What a subject asks for, where the text asks for nothing.

    The subject of a reply is what was asked before. It is done again only if there is nothing else in the mail, and
    never if that would remove something.
    """
    for title in titles:
        match title:
            case Command() if not is_answer:
                yield title
            case Command() if not has_text and not grammar.specs[title.name].is_destructive:
                yield title
            case Command() if not has_text:
                yield NotUnderstood(title.line, (title.line,), Misreading.ASKED_BEFORE, command=title.name)
            case NotUnderstood() if not is_answer:
                yield title
            case _:
                pass


def _without_repeats(found: Sequence[Found]) -> list[Found]:
    """People write the same in the subject and in the text: once is enough."""
    kept: list[Found] = []
    for each in found:
        if isinstance(each, Command) and any(_is_same(each, other) for other in kept):
            continue
        kept.append(each)
    return kept[1:] if kept and _is_title(kept[0], kept[1:]) else kept


def _is_title(first: Found, others: Sequence[Found]) -> bool:
    """Whether a command's word alone is the title of what is said in full below it: "Kindle", and "add my kindle: …";
    or "commands", and then some."""
    if not isinstance(first, Command) or first.words or first.options:
        return False
    said = [each for each in others if isinstance(each, Command)]
    return any(each.name == first.name and each.words for each in said) or (first.name == _GUIDE and bool(said))


def _is_same(one: Command, other: Found) -> bool:
    return isinstance(other, Command) and replace(one, line="", language=None) == replace(other, line="", language=None)


def _from_links(lines: Sequence[str], grammar: Grammar) -> list[Found]:
    """What a mail with nothing but links asks for, whatever its subject says: programs that share a page put its title
    there."""
    reader = next((spec for spec in grammar.specs.values() if spec.takes_bare_links), None)
    said = [line for line in lines if not is_silent(line)]
    links = tuple(dict.fromkeys(link for line in said for link in links_of(line)))
    if reader is None or not all(map(links_of, said)) or not 1 <= len(links) <= MOST_LINKS:
        return []
    line = f"{reader.name} {' '.join(links)}"
    return [Command(reader.name, words=links, undivided=links, line=line, is_implied=True)]


def _with_files(found: list[Found], attachments: Sequence[Attachment], grammar: Grammar) -> list[Found]:
    """With the command that keeps what the mail carries, if none of its commands does."""
    commands = [grammar.specs[each.name] for each in found if isinstance(each, Command)]
    taken = frozenset[AttachmentKind]().union(*(spec.takes_attachments for spec in commands))
    files = [file for file in attachments if not file.is_inline]
    kinds = {file.kind for file in files if file.kind is not None} - taken
    if not commands and not kinds and any(not _ACCESSORIES.match(file.declared_type) for file in files):
        kinds = {AttachmentKind.BOOK}  # a file that is no book is answered, too: it was meant to be one
    keepers = [keeper for kind in sorted(kinds) if (keeper := grammar.keeper_of(kind)) is not None]
    keep = [Command(keeper.name, line=keeper.name, is_implied=True) for keeper in keepers]
    if not keep:
        return found
    if not commands:
        return [*keep]  # what else is said is a title or a greeting, however like a command it looks
    # Whatever is removed is looked up before the new book can be mistaken for it.
    return [*found, *keep] if any(spec.is_destructive for spec in commands) else [*keep, *found]


def capped(found: Iterable[Found]) -> Iterator[Found]:
    """At most so many commands and questions as one answer can hold."""
    commands = questions = 0
    for each in found:
        if isinstance(each, Command):
            commands += 1
            if commands > MAX_COMMANDS:
                yield NotUnderstood(each.line, (each.line,), Misreading.TOO_MANY)
                return
            yield each
        elif questions < MAX_QUESTIONS:
            questions += 1
            yield replace(each, line=each.line[:LONGEST_SHOWN])


def _question(subject: Subject, lines: Sequence[str], grammar: Grammar) -> NotUnderstood:
    """The one question that is asked about a mail that holds no command."""
    texts = [text for text in ("" if subject.is_reply else subject.text, *lines) if text]
    if not texts:
        return NotUnderstood("", reason=Misreading.EMPTY)
    said = [text for text in texts if not is_silent(text)]
    return NotUnderstood((said or texts)[0][:LONGEST_SHOWN], first_three(_suggestions(said[:5], grammar)))


def _suggestions(texts: Sequence[str], grammar: Grammar) -> Iterator[str]:
    """Commands that a text may be about: a command word within it, or a few words that may be a title."""
    for text in texts:
        yield from _within(text, grammar)
    searcher = next((spec for spec in grammar.specs.values() if spec.takes_bare_words), None)
    if searcher is not None and texts and _may_be_title(texts[0]):
        yield f"{searcher.name} {texts[0]}"


def _may_be_title(text: str) -> bool:
    return not is_sentence(text) and len(text.split()) <= LONGEST_TITLE and not text.endswith("?")


def _within(text: str, grammar: Grammar) -> Iterator[str]:
    words = text.split()[:LONGEST_LOOKED_INTO]
    for place in range(1, len(words)):
        rest = " ".join(words[place:])
        named = find_command(rest, grammar)
        if named is None or rest.endswith(f"{named.word}.") or len(fold(named.word)) < LONGEST_STRAY:
            continue
        reading = read_line(rest, grammar, manner=Manner.UNDER_COMMAND)
        if isinstance(reading, Command) and fits(reading, named.spec) and len(reading.words) <= LONGEST_STRAY:
            yield rest
        elif not named.spec.min_words:
            yield named.spec.name
