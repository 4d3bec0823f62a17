"""The real service in the test's own loop, with a mailbox on the loopback for the outside world."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import make_msgid
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib

from bot.app import App, open_app
from bot.config import Config, ServiceSettings
from bot.dns import DnsSettings
from bot.health import HealthSettings
from bot.intake.smtp_settings import SmtpSettings
from bot.logs import LogSettings, set_up_logs
from bot.mailbox import LoopbackMailbox, ReceivedMail
from bot.opening import DATABASE, Clock, migrate, open_database, utc_now
from bot.pace import PaceSettings
from bot.serve import running
from bot.transport import RelaySettings, Security
from core.limits import UserLimits
from core.services.accounts import Accounts
from tests.support.fork_server import keep_fork_server
from tests.support.names import Zone, name_server
from tests.support.schema import new_database

DOMAIN = "inkpost.test"
BOT = f"books@{DOMAIN}"
ANSWER_SECONDS = 90.0


def service_config(folder: Path, *, relay_port: int, **overrides: Any) -> Config:
    """The embedded default on free ports of the loopback."""
    config = Config(
        data_dir=folder / "data",
        service=ServiceSettings(domain=DOMAIN),
        smtp=SmtpSettings(port=0),
        relay=RelaySettings(host="127.0.0.1", port=relay_port, security=Security.PLAIN),
        pace=PaceSettings(interval_seconds={}, per_minute={}),
        limits=UserLimits(commands_an_hour=0, uploads_a_minute=0),
        health=HealthSettings(port=0),
        log=LogSettings(level="warning"),
    )
    return replace(config, **overrides)


@dataclass
class Person:
    """Somebody who writes to Inkpost, at their secret address, and reads what comes back."""

    house: House
    address: str
    secret: str
    answers: int = 0

    @property
    def bot_address(self) -> str:
        return f"books+{self.secret}@{DOMAIN}"

    async def writes(
        self,
        subject: str,
        body: str = "",
        *,
        attach: Sequence[tuple[str, bytes]] = (),
        to: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """One mail over SMTP; returns when the service has said 250."""
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self.address, to or self.bot_address, subject
        mail["Date"], mail["Message-ID"] = datetime.now(UTC), make_msgid(domain="reader.test")
        for name, value in (headers or {}).items():
            mail[name] = value
        mail.set_content(body)
        for name, content in attach:
            mail.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
        await self.house.send(mail, mail_from=self.address, rcpt_to=to or self.bot_address)

    async def answer(self) -> Answered:
        """The next answer that was not read yet."""
        self.answers += 1
        mail = await self.house.world.wait_for(self.address, count=self.answers, timeout_seconds=ANSWER_SECONDS)
        return Answered(mail)

    async def asks(self, subject: str, body: str = "", **more: Any) -> Answered:
        """Write, and wait for the answer."""
        await self.writes(subject, body, **more)
        return await self.answer()

    async def replies(self, answer: Answered, body: str) -> Answered:
        """Write back to an answer, as a mail program does it."""
        message = answer.message
        quote = "\n".join(f"> {line}" for line in answer.text.splitlines())
        return await self.asks(
            f"Re: {message['Subject']}",
            f"{body}\n\nOn Monday Inkpost wrote:\n{quote}\n",
            to=answer.reply_to,
            headers={"In-Reply-To": message["Message-ID"], "References": message["Message-ID"]},
        )

    async def taps(self, answer: Answered, label: str, *, near: str = "") -> Answered:
        """Tap a link of an answer, and press send. `near`: the first such link behind this text."""
        tap = answer.tap(label, near=near)
        return await self.asks(tap.subject, tap.body, to=tap.address)


@dataclass(frozen=True)
class Tap:
    """What a mail program writes when a `mailto:` link is tapped (RFC 6068)."""

    label: str
    address: str
    subject: str
    body: str


@dataclass(frozen=True)
class Answered:
    """An answer as its reader has it."""

    mail: ReceivedMail

    @property
    def message(self) -> EmailMessage:
        return self.mail.message

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        return self._part("plain")

    @property
    def html(self) -> str:
        return self._part("html")

    @property
    def reply_to(self) -> str:
        return str(self.message["Reply-To"].addresses[0].addr_spec)

    def tap(self, label: str, *, near: str = "") -> Tap:
        """The link with this label, of those behind the text `near` the first."""
        html = self.html
        start = html.index(near)
        found = [tap for place, tap in _taps_in(html) if place >= start and tap.label == label]
        assert found, f"nothing called {label!r} to tap behind {near!r} in {[tap.label for _, tap in _taps_in(html)]}"
        return found[0]

    def _part(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        assert part is not None, f"no {kind} part"
        content = part.get_content()
        assert isinstance(content, str)
        return content


def _taps_in(html: str) -> list[tuple[int, Tap]]:
    """Each link that writes a mail, with its place."""
    taps = []
    for link in re.finditer(r'<a\b[^>]*href="(mailto:[^"]*)"[^>]*>(.*?)</a>', html, re.DOTALL):
        url = urlsplit(unescape(link[1]))
        fields = parse_qs(url.query, keep_blank_values=True, strict_parsing=True)
        label = " ".join(unescape(re.sub("<[^>]*>", " ", link[2])).split())
        tap = Tap(label, unquote(url.path), fields["subject"][0], fields.get("body", [""])[0])
        taps.append((link.start(), tap))
    return taps


@dataclass
class House:
    """The service and the world around it."""

    app: App
    world: LoopbackMailbox

    async def person(self, address: str = "ada@reader.test", *, is_new: bool = False, **settings: Any) -> Person:
        """Somebody who has written before, unless they are new."""

        def add(work: Any) -> str:
            user, secret = Accounts(work).add_user(address, **settings)
            user.first_mail_at = None if is_new else work.now
            return secret

        return Person(self, address, await self.app.engine.in_work(add))

    async def send(self, mail: EmailMessage, *, mail_from: str, rcpt_to: str) -> None:
        await aiosmtplib.send(
            mail,
            sender=mail_from,
            recipients=[rcpt_to],
            hostname="127.0.0.1",
            port=self.app.smtp_port,
            start_tls=False,
        )

    async def settle(self, *, timeout_seconds: float = ANSWER_SECONDS) -> None:
        """Wait until no job is left: whatever was to be done is done."""
        async with asyncio.timeout(timeout_seconds):
            while await asyncio.to_thread(self.app.engine.count_jobs):
                await asyncio.sleep(0.02)


@asynccontextmanager
async def open_house(
    folder: Path, *, zone: Zone | None = None, clock: Clock = utc_now, **overrides: Any
) -> AsyncIterator[House]:
    """A new service in `folder`, running; `overrides` are sections of its configuration. It asks a name server that
    knows `zone` and nothing else."""
    world = LoopbackMailbox(folder / "world")
    set_up_logs(LogSettings(level="warning", style="console"), stream=sys.stderr)
    async with name_server(zone or {}) as names:
        dns = DnsSettings(servers=("127.0.0.1",), port=names.port, timeout_seconds=0.5, deadline_seconds=1.0)
        config = service_config(folder, relay_port=await world.open(), **{"dns": dns, **overrides})
        if config.database_url or (config.data_dir / DATABASE).exists():  # one that was restored
            database = open_database(config)
            migrate(database)
            database.dispose()
        else:
            new_database(config.data_dir / DATABASE).dispose()
        keep_fork_server()
        try:
            async with open_app(config, clock=clock) as app, running(app):
                yield House(app, world)
        finally:
            await world.close()
