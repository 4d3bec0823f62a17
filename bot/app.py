"""The composition root: the one place that names ports beside their adapters and wires the rooms together."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from bot.authenticate import DomainProver, ProofAuthenticator
from bot.cache import Cache
from bot.calibre import Calibre
from bot.circuit import RelayCircuit
from bot.clicks import ClickServer
from bot.config import Config
from bot.counting import LibraryCounter
from bot.delivery import Deliverer
from bot.dns import DnsResolver
from bot.doors import Doors
from bot.fetch import HttpFetcher
from bot.forgetting import Forgetter
from bot.forwarded import ForwardKeeper
from bot.guards import Counts, EdgeGuard
from bot.health import Check, HealthServer, Metrics, room_check
from bot.intake.accept import Acceptor
from bot.intake.entry import enter_into
from bot.intake.imap import ImapFetcher, ImapHouse
from bot.intake.lmtp import LmtpListener
from bot.intake.questions import alias_reader, verifier
from bot.intake.received import Receipt, ReceivedMail
from bot.intake.session import SmtpHouse
from bot.intake.smtp import SmtpListener
from bot.intake.spool import SpoolFolder
from bot.jobs import JobEngine
from bot.jobs_retry import UNTIL_THE_TASK_GIVES_UP
from bot.journal import Journal
from bot.leaving import ListLeaver
from bot.letters import LetterReader
from bot.links import link_maker
from bot.news.awaited import Awaited
from bot.news.books import StoryBooks
from bot.news.clock import DigestClock
from bot.news.discover import FeedFinder
from bot.news.issues import IssueBuilder
from bot.news.notes import DeviceNotes
from bot.news.pages import PageReader
from bot.news.pictures import PictureFetcher
from bot.news.previews import Previewer
from bot.news.refresh import FeedRefresher
from bot.opening import (
    Clock,
    check_schema,
    identity_of,
    open_blobs,
    open_database,
    open_jobs,
    open_signer,
    utc_now,
)
from bot.origin import OriginCheck
from bot.pace import Pacer
from bot.places import abandoned, own_folder
from bot.preparing import Preparer
from bot.process import MailProcessor
from bot.quotas import UserQuotas
from bot.roles import ALL_ROLES, Role, check_roles
from bot.sandbox import Sandbox
from bot.signing import make_sign, open_key
from bot.staging import Stager
from bot.strangers import Strangers
from bot.takeouts import TakeoutMaker
from bot.transport import open_transport
from bot.upkeep import Upkeep
from core.mail.outgoing import Identity
from core.news.one_click import ClickLinks
from core.ports import BlobStore, Transport
from core.services.fetch_links import MakeLink
from handlers._registry import build_grammar, load_handlers, readers_grammar

# What else stands in the data folder.
SPOOL, WORK, JOURNAL, MAILDIR = "spool", "work", "sent.journal", "outgoing"
PRELOAD = (
    *("core.mail.parse", "core.mail.signatures", "core.books.open", "core.books.archive", "core.books.epub"),
    "core.books.mailed",
    "core.books.kindle.compiler",
    # A worker would take 0.2 s to import these with its first feed. Not trafilatura (8 MB), and not the model of
    # languages (66 MB), which workers load when they need them: the fork server is there also where nobody reads feeds.
    *("core.news.reading", "feedparser", "nh3", "rensa"),
)


@dataclass(frozen=True, kw_only=True)
class App:
    """The rooms, opened and wired; `bot.serve` starts those of the process's roles, and stops them."""

    config: Config
    roles: frozenset[Role]
    folder: Path
    """What the process has to itself: see `bot.places`."""
    engine: JobEngine
    blobs: BlobStore
    transport: Transport
    deliverer: Deliverer
    acceptor: Acceptor
    listener: SmtpListener
    lmtp: LmtpListener
    imap: ImapFetcher
    clicks: ClickServer | None
    """None without an https address for it."""
    health: HealthServer
    upkeep: Upkeep
    refresher: FeedRefresher
    digests: DigestClock

    @property
    def smtp_port(self) -> int:
        """Where it really listens, once started."""
        return self.listener.addresses[0][1]

    async def replay(self) -> int:
        """Record what the relay took when a process could not: this one's place before it, and those of the dead.

        Before any of their jobs runs again. Returns how many deliveries it was.
        """
        count = await self.deliverer.replay()
        with abandoned(self.config.data_dir, mine=self.folder) as folders:
            for folder in folders:
                if not (folder / JOURNAL).exists():
                    continue
                journal = Journal(folder / JOURNAL)
                try:
                    count += await self.deliverer.replay(journal)
                finally:
                    journal.close()
        return count


