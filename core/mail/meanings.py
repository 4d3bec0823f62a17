"""What a few words mean in reply to a mail of ours: "2", "yes", "no", "more", "undo", and what that mail offered."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Mapping, Sequence

from core.mail.answer import Block, Items, Result, Step, Steps
from core.mail.words import clean_line, fold

LONGEST_SHORT = 40  # letters of a line that may be such a word


class Short(enum.StrEnum):
    """A word that means nothing without the mail that it answers."""

    YES = "yes"
    NO = "no"
    MORE = "more"
    UNDO = "undo"


Meanings = Mapping[str, Sequence[str]]
"""A `Short`, or a number, to the command lines that it stands for."""

_SHORT = {
    Short.YES: """yes | y | yep | yeah | yup | yes do | yes do it | do it | go ahead | ok | okay | sure | confirm
        ja | jo | klar | gerne | ja mach | ja mach das | mach das | mach es | tu es | bestatige | bestatigen
        si | si hazlo | hazlo | vale | claro | de acuerdo | confirma | confirmar | oui | sim | da""",
    Short.NO: """no | n | nope | nah | cancel | stop | don't | do not | dont | leave it | never mind | no don't
        nein | nee | nicht | lieber nicht | lass es | lass das | abbrechen | stopp
        no lo hagas | dejalo | cancela | cancelar | mejor no | non | nao""",
    Short.MORE: """more | next | next page | show more | go on | continue | show me more
        mehr | weiter | nachste | nachste seite | mehr davon | zeig mehr | noch mehr
        mas | siguiente | pagina siguiente | continua | sigue | ver mas | suite | plus""",
    Short.UNDO: """undo | undo it | undo that | undo this | take it back | revert
        ruckgangig | ruckgangig machen | mach es ruckgangig | zurucknehmen
        deshacer | deshaz | deshazlo | deshacerlo | annuler""",
}
_WORDS = {
    phrase.strip(): short for short, table in _SHORT.items() for phrase in re.split(r"[|\n]", table) if phrase.strip()
}
_AROUND = re.compile(r"(?:please|pls|bitte|por favor|thanks|thank you|danke|gracias|merci)")
_NUMBER = re.compile(r"(?:(?:the |number |no\. ?|nr\. ?|nummer |numero )?#?(\d{1,4})\.?)")


def short_word(line: str) -> str | None:
    """The `Short` or the number that a whole line is, politeness left out; None for any other line."""
    if len(line) > LONGEST_SHORT:
        return None
    folded = fold(clean_line(line))
    said = " ".join(re.sub(r"[^\w#.' ]", " ", _AROUND.sub(" ", folded)).strip(" .").split())
    if (number := _NUMBER.fullmatch(said)) is not None:
        return str(int(number[1]))
    return _WORDS.get(said)


def meanings_of(results: Sequence[Result]) -> dict[str, list[str]]:
    """What short replies to an answer with these results mean.

    Of several lists the last one's numbers and pages count. A "yes" to two questions is no answer to either; "undo"
    takes back all that can be, the last first.
    """
    found: dict[str, list[str]] = {}
    steps: dict[Short, list[str]] = {short: [] for short in Short}
    for block in (block for result in results for block in result.outcome.blocks):
        for step in _steps_of(block):
            if step.reply:
                steps[Short(step.reply)].append(step.command)
        if isinstance(block, Items):
            found |= {str(item.number): [item.command] for item in block.items if item.command}
    if len(steps[Short.YES]) == 1:
        found[Short.YES] = steps[Short.YES]
        found[Short.NO] = steps[Short.NO][:1]
    if steps[Short.MORE]:
        found[Short.MORE] = steps[Short.MORE][-1:]
    if steps[Short.UNDO]:
        found[Short.UNDO] = steps[Short.UNDO][::-1]
    return found


def _steps_of(block: Block) -> Iterator[Step]:
    if isinstance(block, Steps):
        yield from block.steps
    elif isinstance(block, Items) and block.more is not None:
        yield block.more
