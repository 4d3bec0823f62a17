"""German and Spanish words of `digest` in the English that `core.news.schedule_words` reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from core.mail.words import fold


def _table(text: str) -> Mapping[str, str]:
    """Lines of `english: foreign, foreign`; the foreign ones are folded, and may be phrases."""
    lines = (line.partition(":") for line in text.strip().splitlines())
    return {
        fold(word.strip()): english.strip()
        for english, _, words in lines
        for word in words.split(",")
        if word.strip()
    }  # fmt: skip


_DAYS: Final = """
    monday: montag, montags, lunes
    tuesday: dienstag, dienstags, martes
    wednesday: mittwoch, mittwochs, miércoles
    thursday: donnerstag, donnerstags, jueves
    friday: freitag, freitags, viernes
    saturday: samstag, samstags, sonnabend, sábado, sábados
    sunday: sonntag, sonntags, domingo, domingos
"""
# “mi” is Wednesday to Germans and “my” to Spaniards: it is asked about, and no table's.
_SCHEDULE: Final = _table(
    _DAYS
    + """
    tue: di
    thu: do
    sun: so
    mon: lun
    tue: mar
    wed: mié
    thu: jue
    fri: vie
    sat: sáb
    sun: dom
    daily: täglich, jeden tag, diario, diariamente, cada día, todos los días
    weekdays: de lunes a viernes, lunes a viernes, montag bis freitag, montags bis freitags, von montag bis freitag
    weekdays: werktags, werktage, wochentags, wochentage, an werktagen, días laborables, laborables, entre semana
    weekends: wochenende, wochenenden, am wochenende, fin de semana, fines de semana
    weekly: wöchentlich, semanal, semanalmente
    at: um, gegen, a la, a las
    to: auf, an, ans, aufs, nach, per, por, als, al, a
    the: den, dem, la
    in the morning: morgens, vormittags, de la mañana, por la mañana
    in the afternoon: nachmittags, de la tarde, por la tarde
    in the evening: abends, de la noche, por la noche
    on: am, el, los
    and: und, y
    my: meinen, meinem, meine, mein
    mail: e-mail, correo, buzón
    both: beide, beides, ambos
    min: minuten, minute, minutos
    hours: stunden, stunde, horas, hora
    an: eine, una
    no limit: unbegrenzt, ohne limit, sin límite
    """
)
_DATES: Final = _table(
    _DAYS
    + """
    january: januar, jänner, jan, enero, ene
    february: februar, febrero
    march: märz, marzo
    april: abril, abr
    may: mai, mayo
    june: juni, junio
    july: juli, julio
    august: agosto, ago
    september: septiembre, setiembre
    october: oktober, okt, octubre
    november: noviembre
    december: dezember, dez, diciembre, dic
    tomorrow: morgen, mañana
    until: bis, bis zum, hasta, hasta el
    for: für, por, durante
    of: de
    next: nächste, nächsten, nächster, próxima, próximo
    a: ein, eine, einen, una, un
    two: zwei, dos
    three: drei, tres
    days: tage, tagen, tag, días, día
    weeks: wochen, woche, semanas, semana
    months: monate, monaten, monat, meses, mes
    """
)
_SINGULAR: Final = re.compile(r"\bnext (week|month)s\b")
_MOST_WORDS = 4  # of a phrase: "todos los días"
_TOKEN = re.compile(r"[^\W\d]+(?:-[^\W\d]+)*\.?|\s+|.", re.DOTALL)


def schedule_in_english(line: str) -> str:
    """A schedule in which only what is English is left as it is written."""
    return _translated(line, _SCHEDULE)


def date_in_english(line: str) -> str:
    """The day until which a digest is paused, likewise. Its own table: “mar” is a weekday in the one, a month here."""
    return _SINGULAR.sub(r"next \1", _translated(line, _DATES))


_HOURS: Final = {
    word: hour
    for hour, words in enumerate(
        ("one eins ein una", "two zwei dos", "three drei tres", "four vier cuatro", "five funf cinco", "six sechs seis",
         "seven sieben siete", "eight acht ocho", "nine neun nueve", "ten zehn diez", "eleven elf once",
         "twelve zwolf doce"), start=1
    )
    for word in words.split()
}  # fmt: skip
_HOUR: Final = rf"(?P<hour>{'|'.join(_HOURS)}|\d{{1,2}})"
_MINUTES: Final = {
    "half": 30, "quarter": 15, "viertel": 15, "media": 30, "cuarto": 15, "ten": 10, "zehn": 10, "diez": 10,
    "twenty": 20, "zwanzig": 20, "veinte": 20, "five": 5, "funf": 5, "cinco": 5,
}  # fmt: skip
_PART: Final = rf"(?P<part>{'|'.join(_MINUTES)})"
_CLOCKS: Final = tuple(
    (re.compile(rf"\b{pattern}\b"), sign)
    for pattern, sign in (
        (rf"half past {_HOUR}", 30),
        (rf"(?:a )?{_PART} past {_HOUR}", 1),
        (rf"(?:a )?{_PART} to {_HOUR}", -1),
        (rf"halb {_HOUR}", -30),
        (rf"dreiviertel {_HOUR}", -15),
        (rf"{_PART} nach {_HOUR}", 1),
        (rf"{_PART} vor {_HOUR}", -1),
        (rf"(?P<las>las? ){_HOUR} y {_PART}", 1),
        (rf"(?P<las>las? ){_HOUR} menos {_PART}", -1),
        (rf"(?P<las>las? |at |um |gegen ){_HOUR}(?: o'?clock| uhr)?", 0),
        (rf"{_HOUR} (?:o'?clock|uhr)", 0),
    )
)


def clock_in_digits(line: str) -> str:
    """A line with its times of day in figures: `half past six`, `halb sieben`, `las siete menos cuarto`."""
    folded = fold(line)
    if len(folded) != len(line):  # letters that fold to two: the places would not be the same
        line = folded
    for pattern, sign in _CLOCKS:
        found = pattern.search(folded)
        if found is None:
            continue
        groups = found.groupdict()
        hour = _HOURS[groups["hour"]] if groups["hour"] in _HOURS else int(groups["hour"])
        if groups["hour"].isdigit() and sign == 0:
            return line  # "at 7" is read as it is
        minutes = sign * _MINUTES[groups["part"]] if groups.get("part") else sign
        hour, minute = divmod((60 * hour + minutes) % 1440, 60)
        said = (groups.get("las") or "") + f"{hour}:{minute:02}"
        return f"{line[: found.start()]}{said}{line[found.end() :]}"
    return line


def _translated(line: str, table: Mapping[str, str]) -> str:
    tokens = _TOKEN.findall(line)
    written, place = [], 0
    while place < len(tokens):
        # A phrase of n words is 2n - 1 tokens: blanks stand between them.
        for length in range(2 * _MOST_WORDS - 1, 0, -2):
            phrase = fold("".join(tokens[place : place + length])).rstrip(".")
            if phrase in table and len(tokens) >= place + length:
                written.append(table[phrase])
                place += length
                break
        else:
            written.append(tokens[place])
            place += 1
    return "".join(written)
