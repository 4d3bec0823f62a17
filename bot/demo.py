"""`inkpost demo`: the real service on the loopback, and one person's story played to it over real SMTP."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import make_msgid
from pathlib import Path

import aiosmtplib
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from bot.app import App, open_app
from bot.config import Config, ServiceSettings
from bot.demo_site import DemoSite
from bot.fetch import FetchSettings
from bot.handbook import build_handbook
from bot.health import HealthSettings
from bot.intake.smtp_settings import SmtpSettings
from bot.logs import LogSettings, set_up_logs
from bot.mailbox import PATIENCE_SECONDS, LoopbackMailbox, ReceivedMail
from bot.opening import migrate, open_database
from bot.pace import PaceSettings
from bot.serve import running
from bot.transport import RelaySettings, Security
from core.news.check_paper import check_paper
from core.services.accounts import Accounts

READER = "ada@reader.example"
KINDLE = "ada_reader@kindle.com"


@dataclass
class Story:
    """Ada's afternoon: what she writes, and what she gets."""

    app: App
    world: LoopbackMailbox
    console: Console
    secret: str
    folder: Path
    answers: int = 0

    @property
    def bot_address(self) -> str:
        service = self.app.config.service
        return f"{service.mailbox}+{self.secret}@{service.domain}"

    async def play(self, handbook: Path) -> None:
        """Every line of it over SMTP; each mail is shown as it happens. Raises `TimeoutError` where no answer comes."""
        await self.write("", attach=handbook, aside="Ada mails a book in. No command: an attached book is enough.")
        await self.write("list", aside="What is in her library?")
        await self.write("find handbok", aside="She looks for it, with a slip of the finger.")
        await self.write(f"kindle add {KINDLE}", aside="She tells where her Kindle is.")
        await self.write("send handbook", aside="And sends the book there.")
        parcel = await self.world.wait_for(KINDLE)
        (book,) = parcel.message.iter_attachments()
        same = book.get_content() == await asyncio.to_thread(handbook.read_bytes)
        self.console.print(
            f"[bold]At the Kindle:[/] {escape(book.get_filename() or '')}, {book.get_content_type()}, "
            f"{'byte for byte what Ada mailed in' if same else 'NOT what Ada mailed in'}\n"
        )
        await self.write("status", aside="What became of it?")

    async def read_the_news(self, site: str) -> None:
        """The morning paper: a site on the loopback, a paper now, and a word about it. Raises `TimeoutError`."""
        await self.write(f"subscribe {site}", aside="Ada likes a site. She names its page; its feed is found.")
        await self.next_mail("And has been read:")
        await self.settle()  # the second story's full text is fetched from its page
        await self.write("digest weekdays 06:30 20 min", aside="From tomorrow on, with breakfast:")
        await self.write("digest now", aside="She is curious.")
        letter = await self.next_mail("The paper, as a mail:")
        parcel = await self.world.wait_for(KINDLE, count=2)
        (paper,) = parcel.message.iter_attachments()
        path = self.folder / (paper.get_filename() or "paper.epub")
        await asyncio.to_thread(path.write_bytes, paper.get_content())
        problems = await asyncio.to_thread(check_paper, path)
        self.console.print(
            f"[bold]The same at the Kindle:[/] {escape(path.name)}, {path.stat().st_size // 1024} kB, "
            f"{'a valid EPUB' if not problems else f'NOT valid: {problems}'}\n"
        )
        await self.write("more 1", reply_to=letter, aside="In reply to it: more like this.")

    async def stay(self) -> None:
        """Until Ctrl-C; whatever arrives is shown."""
        self.console.print(_HOW.format(port=self.app.smtp_port, reader=READER, bot=self.bot_address), markup=False)
        self.world.on_mail = self.show
        await asyncio.Event().wait()

    async def write(
        self, subject: str, *, attach: Path | None = None, reply_to: ReceivedMail | None = None, aside: str
    ) -> ReceivedMail:
        """Ada writes; the answer is shown and returned. A reply has its command in its text."""
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = f"Ada Reader <{READER}>", self.bot_address, subject
        mail["Date"], mail["Message-ID"] = datetime.now(UTC), make_msgid(domain="reader.example")
        mail.set_content("")
        if reply_to is not None:
            mail.replace_header("Subject", f"Re: {reply_to.message['Subject']}")
            mail["In-Reply-To"] = reply_to.message["Message-ID"]
            mail.set_content(subject)
        if attach is not None:
            book = await asyncio.to_thread(attach.read_bytes)
            mail.add_attachment(book, maintype="application", subtype="epub+zip", filename=attach.name)
        self.console.rule(f"[bold]{escape(aside)}", align="left")
        self.console.print(f"[cyan]To:[/]       {escape(self.bot_address)}")
        self.console.print(
            f"[cyan]Subject:[/]  {escape(mail['Subject']) or '(none)'}" + (f"   📎 {attach.name}" if attach else "")
        )
        if reply_to is not None:
            self.console.print(f"\n{escape(subject)}\n")
        await aiosmtplib.send(mail, hostname="127.0.0.1", port=self.app.smtp_port, start_tls=False)
        return await self.next_mail()

    async def next_mail(self, aside: str = "") -> ReceivedMail:
        """The next mail to Ada, shown and returned."""
        self.answers += 1
        mail = await self.world.wait_for(READER, count=self.answers)
        if aside:
            self.console.rule(f"[bold]{escape(aside)}", align="left")
        self.show(mail)
        return mail

    async def settle(self) -> None:
        """Until all that was to be done is done. Raises `TimeoutError`."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while await asyncio.to_thread(self.app.engine.count_jobs):  # noqa: ASYNC110 - a database has no events
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            raise TimeoutError(f"there is still something to do after {PATIENCE_SECONDS:.0f} s") from error

    def show(self, mail: ReceivedMail) -> None:
        """A mail as its reader sees it, in the text part."""
        body = mail.message.get_body(("plain",))
        text = body.get_content().strip() if body is not None else ""
        title = escape(str(mail.message["Subject"]))
        self.console.print(Panel(escape(text), title=title, title_align="left", expand=False), "")


async def run_demo(folder: Path, *, console: Console, is_over_after_story: bool) -> None:
    """The story, then the service stays up until Ctrl-C, with a word on how to write to it. Makes `folder`."""
    world = LoopbackMailbox(folder / "outside-world")
    relay_port = await world.open()
    config = demo_config(folder, relay_port=relay_port)
    set_up_logs(config.log, stream=sys.stderr)
    migrate(open_database(config))
    try:
        async with DemoSite() as site, open_app(config) as app, running(app):
            with app.engine.work() as work:
                _, secret = Accounts(work).add_user(READER, name="Ada", timezone="Europe/London")
            handbook = folder / "The Inkpost Handbook.epub"
            await asyncio.to_thread(build_handbook, handbook)
            story = Story(app=app, world=world, console=console, secret=secret, folder=folder)
            console.print(f"Inkpost is up: SMTP on 127.0.0.1:{app.smtp_port}, all of it in {folder}\n", markup=False)
            await story.play(handbook)
            await story.read_the_news(site.url)
            console.rule()
            console.print(_WHERE.format(folder=folder, health=app.health.port), markup=False, soft_wrap=True)
            if not is_over_after_story:
                await story.stay()
    finally:
        await world.close()


_HOW = """
Inkpost stays up (Ctrl-C ends it). Write to it yourself, from any program that speaks SMTP:

  curl smtp://127.0.0.1:{port} --mail-from {reader} --mail-rcpt {bot} \\
       -F '=Hello;type=text/plain' -H 'From: {reader}' -H 'Subject: help'
"""
_WHERE = """\
Every mail lies in {folder}/outside-world, one folder an address.
The books, the database and the journal lie in {folder}/data.
Health: http://127.0.0.1:{health}/readyz   Metrics: http://127.0.0.1:{health}/metrics"""


def demo_config(folder: Path, *, relay_port: int) -> Config:
    """The embedded default on free ports, with the loopback mailbox for a relay."""
    return Config(
        data_dir=folder / "data",
        service=ServiceSettings(domain="inkpost.example"),
        smtp=SmtpSettings(port=0),
        relay=RelaySettings(host="127.0.0.1", port=relay_port, security=Security.PLAIN),
        pace=PaceSettings(interval_seconds={}, per_minute={}),
        fetch=FetchSettings(allow_private=True),  # the demo's own site is on the loopback
        health=HealthSettings(port=0),
        log=LogSettings(level="warning"),
    )
