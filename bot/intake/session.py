"""SMTP as we speak it (RFC 5321): what each command does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Network, IPv6Network
from ssl import SSLContext

import structlog

from bot.guards import EdgeGuard
from bot.intake.connection import Goodbye, Later, LineConnection, OpenConnections
from bot.intake.data import receive_data
from bot.intake.login import MECHANISMS, UnknownMechanism, ask_credentials
from bot.intake.policy import (
    MAX_ADDRESS_CHARS,
    MAX_DOMAIN_CHARS,
    NO_MAILBOX,
    TOO_LARGE,
    ForwardPath,
    Refusal,
    ReversePath,
    judge_author,
    judge_recipient,
    judge_sender,
    masked,
)
from bot.intake.received import Receipt, ReceivedMail
from bot.intake.smtp_settings import SmtpSettings
from bot.intake.spool import MailSpool, SpoolFolder
from bot.logs import LogSettings
from core.mail.authenticity import OurAddresses, is_listed
from core.values import Envelope, Peer

LOGIN_TRIES = 3  # RFC 4954 4: after some failures a server should close the connection
EXTENSIONS = ("8BITMIME", "SMTPUTF8", "PIPELINING", "ENHANCEDSTATUSCODES")

Verify = Callable[[str, str], Awaitable[bool]]
"""Whether a login and its password belong together. May raise `Unavailable`."""

RefuseAlias = Callable[[str], Awaitable[str | None]]
"""The reply for the secret of a newsletter's address that takes no mail, or None. May raise `Unavailable`."""

KnowsAlias = Callable[[str], Awaitable[bool]]
"""Whether the secret is that of a newsletter's address which takes mail. May raise `Unavailable`."""


async def knows_no_alias(_secret: str) -> bool:
    """For a listener at which no newsletters come."""
    return False


async def refuse_alias(knows_alias: KnowsAlias, guard: EdgeGuard, alias: str) -> str | None:
    """`RefuseAlias`: for an address that takes no mail, never did, or has had too much."""
    if not await knows_alias(alias):
        return NO_MAILBOX.reply
    if not guard.may_write_letter(alias):
        return "451 4.7.1 too much mail for this address, try again later"
    return None


