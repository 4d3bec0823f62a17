"""`digest`: when and where the paper comes, how much stands in it, and a paper now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from core import jobs
from core.errors import BadRequest, NotFound
from core.i18n import _, dated
from core.mail.answer import Answer, Paragraph, Step, Steps
from core.mail.grammar import CommandSpec, Example
from core.mail.words import fold
from core.models import Digest
from core.news.schedule import Schedule
from core.news.schedule_words import Unclear, parse_schedule, parse_until
from core.services.digests import DEFAULT_NAME, schedule_of
from core.values import Trust
from handlers._arguments import refuse_unknown_options, yes_or_no
from handlers._digests import due_in_words, listed, meant_digest, order_of, quoted, shown, when_next
from handlers._request import Request

SPEC = CommandSpec(
    name="digest",
    makes=True,
    summary="Say when your paper comes, or have one now",
    usage=(
        "digest [daily|weekdays|weekly mon,thu] [at] 06:30 [to kindle|mail|both] [20 min] [in <section>]",
        "digest now|preview [<name>]",
        "digest pause [<name>] until 12 Aug",
        "digest resume|off|remove [<name>]",
        "digest rename <name> to <new name>",
        "digest list",
        "digest min_quality=40 max_articles=20 pictures=no empty=yes",
    ),
    details=(
        "What you do not say stays as it is: “digest 20 min” changes the reading time alone. Times are those of your "
        "own zone; see “settings”.\n\n"
        "With “in …” a section of your feeds gets a digest of its own: digest weekly sat 09:00 in Science. With "
        "“name=…” you have a second one of the same feeds, such as an evening paper: digest 19:00 name=Evening\n\n"
        "“min_quality” (0 to 100) keeps out what scores less (“why 3” tells a story's score), “max_articles” and a "
        "time such as “20 min” keep it short. An empty issue is not sent, unless you say empty=yes.\n\n"
        "“digest off” ends it until you write “digest resume”; nothing that you had comes a second time."
    ),
    aliases=(
        "my digest", "digests", "my digests", "list digests", "my paper", "newspaper", "my newspaper", "zeitung",
        "meine zeitung", "morgenzeitung", "periódico", "mi periódico",
    ),
    keys=("name", "section", "min_quality", "max_articles", "quality", "articles", "pictures", "empty"),
    max_words=24,
    reading_words=("", "list", "show", "preview"),
    trust=Trust.CHANGE,
    examples=(
        Example("digest weekdays 06:30 to kindle 20 min", "a short paper on workdays"),
        Example("digest weekly sat 09:00 in Science", "a paper of one section"),
        Example("digest now", "what is new, at once"),
        Example("digest pause until 12 Aug", "holidays; the first issue then has the best of it all"),
    ),
    group="News",
)  # fmt: skip

_VERBS: Mapping[str, tuple[str, ...]] = {
    "list": ("list", "show", "liste", "zeigen", "lista", "mostrar"),
    "now": ("now", "jetzt", "sofort", "ahora", "ya"),
    "preview": ("preview", "vorschau", "previa", "avance"),
    "pause": ("pause", "hold", "pausiere", "pausieren", "pausa", "pausar"),
    "resume": ("resume", "continue", "restart", "weiter", "fortsetzen", "reanudar", "seguir"),
    "off": (
        "off",
        "stop",
        "end",
        "cancel",
        "aus",
        "stopp",
        "stoppe",
        "stoppen",
        "beenden",
        "abbestellen",
        "apagar",
        "parar",
        "para",
        "detener",
        "cancelar",
    ),
    "remove": ("remove", "delete", "löschen", "lösche", "entfernen", "borrar", "borra", "eliminar"),
    "rename": ("rename", "umbenennen", "renombrar"),
}  # fmt: skip
_BEHIND = frozenset({"now", "preview", "resume", "off"})
"""Verbs that may stand behind the name: `digest tech off`."""
_VERB_OF = {fold(word): verb for verb, words in _VERBS.items() for word in words}
_SYNONYMS = {"quality": "min_quality", "articles": "max_articles"}
_IN = frozenset({"in", "en"})
_DAYTIMES = frozenset({"morning", "afternoon", "evening"})
_UNTIL = frozenset({"until", "till", "for", "bis", "fur", "hasta", "por"})
_TO = frozenset({"to", "in", "zu", "a", "->"})


def handle(request: Request) -> Answer:
    refuse_unknown_options(request.command, SPEC.keys)
    words, options = _unpacked(request)
    if not words and not options:
        return _show(request)
    verb, rest = _verb(words)
    if verb is not None and not options:
        return _ACTS[verb](request, rest)
    return _order(request, list(words), options)


def _unpacked(request: Request) -> tuple[tuple[str, ...], dict[str, str]]:
    """Words and options. A number or a yes is one word: what stands behind it is about the times again."""
    words, options = list(request.command.words), {}
    for key, value in request.command.options.items():
        key = _SYNONYMS.get(key, key)
        first, _, behind = value.partition(" ")
        is_text = key in ("name", "section")
        options[key] = value if is_text else first
        words += [] if is_text else behind.split()
    return tuple(words), options


def _verb(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """What is to be done, and the other words; None for an order."""
    if words and tuple(map(fold, words)) in (("on",), ("an",)):
        return "resume", []
    if words and (verb := _VERB_OF.get(fold(words[0]))) is not None:
        return verb, list(words[1:])
    if len(words) > 1 and (verb := _VERB_OF.get(fold(words[-1]))) in _BEHIND:
        return verb, list(words[:-1])
    return None, list(words)


def _show(request: Request) -> Answer:
    mine = request.digests.of_user(request.user.id)
    if len(mine) > 1:
        return listed(request, mine)
    digest = request.digests.resolve(request.user.id)
    return shown(request, digest, title=digest.name)


def _list(request: Request, _words: list[str]) -> Answer:
    request.digests.resolve(request.user.id)  # who has none is told how to get one
    return listed(request, request.digests.of_user(request.user.id))


# Orders ----------------------------------------------------------------------------------------------------------


def _order(request: Request, words: list[str], options: dict[str, str]) -> Answer:
    words, section = _split_section(request, words)
    section = options.get("section", section)
    named, words = _named_first(request, words) if not section else (None, words)
    digest, is_new = _ordered(request, words, section=section, name=options.get("name", ""), named=named)
    _limit(request, digest, options)
    if is_new:
        return shown(
            request, digest, title=_("New: {digest}, {order}").format(digest=digest.name, order=order_of(digest))
        )
    said = (
        _("{digest} comes {order}").format(digest=digest.name, order=order_of(digest))
        if words
        else _("Changed: {what}").format(what=digest.name)
    )
    return shown(request, digest, title=said)


def _ordered(
    request: Request, words: list[str], *, section: str, name: str, named: Digest | None
) -> tuple[Digest, bool]:
    """The digest that is meant, with its new times; whether it is a new one. Raises `Unclear` and other `BotError`s."""
    mine = request.digests.of_user(request.user.id)
    found = named or next((one for one in mine if name and one.name_key == fold(name)), None)
    if found is None and section:
        found = next((one for one in mine if fold(one.section) == fold(section)), None)
    is_edition = name and not section and words  # another paper of the same feeds
    if found is None and not section and not is_edition and mine:
        found = mine[0]
    schedule = parse_schedule(" ".join(words), current=schedule_of(found) if found else None)
    if found is None:
        if section and not mine:  # what the section leaves has its own paper
            request.digests.order(request.user.id, Schedule(), name=_(DEFAULT_NAME))
        return request.digests.order(request.user.id, schedule, name=name, section=section), True
    if words:
        request.digests.change(found, schedule)
    if name and found.name_key != fold(name):
        request.digests.rename(found, name)
    return found, False


def _split_section(request: Request, words: list[str]) -> tuple[list[str], str]:
    """The words without `in <section>`, and the section. `7 in the morning` has none."""
    for place in range(len(words) - 2, -1, -1):
        behind = words[place + 1 :]
        is_daytime = fold(behind[0]) == "the" and len(behind) > 1 and fold(behind[1]) in _DAYTIMES
        if fold(words[place]) in _IN and not is_daytime:
            length = _section_length(request, behind)
            return words[:place] + behind[length:], " ".join(behind[:length])
    return words, ""


def _section_length(request: Request, behind: list[str]) -> int:
    """How many words the section has: times may follow it (`in Tech 07:00`)."""
    known = {fold(one.section) for one in request.news.all_of(request.user.id) if one.section}
    for length in range(len(behind), 0, -1):
        if fold(" ".join(behind[:length])) in known:
            return length
    for length in range(1, len(behind)):
        times = " ".join(behind[length:])
        if any(letter.isdigit() for letter in times) and _is_schedule(times):
            return length
    return len(behind)


def _is_schedule(words: str) -> bool:
    try:
        parse_schedule(words, current=None)
    except Unclear:
        return False
    return True


def _named_first(request: Request, words: list[str]) -> tuple[Digest | None, list[str]]:
    """`digest tech 07:00`: the digest that the first words name in full."""
    names = {one.name_key: one for one in request.digests.of_user(request.user.id)}
    for length in range(len(words), 0, -1):
        if (digest := names.get(fold(" ".join(words[:length])))) is not None:
            return digest, words[length:]
    return None, words


def _limit(request: Request, digest: Digest, options: Mapping[str, str]) -> None:
    request.digests.limit(
        digest,
        min_quality=_number(options, "min_quality"),
        max_articles=_number(options, "max_articles"),
        with_pictures=_choice(options, "pictures"),
        send_empty=_choice(options, "empty"),
    )


def _number(options: Mapping[str, str], key: str) -> int | None:
    if key not in options:
        return None
    text = options[key].rstrip(",;%")
    if not (text.isascii() and text.isdigit()):
        raise BadRequest(
            _("“{text}” is no number for {key}.").format(text=options[key], key=key),
            fix=_("Write for example: digest {key}=30").format(key=key),
        )
    return int(text[:9])


def _choice(options: Mapping[str, str], key: str) -> bool | None:
    return yes_or_no(key, options[key].rstrip(",;")) if key in options else None


# Acts ------------------------------------------------------------------------------------------------------------


def _meant(request: Request, words: list[str]) -> Digest:
    places = [place for place, word in enumerate(words[:-1]) if fold(word) in _IN]
    if not places:
        return meant_digest(request, words)
    section = " ".join(words[places[-1] + 1 :])
    try:
        return meant_digest(request, words[: places[-1]], section=section)
    except NotFound:
        return meant_digest(request, (), section=section) if not places[-1] else meant_digest(request, words)


def _now(request: Request, words: list[str]) -> Answer:
    digest = _meant(request, words)
    request.digests.open_now(digest, cause=request.cause)
    return Answer(
        _("Making {digest}").format(digest=digest.name),
        (
            Paragraph(_("It has what is new since your last issue, and comes in a moment.")),
            Paragraph(_("If texts of its stories are still being fetched, it waits for them, a minute at most.")),
            Steps((Step(_("My digests"), "digest list"), Step(_("My feeds"), "feeds"))),
        ),
    )


def _preview(request: Request, words: list[str]) -> Answer:
    digest = _meant(request, words)
    request.work.defer(jobs.preview_issue(digest.id, user_id=request.user.id, cause=request.cause))
    return Answer(
        _("Looking at what stands in {digest}").format(digest=digest.name),
        (Paragraph(_("The list comes in a moment. Its next issue: {when}.").format(when=when_next(request, digest))),),
    )


def _pause(request: Request, words: list[str]) -> Answer:
    name, until = _split_until(request, words)
    digest = meant_digest(request, name)
    day = parse_until(until, today=request.now.astimezone(request.zone).date())
    request.digests.pause(digest, day)
    return Answer(
        _("{digest} is paused until {day}").format(digest=digest.name, day=dated(day, _("d MMMM yyyy"))),
        (
            Paragraph(_("Its first issue then: {when}.").format(when=due_in_words(request, digest))),
            *_others(request, digest),
            Steps(
                (Step(_("Resume it now"), f"digest resume {quoted(digest.name)}"), Step(_("My digests"), "digest list"))
            ),
        ),
    )


def _split_until(request: Request, words: list[str]) -> tuple[list[str], str]:
    """The name of a digest, and the day: divided by “until”, or by the words of a name that there is."""
    for place, word in enumerate(words):
        if fold(word) in _UNTIL:
            return words[:place], " ".join(words[place:])
    digest, rest = _named_first(request, words)
    return words[: len(words) - len(rest)] if digest else [], " ".join(rest)


def _others(request: Request, digest: Digest) -> tuple[Paragraph, ...]:
    others = [one.name for one in request.digests.of_user(request.user.id) if one.next_due_at and one is not digest]
    return (Paragraph(_("Still coming: {others}.").format(others=", ".join(others))),) if others else ()


def _resume(request: Request, words: list[str]) -> Answer:
    digest = _meant(request, words)
    request.digests.resume(digest)
    return shown(
        request,
        digest,
        title=_("{digest} comes again {order}").format(digest=digest.name, order=order_of(digest)),
    )


def _off(request: Request, words: list[str]) -> Answer:
    digest = _meant(request, words)
    request.digests.turn_off(digest)
    back = quoted(digest.name)
    return Answer(
        _("{digest} is off").format(digest=digest.name),
        (
            Paragraph(_("No issue of it comes until you resume it. Your feeds stay.")),
            *_others(request, digest),
            Steps(
                (
                    Step(_("Resume it"), f"digest resume {back}"),
                    Step(_("Only pause it"), f"digest pause {back} 2 weeks"),
                )
            ),
        ),
    )


def _remove(request: Request, words: list[str]) -> Answer:
    if not words:
        raise BadRequest(_("Which digest?"), fix=_("Name it: digest remove <name>"))
    digest = _meant(request, words)
    name, order, section = quoted(digest.name), schedule_of(digest).to_text(), digest.section
    request.digests.remove(digest)
    again = f"digest {order}" + (f" in {quoted(section)}" if section else f" name={name}")
    return Answer(
        _("Removed: {digest}").format(digest=digest.name),
        (
            Paragraph(
                _("What you had of it does not come again. Its feeds stay, and stand in your other digests.")
                if any(not other.section for other in request.digests.of_user(request.user.id))
                else _("What you had of it does not come again. Its feeds stay, and stand in no digest any more.")
            ),
            Steps((Step(_("Order it again"), again), Step(_("My digests"), "digest list"))),
        ),
    )


def _rename(request: Request, words: list[str]) -> Answer:
    places = [place for place, word in enumerate(words[:-1]) if fold(word) in _TO]
    if not places:
        raise BadRequest(_("What is its new name?"), fix=_("Write for example: digest rename Morning paper to Daily"))
    digest = meant_digest(request, words[: places[-1]])
    before = digest.name
    request.digests.rename(digest, " ".join(words[places[-1] + 1 :]))
    return shown(request, digest, title=_("{before} is now called {name}").format(before=before, name=digest.name))


_ACTS: Mapping[str, Callable[[Request, list[str]], Answer]] = {
    "list": _list,
    "now": _now,
    "preview": _preview,
    "pause": _pause,
    "resume": _resume,
    "off": _off,
    "remove": _remove,
    "rename": _rename,
}
