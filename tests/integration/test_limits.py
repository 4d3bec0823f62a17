"""Limits of one user, over real sockets, with a clock that the test moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.cli.inbox import show
from core.limits import UserLimits
from core.models import Inbound
from core.models.inbound import InboundState
from tests.factories.books import make_epub
from tests.support.service import House, open_house


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 6, 20, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


async def ledger(house: House) -> list[tuple[str, str]]:
    """What became of each mail and why, oldest first."""
    mails = sa.select(Inbound).order_by(Inbound.id)
    rows = await house.app.engine.in_read(lambda session: list(session.scalars(mails)))
    assert {row.state for row in rows} == {InboundState.DONE}
    return [(row.outcome, row.reason) for row in rows]


async def test_mails_over_an_hours_commands_have_one_answer_that_says_when_it_opens(tmp_path: Path) -> None:
    clock = Clock()
    async with open_house(tmp_path, clock=clock, limits=UserLimits(commands_an_hour=2)) as house:
        ada = await house.person("ada@reader.test", timezone="Europe/Berlin")
        bob = await house.person("bob@reader.test")
        await ada.asks("list", "stats")
        refused = await ada.asks("kindle add ada@kindle.com")
        for _ in range(3):
            await ada.writes("list")
        await house.settle()

        assert "more than 2 commands an hour" in refused.text
        assert "opens again at 23 Nov 2026, 08:00 (Europe/Berlin)" in refused.text
        assert len(house.world.mails) == 2, "the others are met with silence"
        rows = await ledger(house)
        assert [outcome for outcome, _ in rows] == ["answered", *["limited"] * 4]
        assert rows[1][1] == "more than 2 commands an hour, until 2026-11-23 07:00 UTC"
        assert "has said so" in rows[2][1]

        assert "Your library is empty" in (await bob.asks("list")).text
        clock.now += timedelta(minutes=40)
        assert "no device" in (await ada.asks("kindle list")).text.lower(), "nothing was done of what was refused"


async def test_mail_that_was_turned_away_may_come_again_as_it_was(tmp_path: Path) -> None:
    clock = Clock()
    async with open_house(tmp_path, clock=clock, limits=UserLimits(commands_an_hour=1)) as house:
        ada = await house.person("ada@reader.test")
        await ada.asks("list")
        stats = EmailMessage()
        stats["From"], stats["To"], stats["Subject"] = ada.address, ada.bot_address, "stats"
        stats["Date"], stats["Message-ID"] = clock.now, "<stats@reader.test>"
        for count in (2, 2, 3):
            await house.send(stats, mail_from=ada.address, rcpt_to=ada.bot_address)
            await house.settle()
            assert len(house.world.mails) == count
            clock.now += timedelta(minutes=20)

        assert [outcome for outcome, _ in await ledger(house)] == ["answered", "limited", "limited", "answered"]


async def test_operator_sees_why_there_was_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with open_house(tmp_path, clock=Clock(), limits=UserLimits(commands_an_hour=1)) as house:
        ada = await house.person("ada@reader.test")
        for _ in range(3):
            await ada.writes("list")
        await house.settle()
        mails = sa.select(Inbound.reference).order_by(Inbound.id.desc())
        last = await house.app.engine.in_read(lambda session: session.scalars(mails).first())
    assert last is not None
    monkeypatch.setenv("INKPOST_DATA_DIR", str(tmp_path / "data"))

    show(last)

    told = " ".join(capsys.readouterr().out.split())
    assert "outcome limited why more than 1 command an hour, until 2026-11-23 07:00 UTC; " in told
    assert "has said so" in told


async def test_books_over_a_minutes_uploads_are_not_taken_in(tmp_path: Path) -> None:
    clock = Clock()
    async with open_house(tmp_path, clock=clock, limits=UserLimits(uploads_a_minute=1)) as house:
        ada = await house.person("ada@reader.test")
        await ada.asks("", attach=[("one.epub", make_epub(title="First"))])
        refused = await ada.asks("", attach=[("two.epub", make_epub(title="Second"))])

        assert "more than 1 file a minute" in refused.text
        assert "06:21" in refused.text
        listed = (await ada.asks("list")).text
        assert "First" in listed
        assert "Second" not in listed
        clock.now += timedelta(minutes=1)
        assert "Added: Second" in (await ada.asks("", attach=[("two.epub", make_epub(title="Second"))])).text


async def test_books_over_a_days_bytes_and_over_the_library_are_not_taken_in(tmp_path: Path) -> None:
    clock = Clock()
    limits = UserLimits(stored_bytes_a_day=1000, library_books=2)
    async with open_house(tmp_path, clock=clock, limits=limits) as house:
        ada = await house.person("ada@reader.test")
        await ada.asks("", attach=[("one.epub", make_epub(title="First"))])
        refused = await ada.asks("", attach=[("two.epub", make_epub(title="Second"))])
        assert "more than 1 kB of books a day" in refused.text
        assert "24 Nov 2026, 00:00" in refused.text

        clock.now += timedelta(days=1)
        await ada.asks("", attach=[("two.epub", make_epub(title="Second"))])
        clock.now += timedelta(days=1)
        full = await ada.asks("", attach=[("three.epub", make_epub(title="Third"))])
        assert "Your library is full: it holds 2 of 2 books." in full.text
