"""One click on “unsubscribe” (RFC 8058), from the letter that offers it to the POST over a real socket."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from bot.check import check_everything
from bot.clicks import HttpSettings
from bot.config import Config
from bot.guards import EdgeSettings
from bot.mailbox import ReceivedMail
from bot.signing import DkimSettings
from core.models import Digest, User
from core.news.one_click import ClickLinks
from core.tokens import TokenSigner
from core.work import Work
from tests.factories.news import make_article, make_digest, make_subscription
from tests.support.service import DOMAIN, House, Person, open_house
from tests.support.signing import make_key

PUBLIC = "https://read.inkpost.test"
NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(
        tmp_path,
        clock=lambda: NOW,
        http=HttpSettings(public_url=PUBLIC, port=0),
        dkim=DkimSettings(private_key=SecretStr(make_key(bits=2048).pem.decode()), domain=DOMAIN),
        edge=EdgeSettings(requests="20 per minute"),
    ) as opened:
        yield opened


@pytest.fixture
async def ada(house: House) -> Person:
    return await house.person("ada@reader.test", name="Ada")


async def letter(house: House, ada: Person) -> ReceivedMail:
    """What “digest now” brings, with a story in it."""

    def fill(work: Work) -> None:
        user = work.session.scalars(sa.select(User)).one()
        subscription = make_subscription(work.session, user)
        make_article(work.session, subscription.feed)
        make_digest(work.session, user, name="Züge & mehr", next_due_at=NOW + timedelta(days=1))

    await house.app.engine.in_work(fill)
    await ada.writes("digest now")
    await house.settle()
    (found,) = [mail for mail in house.world.mails if "List-Id" in mail.message]
    return found


def link(house: House, mail: ReceivedMail) -> str:
    """The https address of a letter, as the operator's web server hands it on."""
    found = re.search(rf"<{re.escape(PUBLIC)}(/unsubscribe/[^>]+)>", str(mail.message["List-Unsubscribe"]))
    assert found is not None, mail.message["List-Unsubscribe"]
    assert house.app.clicks is not None
    return f"http://127.0.0.1:{house.app.clicks.port}{found[1]}"


async def ask(method: str, url: str, fields: dict[str, str] | None = None, **headers: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, data=fields, headers=headers, allow_redirects=False) as answer,
    ):
        return answer.status, await answer.text()


async def is_on(house: House) -> bool:
    due = await house.app.engine.in_read(lambda session: session.scalars(sa.select(Digest.next_due_at)).one())
    return due is not None


async def test_letter_offers_both_ways_and_its_signature_covers_them(house: House, ada: Person) -> None:
    mail = await letter(house, ada)

    ways = str(mail.message["List-Unsubscribe"])
    signed = re.search(r"h=([^;]+);", str(mail.message["DKIM-Signature"]))
    assert ways.startswith("<mailto:")
    assert mail.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert signed is not None
    assert {"list-unsubscribe", "list-unsubscribe-post"} <= {name.strip().lower() for name in signed[1].split(":")}
    assert len(link(house, mail)) > 60


async def test_post_ends_the_digest_once_and_its_reader_is_told_once(house: House, ada: Person) -> None:
    url = link(house, await letter(house, ada))
    before = len(house.world.mails)

    answers = [await ask("POST", url, CLICK) for _ in range(3)]
    await house.settle()

    assert [status for status, _ in answers] == [200, 200, 200]
    assert all("Züge &amp; mehr is off" in page for _, page in answers)
    assert not await is_on(house)
    (told,) = house.world.mails[before:]
    assert (told.rcpt_to, told.message["Subject"]) == (ada.address, "Züge & mehr is off")


async def test_look_at_the_page_does_nothing(house: House, ada: Person) -> None:
    url = link(house, await letter(house, ada))

    status, page = await ask("GET", url)
    await ask("HEAD", url)

    assert status == 200
    assert "Stop Züge &amp; mehr?" in page
    assert '<form method="post"><button name="List-Unsubscribe" value="One-Click">' in page
    assert await is_on(house)


async def test_post_that_is_no_click_does_nothing(house: House, ada: Person) -> None:
    url = link(house, await letter(house, ada))

    statuses = [
        (await ask("POST", url, {"List-Unsubscribe": "yes"}))[0],
        (await ask("POST", url))[0],
        (await ask("POST", url, {"List-Unsubscribe": "x" * 10_000}))[0],
        (await ask("DELETE", url))[0],
    ]

    assert statuses == [400, 400, 413, 405]
    assert await is_on(house)


async def test_address_that_we_did_not_make_is_no_page(house: House, ada: Person) -> None:
    url = link(house, await letter(house, ada))
    forged = ClickLinks(PUBLIC, TokenSigner(b"x" * 32)).url(url.split("/")[4]).removeprefix(PUBLIC)
    base = url.partition("/unsubscribe/")[0]

    wrong = (base + forged, url[:-1] + ("a" if url[-1] != "a" else "b"), f"{url}/", f"{base}/", f"{base}/metrics")
    found = [(await ask("POST", one, CLICK))[0] for one in wrong]

    assert found == [404] * 5
    assert await is_on(house)


async def test_client_that_asks_too_often_is_put_off_and_others_are_not(house: House, ada: Person) -> None:
    url = link(house, await letter(house, ada))
    wrong = f"{url[:-4]}aaaa"

    guesses = [(await ask("POST", wrong, CLICK, **{"X-Forwarded-For": "203.0.113.9"}))[0] for _ in range(22)]
    late = await ask("POST", url, CLICK, **{"X-Forwarded-For": "198.51.100.1, 203.0.113.9"})
    other = await ask("POST", url, CLICK, **{"X-Forwarded-For": "203.0.113.9, 198.51.100.1"})

    assert guesses == [404] * 20 + [429] * 2
    assert (late[0], other[0]) == (429, 200)


async def test_letter_without_an_https_address_offers_a_mail_alone(tmp_path: Path) -> None:
    async with open_house(tmp_path, clock=lambda: NOW) as house:
        mail = await letter(house, await house.person("ada@reader.test", name="Ada"))

        assert house.app.clicks is None
        assert "https" not in str(mail.message["List-Unsubscribe"])
        assert "List-Unsubscribe-Post" not in mail.message


@pytest.mark.parametrize("url", ["http://inkpost.test", "https://inkpost.test/", "https://a b", "https://x/?q", "x"])
def test_address_that_is_not_https_is_a_mistake(url: str) -> None:
    with pytest.raises(ValueError, match="https address"):
        HttpSettings(public_url=url)


async def test_check_says_when_nothing_signs_the_letters(tmp_path: Path) -> None:
    config = Config(data_dir=tmp_path, http=HttpSettings(public_url=PUBLIC))

    problems = {finding.name: finding.problem for finding in await check_everything(config)}

    assert "nothing signs our letters" in str(problems["one click"])
