"""What a configuration names, opened: for the service, and for one verb of the command line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import sqlalchemy as sa

from bot.config import Config
from bot.jobs import JobEngine, create_schema
from bot.keys import token_key
from bot.storage import open_store
from core import migrations
from core.db import create_engine
from core.errors import InkpostError
from core.mail.outgoing import Identity
from core.ports import BlobStore
from core.services import build_bus
from core.services.fetch_links import MakeLink
from core.tokens import TokenSigner

DATABASE, BLOBS, TOKEN_KEY = "inkpost.db", "blobs", "token.key"  # what stands in the data folder; more: bot/app.py
NEWER = "The database was made by a newer Inkpost than this one. Install that."
Observe = Callable[[str, str, float], None]
Clock = Callable[[], datetime]
"""Aware and UTC."""


class NotMigrated(InkpostError):
    """The database's schema is not the one that this program was written for."""


def utc_now() -> datetime:
    return datetime.now(UTC)


def identity_of(config: Config) -> Identity:
    return Identity(
        address=config.service.address,
        name=config.service.name,
        has_readers_own=config.service.own_senders,
        signer=open_signer(config),
    )


def open_database(config: Config) -> sa.Engine:
    """The database that the configuration names. Makes the data folder; connects to nothing."""
    config.data_dir.mkdir(parents=True, exist_ok=True)
    return create_engine(config.database_url or f"sqlite:///{config.data_dir.resolve() / DATABASE}")


def migrate(database: sa.Engine) -> None:
    """Bring the schema up to date: ours and the job engine's, whole or not at all. Raises `NotMigrated`."""
    with migrations.transaction(database) as connection:
        is_new = not sa.inspect(connection).has_table("procrastinate_jobs")
        if migrations.is_newer(connection):
            raise NotMigrated(NEWER)
        if not migrations.is_current(connection):
            migrations.upgrade(connection)
        if is_new or database.dialect.name == "sqlite":
            create_schema(connection)


def open_signer(config: Config) -> TokenSigner:
    """For the tokens of confirmations and reply addresses. Raises `ValueError` for a key that is too short."""
    given = config.trust.token_key.get_secret_value()
    old = config.trust.old_token_key.get_secret_value()
    return TokenSigner(
        given.encode() if given else token_key(config.data_dir / TOKEN_KEY), (old.encode(),) if old else ()
    )


def open_blobs(config: Config) -> BlobStore:
    return open_store(config.storage_url or f"local:{config.data_dir.resolve() / BLOBS}")


def open_jobs(
    config: Config,
    database: sa.Engine,
    *,
    observe: Observe = lambda _task, _outcome, _seconds: None,
    clock: Clock = utc_now,
    make_link: MakeLink | None = None,
) -> JobEngine:
    """The job engine over a database: for a service, or for one verb of the command line."""
    return JobEngine(
        database,
        clock=clock,
        bus=build_bus(identity_of(config), make_link=make_link),
        settings=config.jobs,
        limits=config.limits,
        observe=observe,
    )


def check_schema(database: sa.Engine) -> None:
    """Raises `NotMigrated`."""
    with database.connect() as connection:
        if migrations.is_newer(connection):
            raise NotMigrated(NEWER)
        if not migrations.is_current(connection):
            raise NotMigrated("The database is not up to date. Run: inkpost migrate")
