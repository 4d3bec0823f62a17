"""`inkpost check`: everything that the configuration names, tried out, with each problem in one sentence."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import aiohttp
import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.app import MAILDIR
from bot.cache import open_entries
from bot.config import Config
from bot.dns import DnsResolver
from bot.intake.imap_connection import ImapAccount, ImapConnection, ImapDown, ImapRefused
from bot.intake.smtp_settings import open_tls
from bot.opening import TOKEN_KEY, check_schema, open_blobs, open_database
from bot.signing import open_key, record_problem
from bot.transport import open_transport
from core.errors import InkpostError
from core.models import SendingStop

CHECK_SECONDS = 20.0
NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, and what is wrong with it, or None."""

    name: str
    problem: str | None
    is_mistake: bool = True
    """Of the configuration; what is not is only told."""


async def check_everything(config: Config) -> list[Finding]:
    """Every check, none of which stops another. Writes nothing but a probe file, and sends no mail."""
    checks: dict[str, Callable[[Config], Awaitable[str | None]]] = {
        f"data folder {config.data_dir}": _data_dir,
        "database": _database,
        "storage": _storage,
        f"relay {config.relay.host}" if config.relay.host else "no relay: mail goes to a Maildir": _relay,
        "certificate": _certificate,
        "DKIM key": _dkim,
        "secrets": _secrets,
        "cache": _cache,
        "LMTP": _lmtp,
        "one click": _one_click,
        "addresses": _addresses,
    }
    for account in config.imap.accounts:
        checks[f"mailbox {account.name}"] = partial(_mailbox, account)
    findings = [Finding(name, await _problem(check, config)) for name, check in checks.items()]
    return [*findings, Finding("readers' addresses", await _problem(_readers, config), is_mistake=False)]


async def _problem(check: Callable[[Config], Awaitable[str | None]], config: Config) -> str | None:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check(config)
    except TimeoutError:
        return f"no answer within {CHECK_SECONDS:g} s"
    except (InkpostError, OSError, ValueError, sa.exc.SQLAlchemyError) as error:
        return " ".join(str(error).split())


async def _data_dir(config: Config) -> str | None:
    config.data_dir.mkdir(parents=True, exist_ok=True)
    probe = config.data_dir / f".check-{os.getpid()}"
    probe.write_bytes(b"x")
    probe.unlink()
    return None


async def _database(config: Config) -> str | None:
    database = open_database(config)
    try:
        await asyncio.to_thread(check_schema, database)
    finally:
        database.dispose()
    return None


async def _readers(config: Config) -> str | None:
    """Who is not reached, for they cannot be told so by mail."""

    def look() -> list[str]:
        database = open_database(config)
        try:
            check_schema(database)
            with Session(database) as session:
                return SendingStop.unreached(session)
        finally:
            database.dispose()

    if not (found := await asyncio.to_thread(look)):
        return None
    return f"mail comes back from {', '.join(found[:10])}{' …' if len(found) > 10 else ''}: inkpost outbox stops"


async def _storage(config: Config) -> str | None:
    await asyncio.to_thread(lambda: open_blobs(config).stat("check/probe"))
    return None


async def _relay(config: Config) -> str | None:
    transport = open_transport(config.relay, ehlo_name=config.service.smtp_name, maildir=config.data_dir / MAILDIR)
    try:
        return await transport.check()
    finally:
        await transport.close()


async def _certificate(config: Config) -> str | None:
    smtp = config.smtp
    if not smtp.certificate_file:
        return "tls_port is set, but there is no certificate_file" if smtp.tls_port is not None else None
    open_tls(smtp)
    return None


async def _cache(config: Config) -> str | None:
    if config.cache.url:
        entries = open_entries(config.cache)
        try:
            await entries.get("check/probe")
        finally:
            await entries.close()
    return None


async def _lmtp(config: Config) -> str | None:
    if config.lmtp.socket and not os.access(folder := Path(config.lmtp.socket).parent, os.W_OK | os.X_OK):
        return f"lmtp.socket: {folder} is not there, or we may not write to it"
    if config.lmtp.port is not None and config.lmtp.host in ("", "0.0.0.0", "::"):  # noqa: S104 - it is looked for
        return "lmtp.host is every address of this machine: whoever reaches the port may say whose mail it brings"
    return None


async def _one_click(config: Config) -> str | None:
    """Mail services obey List-Unsubscribe-Post only where a signature covers it (RFC 8058 4)."""
    if not config.http.public_url:
        return None
    if not config.dkim.private_key.get_secret_value() and not config.relay.host:
        return "http.public_url is set, but nothing signs our letters: mail services do not show the button then"
    url = f"{config.http.public_url}/unsubscribe/00000-00000/check"
    timeout = aiohttp.ClientTimeout(total=CHECK_SECONDS)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url, allow_redirects=False) as answer:
            is_ours = answer.status == NOT_FOUND and answer.headers.get("X-Robots-Tag") == "noindex"
    except aiohttp.ClientError as error:
        return f"{config.http.public_url} cannot be reached from here: {error}"
    return None if is_ours else f"{url} does not lead to us: hand /unsubscribe/ on to port {config.http.port}"


async def _mailbox(account: ImapAccount, _config: Config) -> str | None:
    def look() -> str | None:
        with ImapConnection(account) as connection:
            connection.select()
        return None

    try:
        return await asyncio.to_thread(look)
    except (ImapRefused, ImapDown) as error:
        return f"the login is refused: {error}" if isinstance(error, ImapRefused) else str(error)


async def _dkim(config: Config) -> str | None:
    key = open_key(config.dkim, service_domain=config.service.domain)
    if key is None:
        return None
    dns = DnsResolver(config.dns)
    try:
        return await record_problem(dns, key)
    finally:
        await dns.close()


async def _secrets(config: Config) -> str | None:
    path = config.data_dir / TOKEN_KEY
    if path.exists() and path.stat().st_mode & 0o077:
        return f"{path} may be read by others: chmod 600 {path}"
    if config.database_url and not config.trust.token_key.get_secret_value():
        return "trust.token_key is not set: another process of this service would not know its own confirmations"
    return None


async def _addresses(config: Config) -> str | None:
    if config.service.domain == "localhost" and config.smtp.host not in ("127.0.0.1", "::1", "localhost"):
        return "service.domain is still localhost: nobody outside can answer our mails"
    return None
