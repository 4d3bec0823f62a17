"""What people write around a command: greetings, politeness, fillers. Tables of words, folded (no case, no accents).

English first, then German and Spanish; a word stands here only if it cannot begin or end a title by itself too often.
"""

from __future__ import annotations

import re

LEADING = re.compile(
    r"""(?:
      (?:hi|hello|hey|dear|hallo|hola|liebe|lieber|moin|servus|buenas|good\ (?:morning|evening|day)|guten\ (?:tag|morgen)
        |buenos\ dias)
        (?:\ (?:there|all|bot|inkpost|librarian|team|zusammen))?\s*[,!.:-]+
    | (?:please|pls|plz|kindly|bitte|por\ favor)\b[\s,:]*
    | (?:can|could|would|will)\ you(?:\ (?:please|pls|kindly))?\b
    | i(?:'d|\ would)\ like\ (?:you\ )?to\b
    | i\ (?:want|need)\ (?:you\ )?to\b
    | (?:kannst|konntest|konnten|wurdest)\ (?:du|sie)(?:\ mir)?(?:\ bitte)?\b
    | (?:puedes|podrias|quiero|quisiera)\b
    )\s*""",
    re.VERBOSE,
)
"""What may stand before a command word, on a folded line; it is taken off as often as it matches."""

TRAILING = re.compile(
    r"""(?P<pause>[\s,;.!-]*)\b(?:please|pls|plz|kindly|thanks|thank\ you|thx|ty|cheers|thanks\ a\ lot|thank\ you\ very\ much
      |many\ thanks|thanks\ in\ advance|bitte|danke|vielen\ dank|danke\ schon|por\ favor|gracias|muchas\ gracias)
      [\s.!)]*$""",
    re.VERBOSE,
)
"""What may stand behind the last argument, on a folded line."""

CLOSINGS = frozenset(
    """best|best regards|best wishes|kind regards|regards|cheers|thanks|thanks a lot|many thanks|thank you|thx|ty
    |thank you very much|thanks in advance|yours|sincerely|love|bye|grusse|viele grusse|liebe grusse|lg|vg|mfg|danke
    |mit freundlichen grussen|vielen dank|gruss|gruesse|viele gruesse|liebe gruesse|gracias|muchas gracias|saludos
    |un saludo|un abrazo|merci|greetings|take care|xx|x""".replace("\n", "").replace("    ", "").split("|")
)
"""A line that is only this says nothing, and ends the commands that stand before it."""

SYNONYMS: dict[str, tuple[str, ...]] = {"to": ("->", "=>", "→", "onto", "auf", "ans", "al"), "with": ("mit", "con")}
"""A preposition in other words and languages, where no title is the worse for it."""

TITLE_LIKE_SYNONYMS: dict[str, tuple[str, ...]] = {"to": ("an", "zu", "a")}
"""Those that are English articles or stand in many titles: heeded only behind a command word that is itself foreign."""

DETERMINERS = frozenset("my the mein meinen meine meinem dem den mi el la".split())
"""Left out before the name of a device: `to my kobo`."""

INDIRECT_OBJECTS = frozenset("me us mir uns nos".split())
"""Left out behind a command word: `send me dune`."""

NUMBER_NOUNS = frozenset("book books number no nr num nummer buch libro numero # item".split())
"""Left out before a number: `send book 2`."""

JOINERS = frozenset("and und y & + e".split())
"""Left out between numbers: `send 2, 3 and 5`."""

VAGUE = frozenset(
    """me it this that these those them us all everything anything something you your yours yourself everyone myself
    mich es das dies alles mir uns me lo la todo esto eso""".split()
)
"""Destructive commands about this alone are never run: nobody's book is called so by accident."""

ORDINARY = frozenset(
    """a about after again all also am an and any are as ask at back be because been before but by call came can
    come could dad day dear did do does done down each ed edith end even ever every far fast fear few fie fig file fill
    film final fine fined fire first five for found friend from fun fund get give go good got great had hand has have he
    head heads hear held hell hello helped her here him his hold home hope how however i if in into is it its just kind
    kindly know land last late least left less let life like line lines lint lisa lisp lit little live long look lose
    lost lot made make many may me mean men mend mind mine more most move much must my name need never new next nice no
    not now of off on once one only or other our out over own part past people please point read really rent right run
    said same say see seen self sell sent set seth shoe shop shot should shove shown shows so some soon sound
    spend spent stand star start started starts state stated states station stay stuff such sure take talk tell
    text than thank thanks that the their them then there these they thing think this those time to today too tried try
    two under up upon us use used very want was way we week well were what when where which while who why wilt will wind
    wish with word work world would yeah year yes yet you your zoom
    aber als am an auch auf aus bei bin bis da dann das dass dem den der die dies du ein eine er es fur hat ich ihr im in
    ist ja kein mal mein mich mir mit nach nein nicht noch nun oder schon sehr sein sich sie sind so uber um und uns vom
    von war was wenn wer wie wir wo zu zum zur lust last
    al algo aqui asi bien como con cual cuando de del desde donde el ella en entre era es esa ese esta este fue ha hay la
    las le lo los mas mi muy no nos o para pero por que se si sin sobre solo su sus te tu un una y ya""".split()
)
"""Words that are never taken for a misspelt command word, however close they are."""

PROSE = re.compile(
    r"""^(?:
      find\ (?:the\ |my\ |it\ )?(?:attached|enclosed|below|here\b|herewith|attachment)
    | (?:sent|gesendet|enviado)\b
    | send\ from\ my\b
    | help\ (?:wanted|desk|needed)
    | show\ time
    | (?:remove|unsubscribe|delete|take)\ me\b
    | add\ me\b
    )""",
    re.VERBOSE,
)
"""Lines that begin with a command word and are none, folded."""