log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SmtpHouse:
    """What is the same on every listener, and in every process that speaks SMTP."""

    settings: SmtpSettings
    hostname: str
    ours: OurAddresses
    guard: EdgeGuard
    security_contact: str = ""
    """Told to who asks for HELP."""
    upstream_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Of servers in front of us, which write to the sender of what is refused at the end of data."""
    logs: LogSettings = field(default_factory=LogSettings)
    """For processes of their own."""


@dataclass(frozen=True, slots=True)
class SmtpService:
    """What all connections of a listener share."""

    house: SmtpHouse
    accept: Callable[[ReceivedMail], Awaitable[Receipt]]
    spool: SpoolFolder
    connections: OpenConnections
    refuse_alias: RefuseAlias
    verify: Verify | None
    """None: AUTH is not offered."""
    tls_context: SSLContext | None


@dataclass(slots=True)
class Transaction:
    """RFC 5321 3.3: a sender, then recipients, then the mail."""

    sender: ReversePath | None = None
    rcpt_tos: list[str] = field(default_factory=list)
    recipients: int = 0
    """How many RCPT were taken, those that name somebody again included."""


class SmtpConnection(LineConnection):
    """A client's conversation with us; made by the listener's protocol factory."""

    intake = "smtp"

    def __init__(self, service: SmtpService, *, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            service.connections, hostname=service.house.hostname, tls_context=service.tls_context, loop=loop
        )
        self._service = service
        self._house = service.house
        self._helo = ""
        self._is_extended = False
        self._auth_user: str | None = None
        self._login_tries_left = LOGIN_TRIES

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called a second time when STARTTLS has succeeded: all that was said before is forgotten (RFC 3207 4.2)."""
        self._helo = ""
        self._auth_user = None
        super().connection_made(transport)

    def _may_connect(self) -> bool:
        return self._house.guard.may_connect(self.ip)

    def _set_post_data_state(self) -> None:
        self._transaction = Transaction()

    # The commands, by aiosmtpd's names.

    def smtp_HELO(self, hostname: str) -> None:  # noqa: N802 - aiosmtpd's name
        if self._is_greeted(hostname):
            self._is_extended = False
            self._reply(f"250 {self.hostname}")

    def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802 - aiosmtpd's name
        if self._is_greeted(hostname):
            self._is_extended = True
            self._reply("\r\n".join(f"250-{offer}" for offer in self._offers()) + "\r\n250 HELP")

    def _offers(self) -> Iterator[str]:
        yield self.hostname
        yield f"SIZE {self._house.settings.max_message_bytes}"
        yield from EXTENSIONS
        if self.tls_context is not None and not self.is_tls:
            yield "STARTTLS"
        if self._may_log_in():
            yield f"AUTH {' '.join(MECHANISMS)}"

    def _is_greeted(self, hostname: str) -> bool:
        if not hostname or len(hostname) > MAX_DOMAIN_CHARS:
            self._reply("501 5.5.4 a host name belongs here")
            return False
        self._set_post_data_state()
        self._helo = hostname
        return True

    def smtp_HELP(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        contact = self._house.security_contact
        lines = [*([f"to report a weakness: {contact}"] if contact else []), "a mail with the word help says the rest"]
        marks = ["-"] * (len(lines) - 1) + [" "]
        self._reply("\r\n".join(f"214{mark}2.0.0 {line}" for mark, line in zip(marks, lines, strict=True)))

    def smtp_VRFY(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        self._reply("252 2.5.0 send the mail, and see")  # RFC 5321 3.5.3: without telling who is here

    def smtp_QUIT(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        raise Goodbye("221 2.0.0 goodbye")

    async def smtp_STARTTLS(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        if self.is_tls:  # aiosmtpd would begin a second TLS inside of the first
            await self.push("503 5.5.1 TLS is in use")
        else:
            await super().smtp_STARTTLS(arg)

    async def smtp_AUTH(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        if (refusal := self._login_refusal()) is not None:
            await self.push(refusal)
            return
        try:
            login, password = await ask_credentials(arg, self._ask)
        except UnknownMechanism:
            await self.push("504 5.5.4 the mechanism was not offered")
        except ValueError:
            await self.push("501 5.5.2 AUTH was broken off, or was not understood")
        else:
            await self._log_in(login, password)

    async def _ask(self, challenge: str) -> str:
        await self.push(f"334 {challenge}")
        return (await self._line()).decode("ascii")

    def _may_log_in(self) -> bool:
        networks = self._house.settings.plaintext_login_networks
        return self._service.verify is not None and (self.is_tls or is_listed(self.ip, networks))

    def _login_refusal(self) -> str | None:
        if self._service.verify is None:
            return "502 5.5.1 AUTH is not offered"
        if not self._may_log_in():
            return "538 5.7.11 AUTH needs TLS"
        if not self._is_extended or self._auth_user is not None or self._transaction.sender is not None:
            return "503 5.5.1 AUTH belongs after EHLO and before MAIL, once"  # RFC 4954 4
        if not self._house.guard.may_log_in(self.ip):
            return "454 4.7.0 too many failed logins, try again later"
        return None

    async def _log_in(self, login: str, password: str) -> None:
        assert self._service.verify is not None
        with self._our_turn():
            is_right = len(login) <= MAX_ADDRESS_CHARS and await self._service.verify(login, password)
        if is_right:
            self._auth_user = login
            await self.push("235 2.7.0 logged in")
            return
        log.warning("login_refused", ip=self.ip)
        self._house.guard.note_failed_login(self.ip)
        self._login_tries_left -= 1
        if not self._login_tries_left:
            raise Goodbye("421 4.7.0 too many failed logins")
        await self.push("535 5.7.8 login or password is wrong")

    def smtp_MAIL(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        if not self._helo or self._transaction.sender is not None:
            self._reply("503 5.5.1 MAIL belongs after HELO, and once to a mail")
            return
        limit = self._house.settings.max_message_bytes
        match judge_sender(arg, is_extended=self._is_extended, max_message_bytes=limit):
            case Refusal(reply):
                self._reply(reply)
            case ReversePath(address) if not self._house.guard.may_mail_from(self.ip, address):
                self._reply("451 4.7.1 too much mail from your domain, try again later")
            case ReversePath() as sender:
                self._transaction.sender = sender
                self._reply("250 2.1.0 OK")

    def smtp_RCPT(self, arg: str) -> Later | None:  # noqa: N802 - aiosmtpd's name
        sender = self._transaction.sender
        if sender is None:
            self._reply("503 5.5.1 RCPT belongs after MAIL")
        elif self._transaction.recipients >= self._house.settings.max_recipients:
            self._reply("452 4.5.3 too many recipients, bring the rest in another mail")
        elif not self._house.guard.may_name_recipient(self.ip):
            self._reply("451 4.7.1 too much mail from your address, try again later")
        else:
            match judge_recipient(arg, self._house.ours, is_utf8=sender.is_utf8):
                case Refusal(reply):
                    self._refuse_recipient(sender, arg, reply)
                case ForwardPath(address, alias) if alias:
                    return partial(self._take_alias, sender, arg, address, alias)
                case ForwardPath(address):
                    self._take_recipient(address)
        return None

    def _refuse_recipient(self, sender: ReversePath, arg: str, reply: str) -> None:
        log.info("recipient_refused", ip=self.ip, mail_from=sender.address, rcpt_to=masked(arg), reply=reply)
        self._reply(reply)

    def _take_recipient(self, address: str) -> None:
        rcpt_tos = self._transaction.rcpt_tos
        if address not in rcpt_tos:
            rcpt_tos.append(address)
        self._transaction.recipients += 1
        self._reply("250 2.1.5 OK")

    async def _take_alias(self, sender: ReversePath, arg: str, address: str, alias: str) -> None:
        """A recipient that is the address of a newsletter."""
        with self._our_turn():
            refused = await self._service.refuse_alias(alias)
        if refused is not None:
            self._refuse_recipient(sender, arg, refused)
        else:
            self._take_recipient(address)

    def smtp_DATA(self, arg: str) -> Later | None:  # noqa: N802 - aiosmtpd's name
        if arg or not self._transaction.rcpt_tos:
            self._reply("503 5.5.1 DATA belongs after RCPT, alone on its line")
            return None
        self._reply("354 end the mail with <CR><LF>.<CR><LF>")
        return self._answer_mail

    async def _answer_mail(self) -> None:
        transaction, spool = self._transaction, self._service.spool.new()
        self._is_receiving = True
        try:
            reply = await self._take_mail(transaction, spool)
        except asyncio.IncompleteReadError:
            raise
        except Exception as error:  # noqa: BLE001 - the end of a mail, which is logged there
            reply = self._postponed(error)
        finally:
            self._is_receiving = False
            spool.discard()
            self._set_post_data_state()
        self._reply(self._reply_to_mail(reply, transaction))

    def _reply_to_mail(self, reply: str, transaction: Transaction) -> str:
        """What the peer is told at the end of data."""
        return reply

    def _refuse_author(self, header: bytes, envelope: Envelope, peer: Peer) -> Refusal | None:
        if is_listed(self.ip, self._house.upstream_networks):
            return None  # the sender may be forged, and met with silence later
        refusal = judge_author(header, envelope, peer, ours=self._house.ours)
        if refusal is not None:
            log.info("author_refused", ip=self.ip, mail_from=envelope.mail_from, reply=refusal.reply)
        return refusal

    def _peer(self) -> Peer:
        return Peer(self.ip, helo=self._helo, auth_user=self._auth_user, tls=self.is_tls)

    async def _take_mail(self, transaction: Transaction, spool: MailSpool) -> str:
        refusal = await receive_data(self._reader, spool, max_bytes=self._house.settings.max_message_bytes)
        if refusal is not None:
            return refusal.reply
        assert transaction.sender is not None
        envelope = Envelope(transaction.sender.address, tuple(transaction.rcpt_tos))
        if spool.size_bytes > self._house.guard.letter_bytes and self._house.ours.aliases_in(envelope.rcpt_tos):
            return TOO_LARGE.reply
        with self._our_turn():
            mail, peer = await spool.finish(envelope), self._peer()
            if (refusal := self._refuse_author(mail.header, envelope, peer)) is not None:
                spool.take_back(mail)
                return refusal.reply
            receipt = await self._service.accept(
                ReceivedMail(
                    self.intake,
                    peer,
                    envelope,
                    mail.content,
                    mail.size_bytes,
                    mail.content_hash,
                    mail.mail_key,
                )
            )
        self._note_progress()
        log.info(
            "mail_accepted",
            reference=receipt.reference,
            intake=self.intake,
            ip=self.ip,
            mail_from=envelope.mail_from,
            size_bytes=mail.size_bytes,
            is_duplicate=receipt.is_duplicate,
        )
        return f"250 2.0.0 queued as {receipt.reference}"