@asynccontextmanager
async def open_app(config: Config, *, roles: frozenset[Role] = ALL_ROLES, clock: Clock = utc_now) -> AsyncIterator[App]:
    """Everything wired, nothing started; what was opened is closed again, also where a later room fails to open.

    Raises `RolesMistaken`, `DataDirBusy`, `NotMigrated`, `OSError` and `Unavailable`.
    """
    async with AsyncExitStack() as stack:
        rooms = await _open_rooms(config, stack, roles=roles, clock=clock)
        deliverer = _deliverer(rooms)
        refresher = FeedRefresher(config.feeds, database=rooms.engine, fetcher=rooms.fetcher, sandbox=rooms.sandbox)
        links = ClickLinks(config.http.public_url, open_signer(config)) if config.http.public_url else None
        _register_mails(rooms, deliverer)
        _register_news(rooms, refresher, links)
        _register_people(rooms)
        if Role.SCHEDULER in roles:  # the rows are everybody's: from all processes they would be counted many times
            rooms.metrics.watch_jobs(rooms.engine.count_jobs, clock=utc_now)
        yield _app(rooms, deliverer, refresher, links)


@dataclass(frozen=True, kw_only=True)
class _Rooms:
    """What was opened, and what several others are made of."""

    config: Config
    roles: frozenset[Role]
    clock: Clock
    folder: Path
    work_root: Path
    metrics: Metrics
    engine: JobEngine
    blobs: BlobStore
    make_link: MakeLink
    transport: Transport
    sandbox: Sandbox
    journal: Journal
    acceptor: Acceptor
    spool: SpoolFolder
    cache: Cache
    fetcher: HttpFetcher
    origin: OriginCheck
    counts: Counts
    calibre: Calibre

    @property
    def identity(self) -> Identity:
        return identity_of(self.config)

    async def accept(self, mail: ReceivedMail) -> Receipt:
        """What every intake does with a mail."""
        started = time.monotonic()
        receipt = await self.acceptor.accept(mail)
        self.metrics.mail_accepted(time.monotonic() - started)
        return receipt


async def _open_rooms(config: Config, stack: AsyncExitStack, *, roles: frozenset[Role], clock: Clock) -> _Rooms:
    """In this order, and closed in the other one. Raises as `open_app` does."""
    database = open_database(config)
    stack.callback(database.dispose)
    is_embedded = database.dialect.name == "sqlite"
    check_roles(roles, is_embedded=is_embedded)
    folder = stack.enter_context(own_folder(config.data_dir, is_alone=is_embedded))
    work_root = _empty_work_root(folder)
    await asyncio.to_thread(check_schema, database)
    metrics = Metrics(roles)
    blobs = open_blobs(config)
    make_link = link_maker(blobs)
    engine = open_jobs(config, database, observe=metrics.job_finished, clock=clock, make_link=make_link)
    await engine.open()
    stack.push_async_callback(engine.close)
    transport = open_transport(config.relay, ehlo_name=config.service.smtp_name, maildir=config.data_dir / MAILDIR)
    stack.push_async_callback(transport.close)
    sandbox = Sandbox(config.sandbox, preload=PRELOAD)
    stack.push_async_callback(sandbox.close)
    journal = Journal(folder / JOURNAL)
    stack.callback(journal.close)
    acceptor = Acceptor(enter_into(engine), blobs)
    stack.push_async_callback(acceptor.close)
    spool = SpoolFolder(folder / SPOOL)
    spool.prepare()
    stack.callback(spool.close)
    cache = Cache(config.cache)
    stack.push_async_callback(cache.close)
    fetcher = HttpFetcher(config.fetch, clock=clock)
    stack.push_async_callback(fetcher.close)
    dns = DnsResolver(config.dns)
    stack.push_async_callback(dns.close)
    return _Rooms(
        config=config,
        roles=roles,
        clock=clock,
        folder=folder,
        work_root=work_root,
        metrics=metrics,
        engine=engine,
        blobs=blobs,
        make_link=make_link,
        transport=transport,
        sandbox=sandbox,
        journal=journal,
        acceptor=acceptor,
        spool=spool,
        cache=cache,
        fetcher=fetcher,
        origin=OriginCheck(dns, sandbox, frozenset(domain.lower() for domain in config.trust.arc_sealers)),
        counts=Counts(config.cache.url),
        calibre=Calibre(config.calibre, config.books),
    )


