"""What goes again, in which form, after a refusal: the whole book, or the one part of it that was refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.books.kindle.order import LADDER, RECIPES
from core.errors import DamagedFile
from core.events import DeliveryRejected, NoRefusalSeen
from core.mail.notices import NoticeKind
from core.mail.outgoing import Identity
from core.models import AuditEntry, OutboxMail
from core.models.outbox import OutboxKind, OutboxState
from core.services import build_bus
from core.services.copies import Copies, CopyToMake, MadeCopy
from core.services.kindle_sync import KindleSyncService
from core.values import BookFormat
from core.work import Work
from tests.factories.rows import NOW, make_book, make_device, make_user, open_database

IDENTITY = Identity(address="books@inkpost.example", name="Inkpost")
VERSIONS = {name: recipe.version for name, recipe in RECIPES.items()}
PARTS = {"rule": "parts", "count": 1, "changes": [["", "the book goes in 3 parts"]]}


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Work]:
    with open_database(tmp_path / "library.db") as engine, Session(engine) as session:
        yield Work(session, NOW, build_bus(IDENTITY))


def sent(work: Work) -> OutboxMail:
    user = make_user(work.session, address="ada@reader.example")
    device = make_device(work.session, user, is_default=True)
    book = make_book(work.session, user)
    return KindleSyncService(work).send(user.id, book, device, cause="delivery:1", identity=IDENTITY)


def copies(work: Work) -> Copies:
    return Copies(work, identity=IDENTITY)


def wanted(work: Work, mail: OutboxMail) -> CopyToMake:
    found = copies(work).wanted(mail.id, version=VERSIONS, size_limit=None)
    assert found is not None
    return found


def made(work: Work, mail: OutboxMail, *, recipe: str = "minimal", parts: int = 1) -> list[OutboxMail]:
    """Has the mail carry a copy; the mails of all its parts, each accepted by the relay."""
    order = wanted(work, mail)
    assert order.recipe == recipe
    files = [
        MadeCopy(
            f"copies/{recipe}/{order.storage_key[-8:]}-{number}.epub",
            1000,
            BookFormat.EPUB,
            order.title + (f" ({number} of {parts})" if parts > 1 else ""),
        )
        for number in range(1, parts + 1)
    ]
    copies(work).keep(order, files, version=VERSIONS[recipe], fixes=(PARTS,))
    mine = sa.or_(OutboxMail.id == mail.id, OutboxMail.cause.startswith(f"{mail.cause}:part-"))
    mails = list(work.session.scalars(sa.select(OutboxMail).where(mine).order_by(OutboxMail.id)))
    for one in mails:
        one.state = OutboxState.ACCEPTED
    work.session.flush()
    return mails


def refused(work: Work, mail: OutboxMail) -> OutboxMail | None:
    """Amazon's E999; the mail that heals it."""
    mail.state, mail.notice = OutboxState.REJECTED, "E999"
    work.session.flush()
    work.emit(
        DeliveryRejected(
            user_id=mail.user_id, outbox_id=mail.id, reason=NoticeKind.REJECTED.value, code="E999", words="E999"
        )
    )
    return work.session.scalars(sa.select(OutboxMail).where(OutboxMail.cause == f"heal:{mail.id}")).one_or_none()


def notices(work: Work) -> list[str]:
    told = sa.select(OutboxMail.subject).where(OutboxMail.kind == OutboxKind.NOTICE).order_by(OutboxMail.id)
    return list(work.session.scalars(told))


def test_only_the_refused_part_goes_again_made_of_itself(work: Work) -> None:
    _, second, _ = made(work, sent(work), parts=3)

    healing = refused(work, second)

    assert healing is not None
    order = wanted(work, healing)
    assert (order.recipe, order.storage_key, order.title) == ("rebuilt", second.attachment_key, "Dune (2 of 3)")
    assert made(work, healing, recipe="rebuilt") == [healing]
    assert healing.subject == "Book: Dune (2 of 3)"
    assert healing.attachment_name == "Dune - Frank Herbert (2 of 3).epub"
    assert notices(work) == []


def test_part_is_healed_three_times_at_most_and_its_reader_is_told_once_for_all_parts(work: Work) -> None:
    first, second, _ = made(work, sent(work), parts=3)

    for part in (first, second):
        for recipe in LADDER[1:4]:
            healing = refused(work, part)
            assert healing is not None
            part = made(work, healing, recipe=recipe)[0]
        assert refused(work, part) is None

    (told,) = notices(work)
    assert told.startswith("“Dune (1 of 3)” did not get to")


def test_parts_that_were_mended_are_told_of_once(work: Work) -> None:
    for part in made(work, sent(work), parts=3)[:2]:
        healing = refused(work, part)
        assert healing is not None
        made(work, healing, recipe="rebuilt")
        work.emit(NoRefusalSeen(user_id=healing.user_id, outbox_id=healing.id))

    assert notices(work) == ["Mended and sent again: Dune (1 of 3)"]
    assert [facts["recipe"] for facts in AuditEntry.facts_of(work.session, "DeliveryMended")] == ["rebuilt"] * 2


def test_parts_of_a_healed_book_go_on_from_its_form(work: Work) -> None:
    healing = refused(work, made(work, sent(work))[0])
    assert healing is not None
    _, second = made(work, healing, recipe="rebuilt", parts=2)
    assert second.rung == 1

    again = refused(work, second)

    assert again is not None
    assert (again.rung, wanted(work, again).recipe, wanted(work, again).part_key) == (
        2, "retypeset", second.attachment_key,
    )  # fmt: skip


def test_copies_of_a_part_and_of_its_book_are_not_taken_for_each_other(work: Work) -> None:
    mail = sent(work)
    _, second = made(work, mail, parts=2)
    of_part = refused(work, second)
    assert of_part is not None
    made(work, of_part, recipe="rebuilt")
    of_book = replace(wanted(work, again(work, mail)), recipe="rebuilt")

    copies(work).keep(of_book, [MadeCopy("copies/whole.epub", 9, BookFormat.EPUB, "Dune")], version=1, fixes=())

    assert work.session.get_one(OutboxMail, of_book.outbox_id).attachment_key == "copies/whole.epub"


def again(work: Work, mail: OutboxMail) -> OutboxMail:
    """The same book, refused in one piece before it was in two."""
    other = refused(work, work.session.get_one(OutboxMail, mail.id))
    assert other is not None
    other.part_key = None
    return other


def test_form_that_cannot_be_made_is_passed_over(work: Work) -> None:
    healing = refused(work, made(work, sent(work))[0])
    assert healing is not None

    assert copies(work).refuse(wanted(work, healing), DamagedFile("it cannot be set anew")) is True

    assert (healing.state, wanted(work, healing).recipe) == (OutboxState.QUEUED, "retypeset")
    assert notices(work) == []


def test_refusal_is_told_when_no_form_can_be_made(work: Work) -> None:
    book = made(work, sent(work))[0]
    healing = refused(work, book)
    assert healing is not None

    outcomes = [copies(work).refuse(wanted(work, healing), DamagedFile("no")) for _ in LADDER[1:]]

    assert outcomes == [True, True, True, False]
    assert healing.state is OutboxState.FAILED
    (told,) = notices(work)
    assert told.startswith("“Dune” did not get to")


def test_book_that_was_never_refused_has_no_other_form_to_fall_back_on(work: Work) -> None:
    mail = sent(work)

    assert copies(work).refuse(wanted(work, mail), DamagedFile("It is damaged.")) is False

    assert mail.state is OutboxState.FAILED
    assert len(notices(work)) == 1
