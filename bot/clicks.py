"""“Unsubscribe” by one click (RFC 8058): a page on the web that ends a letter's digest by a POST, and nothing else.

It listens behind the operator's own web server, which speaks TLS, and on a port of its own: health and metrics are not
for the world.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from html import escape
from ipaddress import ip_address

import structlog
from aiohttp import web
from sqlalchemy.orm import Session

from bot.guards import EdgeGuard
from bot.news.one_click import stop_digest
from bot.news.refresh import Database
from bot.web import WebServer
from core.errors import Unavailable
from core.i18n import _, speaking
from core.mail.outgoing import Identity
from core.models import User
from core.news.one_click import ClickLinks
from core.references import new_reference
from core.services.digests import digest_of_letter
from core.work import Work

log = structlog.get_logger(__name__)

MOST_BYTES = 4096  # of a POST, which has one short field (RFC 8058 3.2)
RETRY_SECONDS = 60
_PUBLIC_URL = re.compile(r"https://[a-z0-9.-]+(:\d+)?(/[\w.~/-]*[\w.~-])?")
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
    "Referrer-Policy": "no-referrer",  # the address is the proof
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """The page that “unsubscribe” leads to in mail programs, where there is an https address for it."""

    public_url: str = ""
    """Where the world finds it: https://inkpost.example. A web server that speaks TLS hands on what it gets below
    /unsubscribe/. Where empty, letters offer to unsubscribe by mail alone."""
    host: str = "127.0.0.1"
    """Where it listens, if there is a public_url: the processes that take mail in."""
    port: int = 8026
    """Its port; 0 for any free one."""

    def __post_init__(self) -> None:
        if self.public_url and not _PUBLIC_URL.fullmatch(self.public_url):
            raise ValueError("public_url is an https address in lower case, without a slash at its end")


class ClickServer(WebServer):
    """`GET` shows a button, `POST` with `List-Unsubscribe=One-Click` ends the digest: once, however often it comes.

    No cookie, no login and no redirect (RFC 8058 3.2): the signed address is all of the proof.
    """

    def __init__(
        self, settings: HttpSettings, *, links: ClickLinks, database: Database, guard: EdgeGuard, identity: Identity
    ) -> None:
        self._links = links
        self._database = database
        self._guard = guard
        self._identity = identity
        app = web.Application(client_max_size=MOST_BYTES)
        place = "/unsubscribe/{reference}/{token}"
        app.add_routes([web.get(place, self._guarded(self._show)), web.post(place, self._guarded(self._stop))])
        super().__init__(app, host=settings.host, port=settings.port)

    def _guarded(
        self, answer: Callable[[web.Request, str], Awaitable[web.Response]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def guarded(request: web.Request) -> web.Response:
            if not self._guard.may_ask(_client(request, self._guard)):
                return _page(_("Too many requests"), status=429, retry=True)
            reference = self._links.reference(request.match_info["reference"], request.match_info["token"])
            if reference is None:
                return _page(_("There is no such page"), status=404)
            try:
                return await answer(request, reference)
            except Unavailable as error:
                log.warning("a click waits for the database", reason=str(error))
                return _page(_("Please try again in a minute"), status=503, retry=True)

        return guarded

    async def _show(self, request: web.Request, reference: str) -> web.Response:
        """Mail services look at links before people do: nothing happens here."""
        asked = await self._database.in_read(lambda session: _Asked.of(session, reference))
        with speaking(asked.language):
            if not asked.is_on:
                return _page(_("{digest} is off").format(digest=asked.name))
            return _page(_("Stop {digest}?").format(digest=asked.name), button=_("Stop it"))

    async def _stop(self, request: web.Request, reference: str) -> web.Response:
        fields: Mapping[str, object] = await request.post()
        if fields.get("List-Unsubscribe") != "One-Click":
            return _page(_("There is nothing to do"), status=400)
        asked = await self._database.in_work(lambda work: self._obey(work, reference))
        with speaking(asked.language):
            return _page(_("{digest} is off").format(digest=asked.name))

    def _obey(self, work: Work, reference: str) -> _Asked:
        asked = _Asked.of(work.session, reference)
        if stop_digest(work, reference, identity=self._identity, cause=f"stopped:{new_reference()}") is not None:
            log.info("digest stopped by a click", letter=reference)
        return asked


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a page says of the digest that it is about. One that was removed since is as good as off."""

    name: str
    is_on: bool
    language: str

    @classmethod
    def of(cls, session: Session, reference: str) -> _Asked:
        digest = digest_of_letter(session, reference)
        if digest is None:
            return cls(_("This digest"), is_on=False, language="en")
        user = session.get_one(User, digest.user_id)
        return cls(digest.name, is_on=digest.next_due_at is not None, language=user.language)


def _client(request: web.Request, guard: EdgeGuard) -> str | None:
    """Who asks: what a web server of ours says, else who connected. Others may write what they want there."""
    told = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    try:
        return str(ip_address(told)) if guard.is_trusted(request.remote) else request.remote
    except ValueError:  # nothing, or no address
        return request.remote


def _page(title: str, *, status: int = 200, button: str = "", retry: bool = False) -> web.Response:
    form = (
        f'<form method="post"><button name="List-Unsubscribe" value="One-Click">{escape(button)}</button></form>'
        if button
        else ""
    )
    text = (
        '<!DOCTYPE html><html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{form}</main></body></html>"
    )
    headers = {**_HEADERS, "Retry-After": str(RETRY_SECONDS)} if retry else _HEADERS
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8", headers=headers)


_STYLE = (
    ":root{color-scheme:light dark}main{max-width:30em;margin:4em auto;padding:0 1em;font-family:Georgia,serif}"
    "button{font:inherit;padding:.6em 1.4em}"
)
