"""Misspelt command words: which command was meant, and what to suggest where that is not sure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rapidfuzz.distance import DamerauLevenshtein
from rapidfuzz.process import extract

from core.mail.grammar import CommandSpec, Grammar
from core.mail.phrases import ORDINARY
from core.mail.words import fold

SUGGESTED = 0.6  # likeness of Damerau and Levenshtein: "lsit" is 0.75 like "list", "kidle" 0.67 like "kindle"
RUN = 0.7  # one slip in a word of four letters, two in seven
SHORTEST = 3  # letters: with two, every word is like every other
LONG = 6  # letters: among shorter words, another letter makes another word
MAX_SUGGESTIONS = 3


@dataclass(frozen=True, slots=True)
class Guess:
    """A command that a word may be meant for. `likeness` is between 0 and 1."""

    spec: CommandSpec
    likeness: float
    is_slip: bool
    """Whether fingers make such a mistake: letters left out, doubled or swapped, a Spanish b for a v. "Slow" is no slip
    for "show", and "delivery" none for "deliver"."""


def guess(word: str, grammar: Grammar, *, shortest: int = SHORTEST) -> list[Guess]:
    """Commands with a word like this one, likeliest first; none for an ordinary word of the language."""
    folded = fold(word)
    if len(folded) < shortest or folded in ORDINARY or folded in grammar.unguessed or not folded.isalpha():
        return []
    near = extract(
        folded,
        [known for known in grammar.folded_words if len(known) >= SHORTEST],
        scorer=DamerauLevenshtein.normalized_similarity,
        score_cutoff=SUGGESTED,
        limit=10,
    )
    likeliest: dict[str, Guess] = {}
    # Of two that are as like, the one of the same length: letters are swapped more often than left out.
    for known, likeness, _place in sorted(near, key=lambda each: (-each[1], abs(len(each[0]) - len(folded)))):
        if (spec := grammar.find(known)) is not None and spec.name not in likeliest:
            likeliest[spec.name] = Guess(spec, likeness, _is_slip(folded, known))
    return list(likeliest.values())


def _is_slip(written: str, known: str) -> bool:
    if written.startswith(known) or written[0] not in known[:2] or known[0] not in written[:2]:
        return False
    is_other_letter = len(known) >= LONG and written[-1] == known[-1]  # at the end it is an inflection: "sender"
    is_swapped = sorted(written) == sorted(known) or written.replace("b", "v") == known.replace("b", "v")
    return is_swapped or is_other_letter or _is_within(written, known) or _is_within(known, written)


def _is_within(shorter: str, longer: str) -> bool:
    """Whether all letters of the one stand in the other, in order."""
    letters = iter(longer)
    return all(letter in letters for letter in shorter)


def is_sure(guesses: list[Guess]) -> bool:
    """Whether the first of them may be run: near enough, nearer than any other, and nothing is lost by it."""
    if not guesses or guesses[0].likeness < RUN or guesses[0].spec.is_destructive or not guesses[0].is_slip:
        return False
    return len(guesses) == 1 or guesses[1].likeness < guesses[0].likeness


def first_three(suggestions: Iterable[str]) -> tuple[str, ...]:
    """The first three that differ."""
    return tuple(dict.fromkeys(suggestions))[:MAX_SUGGESTIONS]
