"""What stands behind a command word: words, `key=value` options, and what a preposition divides off."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from core.mail import phrases
from core.mail.grammar import CommandSpec
from core.mail.words import KEY_SYNONYMS, Key, Piece, Word, fold, is_number, nearest_key, split, texts, unquote

KEY_LIKENESS = 0.7  # `titel=`, `autor=`, `gerne=` are 0.83 or less away; no two keys of one command are so close
_LONGEST_THANKS = 4  # words: "thank you very much"


@dataclass(frozen=True, slots=True)
class Arguments:
    """See the fields of `Command`."""

    words: tuple[str, ...] = ()
    options: dict[str, str] = field(default_factory=dict)
    phrases: dict[str, tuple[str, ...]] = field(default_factory=dict)
    undivided: tuple[str, ...] = ()


def split_arguments(text: str, spec: CommandSpec, *, word: str) -> Arguments:
    """The arguments in a cleaned text for a command that was written as `word`. Never raises."""
    has_options = any(isinstance(piece, Key) for piece in split(text, spec.keys))
    text = without_thanks(text, needs_pause=has_options)
    text = text if has_options else phrases.FROM_LIBRARY.sub("", text)
    pieces = split(text, spec.keys)
    options, rest = _options(text, pieces, spec)
    if not options and spec.keys:
        options, rest = _bare_options(text, rest, spec)
    rest = _trim(rest, is_destructive=spec.is_destructive)
    words, divided = _divide(rest, dividers(spec, is_foreign=fold(word) != fold(spec.name)))
    return Arguments(_numbers(texts(words)), options, divided, texts(rest))


def without_thanks(text: str, *, needs_pause: bool) -> str:
    """Without the "please" and "thanks" at the end. A title may end so too, hence the comma behind an option."""
    words = text.split()
    for count in range(min(_LONGEST_THANKS, len(words)), 0, -1):
        if not phrases.TRAILING.fullmatch(fold(" ".join(words[-count:]))):
            continue
        before = " ".join(words[:-count])
        if not needs_pause or before.endswith((",", ";", ".", "!", "-")):
            return without_thanks(before.rstrip(" ,;-"), needs_pause=needs_pause)
    return text


def _options(text: str, pieces: Sequence[Piece], spec: CommandSpec) -> tuple[dict[str, str], list[Word]]:
    """The options, each up to the next key, and the words that belong to none."""
    options: dict[str, str] = {}
    rest: list[Word] = []
    starts = [place for place, piece in enumerate(pieces) if isinstance(piece, Key)]
    rest += [piece for piece in pieces[: starts[0] if starts else None] if isinstance(piece, Word)]
    for place, after in pairwise([*starts, len(pieces)]):
        key = pieces[place]
        value = [piece for piece in pieces[place + 1 : after] if isinstance(piece, Word)]
        if value and value[0].is_quoted:
            rest += value[1:]
            value = value[:1]
        written = value[0].text if value and value[0].is_quoted else _slice(text, value)
        if isinstance(key, Key):
            # One that is none of the command's stays as it is, so that it can be told.
            options[nearest_key(key.name, spec.keys, likeness=KEY_LIKENESS) or key.name] = written
    return options, rest


def _slice(text: str, words: Sequence[Word]) -> str:
    return unquote(text[words[0].start : words[-1].end]) if words else ""


def _bare_options(text: str, words: list[Word], spec: CommandSpec) -> tuple[dict[str, str], list[Word]]:
    """`edit 2 title Dune`: a key without its sign, if a value follows it."""
    foreign = {word: key for word, key in KEY_SYNONYMS.items() if key in spec.keys}
    keys = foreign | {fold(key): key for key in spec.keys}
    places = [
        place
        for place, word in enumerate(words[:-1])
        if not word.is_quoted and fold(word.text) in keys and fold(words[place + 1].text) not in keys
    ]
    if not places:
        return {}, words
    known = dividers(spec, is_foreign=False)
    options = {}
    for place, after in pairwise([*places, len(words)]):
        value = words[place + 1 : after]
        if len(value) > 1 and fold(value[0].text) in known:
            value = value[1:]  # `settings timezone to Europe/Berlin`
        options[keys[fold(words[place].text)]] = value[0].text if value[0].is_quoted else _slice(text, value)
    return options, words[: places[0]]


def _trim(words: list[Word], *, is_destructive: bool) -> list[Word]:
    """Without what is said around the arguments: "me" before them, a full stop behind them."""
    while (
        len(words) > 1
        and not is_destructive
        and not words[0].is_quoted
        and fold(words[0].text) in phrases.INDIRECT_OBJECTS
    ):
        words = words[1:]
    if len(words) > 1 and not words[-1].is_quoted and not words[-1].text.strip(".,;!?"):
        words = words[:-1]  # « Kindle ? »
    if words and not words[-1].is_quoted:
        last = words[-1]
        words = [*words[:-1], Word(last.text.rstrip(".,;!?") or last.text, last.start, last.end)]
    return [word for word in words if word.is_quoted or word.text.strip("-,;") or word.text == "->"]


def dividers(spec: CommandSpec, *, is_foreign: bool) -> dict[str, str]:
    """Word -> the preposition that it stands for."""
    found = {}
    for preposition in spec.prepositions:
        foreign = phrases.TITLE_LIKE_SYNONYMS.get(preposition, ()) if is_foreign else ()
        for word in (preposition, *phrases.SYNONYMS.get(preposition, ()), *foreign):
            found[word] = preposition
    return found


def _divide(words: list[Word], dividers: dict[str, str]) -> tuple[list[Word], dict[str, tuple[str, ...]]]:
    """The words before the last of each preposition, and those behind it (`to kobo: dune` has them the other way)."""
    divided: dict[str, tuple[str, ...]] = {}
    while (place := _last_divider(words, dividers, divided)) is not None:
        behind = words[place + 1 :]
        before = words[:place]
        if not before:
            behind, before = _at_colon(behind)
        preposition = dividers.get(_plain(words[place]), "to")
        divided[preposition] = _numbers(texts(_without_determiner(behind)))
        words = before
    return words, divided


def _last_divider(words: list[Word], dividers: dict[str, str], taken: dict[str, tuple[str, ...]]) -> int | None:
    for place in range(len(words) - 2, -1, -1):
        word = words[place]
        if word.is_quoted:
            continue
        preposition = dividers.get(_plain(word))
        if preposition is None and _plain(word) in phrases.BEFORE_DEVICES and _is_device(words[place + 1 :]):
            preposition = "to" if "to" in dividers.values() else None
        if preposition is not None and preposition not in taken:
            return place
    return None


def _is_device(words: list[Word]) -> bool:
    """Whether what stands behind a word is a device and nothing else: `on my kindle`."""
    named = _without_determiner(words)
    return len(named) == 1 and fold(named[0].text.rstrip(".?!")) in phrases.DEVICES


def _plain(word: Word) -> str:
    return fold(word.text.rstrip(":"))


def _at_colon(words: list[Word]) -> tuple[list[Word], list[Word]]:
    """What stands before and behind the first word with a colon; all and nothing without one."""
    for place, word in enumerate(words[:-1]):
        if not word.is_quoted and word.text.endswith(":"):
            name = Word(word.text[:-1], word.start, word.end)
            return [*words[:place], name], words[place + 1 :]
    return words, []


def _without_determiner(words: list[Word]) -> list[Word]:
    has_one = len(words) > 1 and not words[0].is_quoted and fold(words[0].text) in phrases.DETERMINERS
    return words[1:] if has_one else words


def _numbers(words: tuple[str, ...]) -> tuple[str, ...]:
    """`2, 3 and 5`, `2,3`, `book 2` and `number 2.` as plain numbers; other words as they are."""
    parts = [part for word in words for part in word.split(",") if part] if words else []
    parts = [as_number(part) for part in parts if fold(part) not in phrases.JOINERS]
    if parts and fold(parts[0]) in phrases.NUMBER_NOUNS | phrases.ARTICLES:
        parts = [part for part in parts if fold(part) not in phrases.NUMBER_NOUNS | phrases.ARTICLES]
    if parts and all(is_number(part) for part in parts):
        return tuple(part.rstrip(".)") for part in parts)
    return words


def as_number(word: str) -> str:
    """`5` of "5th", any other word as it is."""
    found = re.fullmatch(r"(\d{1,9})(?:st|nd|rd|th|º|ª|er|e)", fold(word), re.ASCII)
    return found[1] if found is not None else word