def _app(rooms: _Rooms, deliverer: Deliverer, refresher: FeedRefresher, links: ClickLinks | None) -> App:
    """The ways in, and all that the service starts."""
    config, engine = rooms.config, rooms.engine
    guard = EdgeGuard(config.edge, rooms.counts)
    house = SmtpHouse(
        config.smtp,
        hostname=config.service.smtp_name,
        ours=config.service.ours,
        guard=guard,
        security_contact=config.service.security_contact or f"postmaster@{config.service.domain}",
        upstream_networks=config.trust.upstream_networks,
        logs=config.log,
    )
    imap = ImapFetcher(
        ImapHouse(
            settings=config.imap,
            database=engine,
            ours=config.service.ours,
            mailbox=config.service.address,
            accept=rooms.accept,
            spool=rooms.spool,
            max_message_bytes=config.smtp.max_message_bytes,
            observe=rooms.metrics.mailbox_tried,
        )
    )
    checks = _checks(rooms, mailboxes=imap)
    return App(
        config=config,
        roles=rooms.roles,
        folder=rooms.folder,
        engine=engine,
        blobs=rooms.blobs,
        transport=rooms.transport,
        deliverer=deliverer,
        acceptor=rooms.acceptor,
        listener=SmtpListener(
            house, accept=rooms.accept, spool=rooms.spool, knows_alias=alias_reader(engine), verify=verifier(engine)
        ),
        lmtp=LmtpListener(
            config.lmtp, house=house, accept=rooms.accept, spool=rooms.spool, knows_alias=alias_reader(engine)
        ),
        imap=imap,
        clicks=ClickServer(config.http, links=links, database=engine, guard=guard, identity=rooms.identity)
        if links is not None
        else None,
        health=HealthServer(config.health, metrics=rooms.metrics, checks=checks),
        upkeep=Upkeep(config.upkeep, database=engine, blobs=rooms.blobs),
        refresher=refresher,
        digests=DigestClock(engine),
    )


def _deliverer(rooms: _Rooms) -> Deliverer:
    config = rooms.config
    key = open_key(config.dkim, service_domain=config.service.domain)
    preparer = Preparer(
        database=rooms.engine,
        blobs=rooms.blobs,
        sandbox=rooms.sandbox,
        calibre=rooms.calibre,
        identity=rooms.identity,
        limits=config.books,
        work_root=rooms.work_root,
        size_limit=rooms.transport.size_limit,
    )
    return Deliverer(
        database=rooms.engine,
        open_blob=rooms.blobs.open,
        transport=rooms.transport,
        circuit=RelayCircuit(config.circuit, on_change=partial(rooms.metrics.circuit_changed, "relay")),
        sign=make_sign(key) if key is not None else None,
        pacer=Pacer(config.pace),
        journal=rooms.journal,
        # A file that stands twice in a Maildir does no harm; an answer that a crash kept out of it would be lost.
        resends_unknown=config.relay.resends_unknown or not config.relay.host,
        observe=rooms.metrics.delivery_tried,
        prepare=preparer.prepare,
    )


def _register_mails(rooms: _Rooms, deliverer: Deliverer) -> None:
    """The jobs of mails that came in and go out."""
    engine = rooms.engine
    engine.task("process_mail", queue="inbound", retry=UNTIL_THE_TASK_GIVES_UP)(_processor(rooms).process)
    engine.task("deliver", queue="outbound", retry=UNTIL_THE_TASK_GIVES_UP)(deliverer.deliver)


def _empty_work_root(folder: Path) -> Path:
    work_root = folder / WORK
    shutil.rmtree(work_root, ignore_errors=True)  # what a crash left: everything in it can be made again
    work_root.mkdir()
    return work_root


