"""How digests look in answers, and which digest a command means."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from core.i18n import _, dated, ngettext
from core.mail.answer import Answer, Block, Fact, Facts, Item, Items, Paragraph, Step, Steps
from core.mail.words import as_one_word
from core.models import Digest
from core.news.schedule import Target
from core.news.schedule_words import in_words
from core.references import parse_reference
from core.services.digests import schedule_of
from handlers._request import Request

MOST_SHOWN = 60  # stories of a preview, as many as a letter lists

_PLAIN = re.compile(r"[\w&'+.-]+(?: [\w&'+.-]+)*")


def meant_digest(request: Request, words: Sequence[str], *, section: str = "") -> Digest:
    """The digest of these words: its name, its section, its number in `digest list`; behind “in” also the reference of
    one of its letters; the first one for none. Raises `NotFound`."""
    reference = parse_reference(section)
    if reference is not None and (digest := request.digests.of_issue(reference, user_id=request.user.id)) is not None:
        return digest
    name = " ".join([*words, "in", section] if section and words else [*words, section])
    return request.digests.resolve(request.user.id, name.strip())


def quoted(name: str) -> str:
    """A name as a command has it, in quotes where the grammar could divide it."""
    return name if _PLAIN.fullmatch(name) else as_one_word(name)


def order_of(digest: Digest) -> str:
    """`daily at 06:30 to mail and kindle, 20 min`, in the reader's language."""
    return in_words(schedule_of(digest))


def when_next(request: Request, digest: Digest) -> str:
    """`Tue, 24 Nov at 06:30`, "off", or until when it is paused."""
    if digest.next_due_at is None:
        return _("off")
    due = due_in_words(request, digest)
    return _("paused, then {due}").format(due=due) if digest.paused_until is not None else due


def due_in_words(request: Request, digest: Digest) -> str:
    """`Tue, 24 Nov at 06:30`; "" for a digest that is off."""
    if digest.next_due_at is None:
        return ""
    return dated(digest.next_due_at.astimezone(request.zone), _("EEE, d MMM 'at' HH:mm"))


def shown(request: Request, digest: Digest, *, title: str) -> Answer:
    """One digest, with all that can be said of it."""
    name = quoted(digest.name)
    facts = (
        Fact(_("When"), order_of(digest)),
        Fact(
            _("Feeds"),
            _("those in {section}").format(section=digest.section)
            if digest.section
            else _("all that no digest of a section has"),
        ),
        Fact(_("Next"), when_next(request, digest)),
        Fact(_("Limits"), limits_of(digest)),
    )
    turn = (
        Step(_("Stop it"), f"digest off {name}") if digest.next_due_at else Step(_("Resume"), f"digest resume {name}")
    )
    steps = (Step(_("A paper now"), f"digest now {name}"), Step(_("Preview"), f"digest preview {name}"), turn)
    return Answer(title, (Facts(facts), *_warnings(request, digest), Steps(steps)))


def limits_of(digest: Digest) -> str:
    parts = (
        ngettext("at most {count} story", "at most {count} stories", digest.max_articles).format(
            count=digest.max_articles
        ),
        _("quality from {quality} of 100").format(quality=digest.min_quality),
        "" if digest.with_pictures else _("no pictures"),
        _("comes even if it is empty") if digest.send_empty else "",
    )
    return ", ".join(part for part in parts if part)


def _warnings(request: Request, digest: Digest) -> list[Block]:
    said: list[Block] = []
    if digest.target != Target.MAIL and not request.kindle.devices(request.user.id):
        said.append(
            Paragraph(
                _("You have no device yet, so it comes by mail until you add one: kindle add <address>@kindle.com")
            )
        )
    mine = request.news.all_of(request.user.id)
    if digest.section and not any(one.section.lower() == digest.section.lower() for one in mine):
        said.append(
            Paragraph(
                _("No feed of yours stands in {section} yet: rename <feed> in {quoted}").format(
                    section=digest.section, quoted=quoted(digest.section)
                )
            )
        )
    return said


def listed(request: Request, digests: Sequence[Digest]) -> Answer:
    """All digests of a reader, in the order whose numbers `digest off 2` means."""
    return Answer(
        _("Your digests: {count}").format(count=len(digests)),
        (
            Items(tuple(_item(request, *one) for one in enumerate(digests, start=1)), kind="digests"),
            Steps((Step(_("My feeds"), "feeds"), Step(_("How it is done"), "help digest"))),
        ),
    )


def _item(request: Request, number: int, digest: Digest) -> Item:
    name = quoted(digest.name)
    section = _("feeds in {section}").format(section=digest.section) if digest.section else ""
    next_one = _("next: {when}").format(when=when_next(request, digest)) if digest.next_due_at else _("off")
    parts = (order_of(digest), section, next_one)
    turn = Step(_("Stop"), f"digest off {name}") if digest.next_due_at else Step(_("Resume"), f"digest resume {name}")
    return Item(
        number=number,
        title=digest.name,
        detail=" · ".join(part for part in parts if part),
        command=f"digest preview {name}",
        steps=(Step(_("Now"), f"digest now {name}"), Step(_("Preview"), f"digest preview {name}"), turn),
    )


def stopped_by_click(digest: Digest) -> Answer:
    """What is told to who has clicked “unsubscribe” in their mail program, or to whom somebody else has done it."""
    name = quoted(digest.name)
    return Answer(
        _("{digest} is off").format(digest=digest.name),
        (
            Paragraph(_("Your mail program asked for it, by the unsubscribe link of an issue. Your feeds stay.")),
            Steps((Step(_("Resume it"), f"digest resume {name}"), Step(_("My digests"), "digest list"))),
        ),
    )


def preview_answer(preview: Mapping[str, Any], *, local: datetime) -> Answer:
    """What the next issue would hold. `preview` is what `bot.news.previews` keeps, `local` when it was made."""
    name, stories = quoted(preview["digest"]), preview["stories"]
    items = tuple(Item(number, story["title"], story["detail"]) for number, story in enumerate(stories[:MOST_SHOWN], 1))
    left_out, count = preview["left_out"], len(stories)
    told: list[Block] = [Paragraph(_("As of {time}. {next}").format(time=f"{local:%H:%M}", next=preview["next"]))]
    if items:
        told.append(Items(items, kind="preview"))
    if count > MOST_SHOWN:
        told.append(Paragraph(_("And {count} more.").format(count=count - MOST_SHOWN)))
    if left_out:
        told.append(Paragraph(_("{count} more did not fit its limits.").format(count=left_out)))
    steps = (Step(_("Send it now"), f"digest now {name}"), Step(_("My digests"), "digest list"))
    many = ngettext("{count} story, {minutes} min", "{count} stories, {minutes} min", count)
    what = many.format(count=count, minutes=preview["minutes"]) if count else _("nothing new yet")
    return Answer(f"{preview['digest']}: {what}", (*told, Steps(steps if items else steps[1:])))
