"""A household by mail: an invitation, a shared book, everything taken out, and one of them forgotten."""

from __future__ import annotations

import io
import json
import re
import zipfile
from email.message import EmailMessage
from pathlib import Path

import pytest
import sqlalchemy as sa

import bot.takeouts
from core.models import Book, User
from core.models.user import UserRole
from core.services.accounts import Accounts
from core.work import Work
from tests.factories.books import make_epub
from tests.factories.everything import everything_kept
from tests.support.service import Answered, House, Person, open_house

BOB = "bob@reader.test"


def archives(mails: list[EmailMessage]) -> list[zipfile.ZipFile]:
    parts = [part for mail in mails for part in mail.iter_attachments()]
    return [zipfile.ZipFile(io.BytesIO(part.get_content())) for part in parts]


async def administrator(house: House) -> Person:
    ada = await house.person("ada@reader.test", name="Ada")

    def promote(work: Work) -> None:
        accounts = Accounts(work)
        accounts.set_role(accounts.find(ada.address).id, UserRole.ADMINISTRATOR)

    await house.app.engine.in_work(promote)
    return ada


async def test_household_from_the_invitation_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One house for all of it, since each takes seconds to open."""
    monkeypatch.setattr(bot.takeouts, "MAIL_BYTES", 60_000)
    async with open_house(tmp_path) as house:
        ada = await administrator(house)

        # An invitation, and the first mail of who got it: to the secret address that stands in it.
        assert "Invited: bob@reader.test" in (await ada.asks(f"invite {BOB} Bob")).text
        invitation = Answered(await house.world.wait_for(BOB))
        assert invitation.subject == "Ada invites you to Inkpost"
        (secret,) = set(re.findall(r"books\+([a-z2-9]{16})@inkpost\.test", invitation.text))
        bob = Person(house, BOB, secret, answers=1)
        assert "books" in (await bob.asks("help")).text
        assert "invite" not in (await bob.asks("help")).text
        assert "I do not know what" in (await bob.asks("users")).text

        # A book of one is a book of both, over one blob.
        dune = make_epub(title="Dune", text="Sand. " * 2000)
        await ada.asks("", attach=[("dune.epub", dune)])
        await ada.asks("share dune with bob")
        assert (await bob.answer()).subject == "Ada shares a book with you: Dune"
        assert "On “Deserts”: 1 book" in (await bob.asks("shelf dune on Deserts", "shelf deserts")).text
        assert len(list(house.app.blobs.list("books/"))) == 1

        # Everything of one, in archives.
        await bob.asks("", attach=[("emma.epub", make_epub(title="Emma"))])
        await bob.asks("export all")
        notice = await bob.answer()
        assert notice.subject.startswith("Your data")
        await house.settle()
        parcels = [
            mail.message for mail in house.world.mails if mail.rcpt_to == BOB and "of" in mail.message["Subject"]
        ]
        parcels = [mail for mail in parcels if list(mail.iter_attachments())]
        names = {name: archive.read(name) for archive in archives(parcels) for name in archive.namelist()}
        assert dune in names.values()
        assert json.loads(names["settings.json"])["address"] == BOB
        assert {row["title"] for row in json.loads(names["rows/book-1.json"])} == {"Dune", "Emma"}
        assert any(name.startswith("mails/") for name in names)
        assert all(len(mail.raw) <= 60_000 for mail in house.world.mails if mail.rcpt_to == BOB)
        bob.answers += len(parcels)

        # And the end of one: asked back, and then nothing is left but that it was.
        asked = await bob.asks("forget me")
        assert "It cannot be undone" in asked.text
        (word,) = set(re.findall(r"confirm [a-z2-7]{32}", asked.text))
        assert "You are forgotten" in (await bob.asks(word)).text
        await house.settle()
        kept = [line for line in (await house.app.engine.in_read(everything_kept)).splitlines() if BOB in line]
        # Ada's own mails say whom she has invited.
        assert [line for line in kept if not re.search(r"invite|Invited|From: ada@|To: ada@", line)] == []
        users = await house.app.engine.in_read(lambda session: session.scalars(sa.select(User.address)).all())
        assert len(users) == 2
        assert await house.app.engine.in_read(lambda session: session.scalars(sa.select(Book.title)).all()) == ["Dune"]

        # The next rounds of upkeep delete his blobs, and not the one that she has too.
        for _ in range(2):
            await house.app.upkeep.round()
        kept = [blob.key.partition("/")[0] for blob in house.app.blobs.list()]
        assert sorted(set(kept)) == ["books"]
        assert kept.count("books") == 1
        assert [job.task for job in house.app.engine.list_jobs()] == []
