"""Words in another order than a command word first: German verbs at the end, a device before a colon. Pure."""

from __future__ import annotations

import re

from core.mail import phrases
from core.mail.arguments import dividers
from core.mail.grammar import Grammar
from core.mail.words import fold

LONGEST = 8  # words: a longer line is a sentence

_FOR_DEVICE = re.compile(
    r"(?:(?:to|for|an|auf|für|al|para|en|sur|pour|sul|per)\s+)?(?:(?:my|the|meinen?|den|mi|el|la|ma)\s+)?"
    r"([\w-]+)\s?:\s?(\S.*)",
    re.IGNORECASE,
)
_PUT = re.compile(r"put\s+(.+?)\s+on(?:to)?\s+(?:my\s+|the\s+)?([\w-]+)[.!]*", re.IGNORECASE)
_POLITE = frozenset({"bitte", "mir", "mal", "noch"})


def in_order(text: str, grammar: Grammar) -> str:
    """The line with its command word first, or as it is."""
    for pattern, places in ((_FOR_DEVICE, (2, 1)), (_PUT, (1, 2))):
        found = pattern.fullmatch(text)
        if found is not None and fold(found[places[1]]) in phrases.DEVICES:
            sender = next((spec.name for spec in grammar.specs.values() if spec.takes_bare_phrases), None)
            what = _verb_first(found[places[0]], grammar)
            if sender is not None:
                begins_with_it = grammar.find(what.partition(" ")[0]) is not None
                return f"{what} -> {found[places[1]]}" if begins_with_it else f"{sender} {what} -> {found[places[1]]}"
    return _verb_first(text, grammar)


def _verb_first(text: str, grammar: Grammar) -> str:
    words = text.split()
    if not 1 < len(words) <= LONGEST or phrases.SAID_OF_PEOPLE & {fold(word) for word in words}:
        return text
    if (verb := phrases.SEPARABLE.get((fold(words[0]), fold(words[-1].rstrip(".!"))))) is not None:
        return " ".join([verb, *words[1:-1]])
    if grammar.find(words[0].rstrip(":,")) is not None and not words[0].endswith(":"):
        return text
    for place in range(len(words) - 1, 0, -1):
        verb = words[place].rstrip(".!?")
        spec = grammar.find(verb) if phrases.INFINITIVE.fullmatch(fold(verb)) else None
        behind = words[place + 1 :]
        if spec is not None and (not behind or fold(behind[0]) in dividers(spec, is_foreign=True)):
            before = [word for word in words[:place] if fold(word.strip(",")) not in _POLITE]
            return " ".join([verb, *before, *behind]) if before else text
    return text
