"""Leaving a newsletter by one click: a POST over TLS to a server of the test's, and what its reader is told of it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import web

from bot.fetch import FetchSettings, HttpFetcher
from bot.leaving import ListLeaver
from core.models import Newsletter
from core.services.newsletters import Newsletters
from core.tokens import TokenSigner
from core.work import Work
from tests.support.certificates import make_certificate
from tests.support.newsroom import IDENTITY, Newsroom, open_newsroom
from tests.support.web_server import Loopback, WebServer

SIGNER = TokenSigner(b"k" * 32)


class Office(Newsroom):
    """A newsroom with a server of a mailing list, and who asks it."""

    server: WebServer
    leaver: ListLeaver
    said: list[tuple[str, str, str]]
    """Method, media type and body of what the server was asked."""

    async def newsletter(self, url: str) -> int:
        user_id = await self.reader("ada")

        def make(work: Work) -> int:
            made = Newsletters(work).create(user_id, name="The Daily", signer=SIGNER)
            made.one_click_url = url
            return made.id

        return await self.do(make)

    async def left(self, newsletter_id: int) -> bool:
        one = await self.engine.in_read(lambda session: session.get_one(Newsletter, newsletter_id))
        return one.left_at is not None


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    file, trust = make_certificate(tmp_path, "daily.test")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    async with AsyncExitStack() as stack:
        room = await stack.enter_async_context(open_newsroom(tmp_path))
        office = Office(room.engine, room.refresher, room.clock)
        office.server = await stack.enter_async_context(WebServer(tls=context))
        fetcher = HttpFetcher(FetchSettings(allow_private=True), resolver=Loopback(), tls=trust)
        stack.push_async_callback(fetcher.close)
        office.leaver = ListLeaver(database=room.engine, poster=fetcher, identity=IDENTITY)
        office.said = []
        yield office


def listens(office: Office, path: str, *, status: int = 202) -> str:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        office.said.append((request.method, request.content_type, await request.text()))
        return web.Response(status=status, headers={"Location": "/elsewhere"} if status == 302 else {})

    office.server.put(path, answer)
    return office.server.url(path, host="daily.test")


async def test_one_post_as_the_rfc_has_it_and_the_reader_is_told(office: Office) -> None:
    newsletter_id = await office.newsletter(listens(office, "/off?u=7"))

    await office.leaver.leave(newsletter_id=newsletter_id, cause="MAIL:1")
    await office.leaver.leave(newsletter_id=newsletter_id, cause="MAIL:1")

    assert office.said == [("POST", "application/x-www-form-urlencoded", "List-Unsubscribe=One-Click")] * 2
    assert [mail.subject for mail in await office.notices()] == ["The Daily was asked to stop"]
    assert await office.left(newsletter_id)


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_refusal_and_redirect_are_told_and_not_followed(office: Office, status: int) -> None:
    newsletter_id = await office.newsletter(listens(office, "/off", status=status))

    await office.leaver.leave(newsletter_id=newsletter_id, cause="MAIL:1")

    assert [seen.path for seen in office.server.requests()] == ["/off"]
    (told,) = await office.notices()
    assert told.subject.startswith("The Daily could not be asked to stop.")
    assert not await office.left(newsletter_id)


async def test_private_address_is_not_asked(tmp_path: Path, office: Office) -> None:
    newsletter_id = await office.newsletter("https://127.0.0.1/off")
    fetcher = HttpFetcher(FetchSettings())
    leaver = ListLeaver(database=office.engine, poster=fetcher, identity=IDENTITY)

    await leaver.leave(newsletter_id=newsletter_id, cause="MAIL:1")
    await fetcher.close()

    (told,) = await office.notices()
    assert "is not a public address" in told.subject
