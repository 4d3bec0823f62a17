"""What people write around a command: greetings, politeness, fillers. Tables of words, folded (no case, no accents).

English first, then German and Spanish; a word stands here only if it is rarely a title, or its beginning or end.
"""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LEADING = re.compile(
    r"""(?:
      (?:hi|hello|hey|dear|hallo|hola|liebe|lieber|moin|servus|buenas|good\ (?:morning|evening|day)
        |guten\ (?:tag|morgen)|buenos\ dias)
        (?:\ (?:there|all|bot|inkpost|librarian|team|zusammen))?\b\s*[,!.:-]*
    | (?:please|pls|plz|kindly|bitte|por\ favor)\b[\s,:]*
    | (?:can|could|would|will)\ you(?:\ (?:please|pls|kindly))?\b
    | i(?:'d|\ would)\ like\ (?:you\ )?to\b
    | i\ (?:want|need)\ (?:you\ )?to\b
    | (?:kannst|konntest|konnten|wurdest)\ (?:du|sie)(?:\ mir)?(?:\ bitte)?\b
    | (?:me\ )?(?:puedes|podrias|puede|quiero|quisiera)\b
    | (?:pouvez-vous|peux-tu|s'il\ (?:te|vous)\ plait|bonjour|salut|ciao|puoi)\b[\s,:]*
    | (?:oops|ups|huch|oh|sorry|ok|okay|ja|yes|also)\b[\s,.!:]+
    )\s*""",
    re.VERBOSE,
)
"""What may stand before a command word, on a folded line; it is taken off as often as it matches."""

TRAILING = re.compile(
    r"""(?P<pause>[\s,;.!-]*)
    \b(?:please|pls|plz|kindly|thx|ty|cheers|thanks(?:\ a\ lot|\ in\ advance)?|thank\ you(?:\ very\ much)?|many\ thanks
      |bitte|(?:vielen\ )?danke?(?:\ schon)?|por\ favor|(?:muchas\ )?gracias)
    [\s.!)]*$""",
    re.VERBOSE,
)
"""What may stand behind the last argument, on a folded line."""

CLOSING = re.compile(
    r"""(?:
      (?:(?:with\ )?(?:best|kind|warm)(?:est)?\ )?(?:regards|wishes)|best|cheers|greetings
    | yours(?:\ (?:truly|sincerely))?|sincerely|love|bye|take\ care|x+
    | (?:many\ )?thanks?(?:\ (?:a\ lot|again|in\ advance|you(?:\ (?:very|so)\ much)?))?
    | thx|ty|(?:viele|liebe|schone|mit\ freundlichen)?\ ?gru(?:ss|sse|ssen|esse)|[lvm]g|mfg|(?:vielen\ )?danke?
    | (?:muchas\ )?gracias|(?:un\ )?(?:saludos?|abrazo)|merci
    )[\s,.!-]*""",
    re.VERBOSE,
)
"""A line that is only this says nothing, and ends the commands that stand before it."""

GREETING = re.compile(
    r"""(?:hi|hello|hey|dear|hallo|hola|liebe[rs]?|moin|servus|buenas|good\ (?:morning|evening|day)
    |guten\ (?:tag|morgen)|buenos\ dias)(?:\ [\w.'-]+){0,3}[\s,.!:-]*""",
    re.VERBOSE,
)
"""A line that is only this says nothing."""

SYNONYMS: dict[str, tuple[str, ...]] = {
    "to": ("->", "=>", "→", "onto", "auf", "ans", "al"),
    "with": ("mit", "con", "to", "an", "avec"),
}
"""A preposition in other words and languages, where no title is the worse for it."""

TITLE_LIKE_SYNONYMS: dict[str, tuple[str, ...]] = {
    "to": ("an", "zu", "a"), "as": ("als", "como"), "in": ("en",),
}  # fmt: skip
"""Those that are English articles or stand in many titles: heeded only behind a command word that is itself foreign."""

DETERMINERS = _words("my the mein meinen meine meinem dem den mi el la ma mon le il mio mia meu minha o")
"""Left out before the name of a device: `to my kobo`."""

INDIRECT_OBJECTS = _words("me us mir uns nos sie moi mi ci")
"""Left out behind a command word: `send me dune`."""

NUMBER_NOUNS = _words("book books number no no. nr nr. num nummer buch libro numero # item one livre")
"""Left out before a number: `send book 2`."""

ARTICLES = _words("the el la los las das die der den le les il lo")
"""Left out before numbers, likewise: `borra el 2`."""