def _processor(rooms: _Rooms) -> MailProcessor:
    config, engine, sandbox, origin = rooms.config, rooms.engine, rooms.sandbox, rooms.origin
    handlers = load_handlers()
    prover = DomainProver(config.trust, config.service.ours, origin, config.imap.providers)
    return MailProcessor(
        engine=engine,
        blobs=rooms.blobs,
        sandbox=sandbox,
        stager=Stager(blobs=rooms.blobs, sandbox=sandbox, limits=config.books),
        authenticator=ProofAuthenticator(
            config.trust,
            config.service.ours,
            origin,
            engine.in_read,
            open_signer(config),
            rooms.clock,
            config.imap.providers,
        ),
        strangers=Strangers(
            database=engine,
            prover=prover,
            counts=rooms.counts,
            identity=rooms.identity,
            most_a_day=config.trust.strangers_a_day,
        ),
        doors=Doors(
            database=engine,
            prover=prover,
            letters=LetterReader(
                database=engine,
                sandbox=sandbox,
                origin=origin,
                identity=rooms.identity,
                most_bytes=config.edge.letter_bytes,
            ),
            identity=rooms.identity,
        ),
        ours=config.service.ours,
        identity=rooms.identity,
        signer=open_signer(config),
        handlers=handlers,
        grammar=readers_grammar(handlers),
        administrators=build_grammar(handlers),
        quotas=UserQuotas(config.limits, rooms.counts),
        counter=LibraryCounter(database=engine, cache=rooms.cache, clock=rooms.clock),
        converted=rooms.calibre.formats,
        make_link=rooms.make_link,
        metrics=rooms.metrics,
        work_root=rooms.work_root,
        patience=timedelta(hours=config.trust.patience_hours),
    )


def _register_news(rooms: _Rooms, refresher: FeedRefresher, links: ClickLinks | None) -> None:
    """The jobs of the news."""
    engine, blobs, sandbox, fetcher = rooms.engine, rooms.blobs, rooms.sandbox, rooms.fetcher
    identity, work_root = rooms.identity, rooms.work_root
    pictures = PictureFetcher(fetcher, sandbox)
    finder = FeedFinder(database=engine, fetcher=fetcher, sandbox=sandbox, refresher=refresher, identity=identity)
    books = StoryBooks(
        database=engine, blobs=blobs, sandbox=sandbox, pictures=pictures, identity=identity, work_root=work_root
    )
    pages = PageReader(database=engine, fetcher=fetcher, sandbox=sandbox, books=books, identity=identity)
    issues = IssueBuilder(
        database=engine,
        blobs=blobs,
        sandbox=sandbox,
        pictures=pictures,
        identity=identity,
        awaited=Awaited(engine),
        links=links,
        work_root=work_root,
    )
    notes = DeviceNotes(database=engine, books=books, identity=identity)
    forwards = ForwardKeeper(
        database=engine,
        blobs=blobs,
        sandbox=sandbox,
        stager=Stager(blobs=blobs, sandbox=sandbox, limits=rooms.config.books),
        identity=identity,
        work_root=work_root,
    )
    previews = Previewer(database=engine, cache=rooms.cache, identity=identity)
    for name, task in (
        ("discover_feed", finder.discover),
        ("fetch_article", pages.fetch_article),
        ("read_page", pages.read_page),
        ("save_story", books.save_story),
        ("send_story", books.send_story),
        ("tell_on_device", notes.tell),
        ("keep_forwarded", forwards.keep),
        ("add_forwarded", forwards.add),
        ("leave_newsletter", ListLeaver(database=engine, poster=fetcher, identity=identity).leave),
        ("build_issue", issues.build),
        ("preview_issue", previews.preview),
    ):
        engine.task(name, queue="news")(task)


def _register_people(rooms: _Rooms) -> None:
    """The jobs that are about everything of a person."""
    engine = rooms.engine
    maker = TakeoutMaker(
        database=engine,
        blobs=rooms.blobs,
        identity=rooms.identity,
        work_root=rooms.work_root,
        size_limit=rooms.transport.size_limit,
    )
    forgetter = Forgetter(engine)
    engine.task("make_takeout")(maker.make)
    engine.task("forget_user")(forgetter.forget_user)
    engine.task("forget_mail", retry=UNTIL_THE_TASK_GIVES_UP)(forgetter.forget_mail)


def _checks(rooms: _Rooms, *, mailboxes: ImapFetcher) -> dict[str, Check]:
    """What `/readyz` asks: only what these roles need. Each says what is wrong, or raises."""

    async def storage() -> None:
        await asyncio.to_thread(rooms.blobs.stat, "ready/probe")

    async def database() -> None:
        await rooms.engine.in_read(lambda session: session.execute(sa.text("SELECT 1")))

    checks: dict[str, Check] = {"database": database, "storage": storage}
    if Role.INTAKE in rooms.roles:
        checks["disk"] = room_check(rooms.folder, needed_bytes=rooms.config.smtp.max_message_bytes)
        checks |= {f"mailbox {reader.account.name}": reader.check for reader in mailboxes.readers}
    return checks | {"relay": rooms.transport.check} if Role.WORKER in rooms.roles else checks
