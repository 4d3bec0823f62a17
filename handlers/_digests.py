"""How digests look in answers, and which digest a command means."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from core.mail.answer import Answer, Block, Fact, Facts, Item, Items, Paragraph, Step, Steps
from core.models import Digest
from core.news.schedule import Target
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
    return request.digests.resolve(request.user.id, name)


def quoted(name: str) -> str:
    """A name as a command has it, in quotes where the grammar could divide it."""
    return name if _PLAIN.fullmatch(name) else f'"{name}"'


def order_of(digest: Digest) -> str:
    """`daily at 06:30 to mail and kindle, 20 min`"""
    return schedule_of(digest).to_text()


def when_next(request: Request, digest: Digest) -> str:
    """`Tue, 24 Nov at 06:30`, "off", or until when it is paused."""
    if digest.next_due_at is None:
        return "off"
    due = digest.next_due_at.astimezone(request.zone)
    paused = "paused, then " if digest.paused_until is not None else ""
    return f"{paused}{due:%a}, {due.day} {due:%b} at {due:%H:%M}"


def shown(request: Request, digest: Digest, *, title: str) -> Answer:
    """One digest, with all that can be said of it."""
    name = quoted(digest.name)
    facts = (
        Fact("When", order_of(digest)),
        Fact("Feeds", f"those in {digest.section}" if digest.section else "all that no other digest of yours has"),
        Fact("Next", when_next(request, digest)),
        Fact("Limits", limits_of(digest)),
    )
    turn = Step("Stop it", f"digest off {name}") if digest.next_due_at else Step("Resume", f"digest resume {name}")
    steps = (Step("A paper now", f"digest now {name}"), Step("Preview", f"digest preview {name}"), turn)
    return Answer(title, (Facts(facts), *_warnings(request, digest), Steps(steps)))


def limits_of(digest: Digest) -> str:
    parts = (
        f"at most {digest.max_articles} {'story' if digest.max_articles == 1 else 'stories'}",
        f"quality from {digest.min_quality} of 100",
        "" if digest.with_pictures else "no pictures",
        "comes even if it is empty" if digest.send_empty else "",
    )
    return ", ".join(part for part in parts if part)


def _warnings(request: Request, digest: Digest) -> list[Block]:
    said: list[Block] = []
    if digest.target != Target.MAIL and not request.kindle.devices(request.user.id):
        said.append(
            Paragraph("You have no device yet, so it comes by mail until you add one: kindle add <address>@kindle.com")
        )
    mine = request.news.all_of(request.user.id)
    if digest.section and not any(one.section.lower() == digest.section.lower() for one in mine):
        said.append(
            Paragraph(f"No feed of yours stands in {digest.section} yet: rename <feed> in {quoted(digest.section)}")
        )
    return said


def listed(request: Request, digests: Sequence[Digest]) -> Answer:
    """All digests of a reader, in the order whose numbers `digest off 2` means."""
    return Answer(
        f"Your digests: {len(digests)}",
        (
            Items(tuple(_item(request, *one) for one in enumerate(digests, start=1)), kind="digests"),
            Steps((Step("My feeds", "feeds"), Step("How it is done", "help digest"))),
        ),
    )


def _item(request: Request, number: int, digest: Digest) -> Item:
    name = quoted(digest.name)
    section = f"feeds in {digest.section}" if digest.section else ""
    parts = (order_of(digest), section, f"next: {when_next(request, digest)}" if digest.next_due_at else "off")
    turn = Step("Stop", f"digest off {name}") if digest.next_due_at else Step("Resume", f"digest resume {name}")
    return Item(
        number=number,
        title=digest.name,
        detail=" · ".join(part for part in parts if part),
        steps=(Step("Now", f"digest now {name}"), Step("Preview", f"digest preview {name}"), turn),
    )


def stopped_by_click(digest: Digest) -> Answer:
    """What is told to who has clicked “unsubscribe” in their mail program, or to whom somebody else has done it."""
    name = quoted(digest.name)
    return Answer(
        f"{digest.name} is off",
        (
            Paragraph("Your mail program asked for it, by the unsubscribe link of an issue. Your feeds stay."),
            Steps((Step("Resume it", f"digest resume {name}"), Step("My digests", "digest list"))),
        ),
    )


def preview_answer(preview: Mapping[str, Any], *, local: datetime) -> Answer:
    """What the next issue would hold. `preview` is what `bot.news.previews` keeps, `local` when it was made."""
    name, stories = quoted(preview["digest"]), preview["stories"]
    items = tuple(Item(number, story["title"], story["detail"]) for number, story in enumerate(stories[:MOST_SHOWN], 1))
    left_out, count = preview["left_out"], len(stories)
    told: list[Block] = [Paragraph(f"As of {local:%H:%M}. {preview['next']}")]
    if items:
        told.append(Items(items, kind="preview"))
    if count > MOST_SHOWN:
        told.append(Paragraph(f"And {count - MOST_SHOWN} more."))
    if left_out:
        told.append(Paragraph(f"{left_out} more did not fit its limits."))
    steps = (Step("Send it now", f"digest now {name}"), Step("My digests", "digest list"))
    what = f"{count} {'story' if count == 1 else 'stories'}, {preview['minutes']} min" if count else "nothing new yet"
    return Answer(f"{preview['digest']}: {what}", (*told, Steps(steps if items else steps[1:])))