DEVICES = _words(
    """kindle kobo pocketbook tolino nook boox onyx remarkable ereader e-reader reader paperwhite oasis scribe koreader
    tablet libra clara"""
)
"""What people call the devices that they read on: `kobo: dune` is for one."""

BEFORE_DEVICES = _words("on onto auf an in para en sur sul su alla nel")
"""Words that stand in titles, and divide off what they govern if that is such a device and nothing else."""

FROM_LIBRARY = re.compile(
    r"\s+(?:from|out\ of|aus|de|della|dalla)\s+(?:my|the|meiner|der|mi|la|ma|mia)\s+"
    r"(?:library|books|bibliothek|biblioteca|bibliotheque)[\s.!?]*$",
    re.IGNORECASE | re.VERBOSE,
)
"""Where a book stands: `delete dune from my library`."""

INFINITIVE = re.compile(r"\w{3,}e(?:r|l)?n")
"""What a German verb at the end of a line looks like: `Dune löschen`."""

SAID_OF_PEOPLE = _words(
    """ich du er wir ihr man kann konnen muss mussen soll sollen will wollen mochte mochten nicht zu dass hat haben ist
    sind wird werden wurde wenn weil habe darf durfen lassen lasst alle alles"""
)
"""With one of these, a line that ends in a verb is about something else: "ich muss noch Dateien löschen"."""

SEPARABLE = {
    ("bestelle", "ab"): "abbestellen", ("bestell", "ab"): "abbestellen", ("lade", "ein"): "einladen",
    ("lad", "ein"): "einladen", ("fuge", "hinzu"): "hinzufügen", ("fug", "hinzu"): "hinzufügen",
    ("melde", "ab"): "abmelden", ("stelle", "wieder her"): "wiederherstellen", ("benenne", "um"): "umbenennen",
}  # fmt: skip
"""German verbs whose first half goes to the end: `bestelle heise ab`."""

JOINERS = _words("and und y & +")
"""Left out between numbers: `send 2, 3 and 5`."""

VAGUE = _words(
    """it this that these those them us all everything anything something you your yours yourself everyone me myself my
    mich es das dies alles mir uns lo la todo esto eso please now account from mail list"""
)
"""A destructive command that begins with one of these is not run unless it is in quotes: "delete it when you can"."""

ORDINARY = _words(
    """a aber about book buch libro livre libri after again al algo
    all als also am an and any aqui are as asi ask at auch auf aus back be
    because been before bei bien bin bis book books but by call came can come como con could cual cuando da
    dad dann das dass day de dear del dem den der desde did die dies do does donde done down du each ed edith
    ein eine el ella en end entre er era es esa ese esta este even ever every far fast fear few fie fig file
    fill film final fine fined fire first five for found friend from fue fun fund fur get give go good got
    great ha had hand has hat have hay he head heads hear held hell hello helped her here him his hold home
    hope how however i ich if ihr im in into is ist it its ja just kein kids kind kindly kindness know la land
    las last late le least left less let life like line lines lint lisa lisp lit little live lo long look los
    lose lost lot lust made make mal many mas may me mean mein men mend mi mich mind mine mir mit more most
    move much must muy my nach name need nein never new next nice nicht no noch nos not now nun o oder of off
    on once one only or other our out over own para part past people pero please point por que read really
    rent right run said same say schon se see seen sehr sein self sell sent set seth shoe shop shot should
    shove shown shows si sich sie sin sind so sobre solo some soon sound spend spent stand star start started
    starts state stated states station stay stop stuff su such sure sus take talk te tell test testing text than
    thank thanks that the their them then there these they thing think this those time to today too tried try
    tu two uber um un una und under uns up upon us use used very vom von want war was way we week well wenn
    wer were what when where which while who why wie will wilt wind wir wish with wo word work world would y
    ya yeah year yes yet you your zoom zu zum zur"""
)
"""Words that are never taken for a misspelt command word, however close they are."""

PROSE = re.compile(
    r"""(?:
      find\ (?:the\ |my\ |it\ )?(?:attached|enclosed|below|here|herewith|attachment)
    | (?:sent|gesendet|enviado|send)\ (?:from|via|von|desde)\ m(?:y|einem|i)
    | help\ (?:wanted|desk|needed)
    | show\ (?:time|notes)
    | (?:remove|delete|unsubscribe|take|add|list)\ me(?:\ (?:from|off|on|to|as)|$)
    )\b""",
    re.VERBOSE,
)
"""Lines that begin with a command word and are none, folded."""
