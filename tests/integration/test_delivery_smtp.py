"""The relay goes wrong at every phase of a session: what each fault means, and that nothing is sent twice by itself."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
import trustme
from pydantic import SecretStr

from bot.mailbox import LoopbackMailbox
from bot.transport.connections import RelaySettings, Security
from bot.transport.smtp import SmtpTransport
from core.errors import Unavailable
from core.ports import Deferred, Delivered, MailBody, Refused, SendResult
from tests.support.bodies import HEADER, BreakingBody, BytesBody, text_body
from tests.support.smtp_sink import Act, Drop, KeepAndDrop, Phase, Say, SmtpSink, Stall

SENDER = "books@inkpost.example"
READER = "reader@example.org"
LARGE = BytesBody(HEADER + b"x" * 70 + b"\r\n" + b"0123456789abcdef\r\n" * 500_000)

Connect = Callable[..., SmtpTransport]


@pytest.fixture
async def sink() -> AsyncIterator[SmtpSink]:
    async with SmtpSink() as sink:
        yield sink


@pytest.fixture
async def connect(sink: SmtpSink) -> AsyncIterator[Connect]:
    """Makes transports to the sink."""
    async with AsyncExitStack() as stack:

        def make(**changes: object) -> SmtpTransport:
            plain = RelaySettings(host=sink.host, port=sink.port, security=Security.PLAIN)
            settings = replace(plain, **changes)  # type: ignore[arg-type]  # a test's own keywords
            transport = SmtpTransport(settings, ehlo_name="inkpost.example")
            stack.push_async_callback(transport.close)
            return transport

        yield make


async def send(transport: SmtpTransport, body: MailBody | None = None, *, rcpt_to: str = READER) -> SendResult:
    return await transport.send(mail_from=SENDER, rcpt_to=rcpt_to, body=body or text_body())


DOWN = Deferred("421 4.3.2 going down", is_peer_down=True)


@pytest.mark.parametrize(
    ("phase", "act", "result"),
    [
        (Phase.CONNECT, Say("421 4.3.2 going down"), DOWN),
        (Phase.CONNECT, Say("554 5.3.2 no service"), Deferred("554 5.3.2 no service", is_peer_down=True)),
        (Phase.CONNECT, Drop(), Deferred("Error connecting to 127.0.0.1", is_peer_down=True)),
        (Phase.CONNECT, Say("SSH-2.0-OpenSSH"), Deferred("Malformed SMTP response line: SSH-2.0", is_peer_down=True)),
        (Phase.EHLO, Say("421 4.3.2 going down"), DOWN),
        (Phase.EHLO, Drop(), Deferred("Unexpected EOF received", is_peer_down=True)),
        (Phase.MAIL, Say("421 4.3.2 going down"), DOWN),
        (Phase.MAIL, Say("451 4.3.0 try later"), Deferred("451 4.3.0 try later")),
        (Phase.MAIL, Say("452 4.3.1 disk full"), Deferred("452 4.3.1 disk full")),
        (Phase.MAIL, Say("530 5.7.0 log in first"), Deferred("530 5.7.0 log in first", is_peer_down=True)),
        (Phase.MAIL, Say("550 5.7.1 not from you"), Refused("550 5.7.1 not from you")),
        (Phase.MAIL, Say("552 5.3.4 too big"), Refused("552 5.3.4 too big")),
        (Phase.MAIL, Drop(), Deferred("no answer to MAIL", is_peer_down=True)),
        (Phase.MAIL, Say("hello"), Deferred("no answer to MAIL: Malformed", is_peer_down=True)),
        (Phase.MAIL, Say("123 what"), Deferred("123 what")),
        (Phase.RCPT, Say("421 4.7.0 slow down"), Deferred("421 4.7.0 slow down", is_peer_down=True)),
        (Phase.RCPT, Say("450 4.2.1 greylisted"), Deferred("450 4.2.1 greylisted")),
        (Phase.RCPT, Say("452 4.2.2 full"), Deferred("452 4.2.2 full")),
        (Phase.RCPT, Say("550 5.1.1 no such user"), Refused("550 5.1.1 no such user")),
        (Phase.RCPT, Say("556 5.1.10 takes no mail"), Refused("556 5.1.10 takes no mail")),
        (Phase.RCPT, Say("550 5.7.1 нет\n550 доступа\x07"), Refused("550 5.7.1 нет доступа")),
        (Phase.RCPT, Drop(), Deferred("no answer to RCPT", is_peer_down=True)),
        (Phase.DATA, Say("421 4.3.2 going down"), DOWN),
        (Phase.DATA, Say("451 4.3.0 try later"), Deferred("451 4.3.0 try later")),
        (Phase.DATA, Say("554 5.5.1 no valid recipients"), Refused("554 5.5.1 no valid recipients")),
        (Phase.DATA, Say("250 what"), Deferred("250 what")),
        (Phase.DATA, Drop(), Deferred("no answer to DATA", is_peer_down=True)),
        (Phase.UPLOAD, Drop(), Deferred("the connection broke in the midst", is_peer_down=True)),
        (Phase.UPLOAD, Say("421 4.3.2 going down"), DOWN),
        (Phase.UPLOAD, Say("552 5.3.4 that is enough"), Refused("552 5.3.4 that is enough")),
        (Phase.UPLOAD, Say("250 thank you"), Deferred("the relay answered before the end of the mail")),
        (Phase.END, Say("421 4.3.2 going down"), DOWN),
        (Phase.END, Say("451 4.3.0 try later"), Deferred("451 4.3.0 try later")),
        (Phase.END, Say("552 5.3.4 too big after all"), Refused("552 5.3.4 too big after all")),
        (Phase.END, Say("554 5.7.1 spam"), Refused("554 5.7.1 spam")),
        (Phase.END, Drop(), Deferred("outcome unknown: the whole mail was sent, and the conn", is_peer_down=True)),
        (Phase.END, KeepAndDrop(), Deferred("outcome unknown: the whole mail was sent, and the", is_peer_down=True)),
    ],
    ids=lambda value: str(value) if not isinstance(value, Phase) else value.value,
)
async def test_every_fault_has_its_meaning(
    sink: SmtpSink, connect: Connect, phase: Phase, act: Act, result: SendResult
) -> None:
    sink.always(phase, act)
    if phase is Phase.EHLO:
        sink.always(Phase.HELO, act)

    # Large, so that the relay's word in the midst of it comes in the midst of it.
    found = await send(connect(), LARGE if phase is Phase.UPLOAD else None)

    assert type(found) is type(result)
    assert found.reply.startswith(result.reply)
    assert getattr(found, "is_peer_down", False) == getattr(result, "is_peer_down", False)
    assert len(sink.mails) == (1 if isinstance(act, KeepAndDrop) else 0)


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase not in (Phase.HELO, Phase.QUIT, Phase.STARTTLS)])
async def test_relay_that_healed_takes_the_next_mail(sink: SmtpSink, connect: Connect, phase: Phase) -> None:
    transport = connect()
    sink.script(phase, Say("451 4.3.0 try later"))
    await send(transport)
    sink.heal()

    assert isinstance(await send(transport), Delivered)


@pytest.mark.parametrize("phase", [Phase.CONNECT, Phase.EHLO, Phase.MAIL, Phase.RCPT, Phase.DATA])
async def test_silence_before_the_message_ends_in_time(sink: SmtpSink, connect: Connect, phase: Phase) -> None:
    sink.always(phase, Stall())

    result = await send(connect(timeout_seconds=0.2))

    assert isinstance(result, Deferred)
    assert result.is_peer_down


async def test_relay_that_stops_reading_is_left(sink: SmtpSink, connect: Connect) -> None:
    sink.always(Phase.UPLOAD, Stall())
    body = BytesBody(HEADER + b"0123456789abcdef\r\n" * 2_000_000)  # more than the buffers of two sockets

    # 360 s for a body of that size: the deadline is what is tested, so it is made short.
    result = await send(connect(timeout_seconds=0.2), _Quick(body))

    assert result == Deferred("the relay was silent for too long in the midst of the mail", is_peer_down=True)


class _Quick:
    """A body that says that it is small."""

    def __init__(self, body: BytesBody) -> None:
        self.chunks = body.chunks
        self.size_bytes = 1


async def test_relay_that_never_answers_the_final_dot_leaves_the_outcome_unknown(
    sink: SmtpSink, connect: Connect
) -> None:
    sink.always(Phase.END, Stall())

    result = await send(connect(final_timeout_seconds=0.2))

    assert result == Deferred(
        "outcome unknown: the whole mail was sent, and the relay was silent for too long before it was answered",
        is_peer_down=True,
        is_unknown=True,
    )


async def test_no_relay_is_a_relay_that_is_down(sink: SmtpSink, connect: Connect) -> None:
    transport = connect()
    await sink.close()

    result = await send(transport)

    assert isinstance(result, Deferred)
    assert result.is_peer_down
    assert "127.0.0.1" in result.reply
    assert "cannot be used" in str(await transport.check())


# Size


async def test_mail_over_the_relays_size_is_refused_before_it_is_sent(sink: SmtpSink, connect: Connect) -> None:
    sink.size_limit = 1_000_000

    result = await send(connect(), LARGE)

    assert result == Refused("552 5.3.4 the mail has 9.0 MB, and the relay takes at most 1.0 MB")
    assert not any(command.startswith("MAIL") for command in sink.commands)


@pytest.mark.parametrize("limit", [None, 0, 10_000_000])
async def test_size_is_announced_where_the_relay_wants_to_know(
    sink: SmtpSink, connect: Connect, limit: int | None
) -> None:
    sink.size_limit = limit
    body = text_body()

    assert isinstance(await send(connect(), body), Delivered)

    assert sink.mails[0].options == (() if limit is None else (f"SIZE={body.size_bytes}",))


# Addresses beyond ASCII


async def test_relay_without_smtputf8_refuses_what_needs_it(sink: SmtpSink, connect: Connect) -> None:
    sink.extensions = ("8BITMIME",)

    result = await send(connect(), rcpt_to="юлия@example.org")

    assert isinstance(result, Refused)
    assert result.reply.startswith("553 5.6.7")


async def test_smtputf8_is_asked_for_where_it_is_needed_only(sink: SmtpSink, connect: Connect) -> None:
    transport = connect()

    await send(transport, rcpt_to="юлия@example.org")
    await send(transport)

    assert [mail.options for mail in sink.mails] == [("BODY=8BITMIME", "SMTPUTF8"), ()]


# Old and odd relays


async def test_relay_that_knows_no_ehlo_is_greeted_with_helo(sink: SmtpSink, connect: Connect) -> None:
    sink.always(Phase.EHLO, Say("502 5.5.1 what is that"))

    assert isinstance(await send(connect()), Delivered)

    assert sink.commands[:2] == ["EHLO inkpost.example", "HELO inkpost.example"]


async def test_another_smtp_server_takes_our_mail(tmp_path_factory: pytest.TempPathFactory) -> None:
    mailbox = LoopbackMailbox(tmp_path_factory.mktemp("mailbox"))
    port = await mailbox.open()
    settings = RelaySettings(host="127.0.0.1", port=port, security=Security.PLAIN)
    transport = SmtpTransport(settings, ehlo_name="inkpost.example")

    body = BytesBody(HEADER + (b"." * 76 + b"\r\n") * 5000)

    result = await send(transport, body)

    assert result == Delivered("250 2.0.0 kept as number 1")
    assert mailbox.mails[0].raw == body.raw
    await transport.close()
    await mailbox.close()


# Login and encryption


async def test_wrong_password_is_our_fault_and_not_the_mails(sink: SmtpSink, connect: Connect) -> None:
    sink.passwords = {"books": "secret"}

    result = await send(connect(username="books", password=SecretStr("wrong")))

    assert result == Deferred("535 5.7.8 wrong user or password", is_peer_down=True)


async def test_login_is_made_once_a_connection(sink: SmtpSink, connect: Connect) -> None:
    sink.passwords = {"books": "secret"}
    transport = connect(username="books", password=SecretStr("secret"))

    await send(transport)
    await send(transport)

    assert [mail.auth_user for mail in sink.mails] == ["books", "books"]
    assert sink.commands.count("AUTH") == 1


async def test_relay_without_login_is_told_in_words(connect: Connect) -> None:
    result = await send(connect(username="books", password=SecretStr("secret")))

    assert isinstance(result, Deferred)
    assert "AUTH" in result.reply


async def test_starttls_is_never_given_up(sink: SmtpSink, connect: Connect) -> None:
    result = await send(connect(security=Security.STARTTLS))

    assert isinstance(result, Deferred)
    assert "STARTTLS" in result.reply
    assert not any(command.startswith("MAIL") for command in sink.commands)


async def test_certificate_of_a_stranger_is_not_believed() -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    for security in (Security.TLS, Security.STARTTLS):
        tls = {"implicit_tls": context} if security is Security.TLS else {"starttls": context}
        async with SmtpSink(**tls) as sink:  # type: ignore[arg-type]  # one of two keywords
            settings = RelaySettings(host=sink.host, port=sink.port, security=security)
            transport = SmtpTransport(settings, ehlo_name="inkpost.example")

            result = await send(transport)

            assert isinstance(result, Deferred)
            assert result.is_peer_down
            assert "certificate" in result.reply
            await transport.close()


def test_password_in_clear_text_goes_to_this_machine_only() -> None:
    RelaySettings(host="localhost", security=Security.PLAIN, username="books")
    with pytest.raises(ValueError, match="starttls"):
        RelaySettings(host="relay.example", security=Security.PLAIN, username="books")


# Connections


async def test_connection_is_kept_for_the_next_mail(sink: SmtpSink, connect: Connect) -> None:
    transport = connect()

    for _ in range(5):
        await send(transport)

    assert sink.connections == 1
    assert sink.commands.count("EHLO inkpost.example") == 1


async def test_refused_mail_leaves_the_connection_clean(sink: SmtpSink, connect: Connect) -> None:
    transport = connect()
    sink.script(Phase.RCPT, Say("550 5.1.1 no such user"))
    await send(transport)

    result = await send(transport)

    assert isinstance(result, Delivered)
    assert (sink.connections, sink.commands.count("RSET")) == (1, 1)


async def test_connection_that_broke_off_a_mail_is_not_used_again(sink: SmtpSink, connect: Connect) -> None:
    transport = connect()
    sink.script(Phase.UPLOAD, Say("552 5.3.4 that is enough"))
    await send(transport, LARGE)

    result = await send(transport)

    assert isinstance(result, Delivered)
    assert [mail.connection for mail in sink.mails] == [2]


async def test_connection_that_refused_a_whole_mail_is_not_used_again(sink: SmtpSink, connect: Connect) -> None:
    """The refusal may have come in the midst of it, with the last bytes on their way: the dot is then answered too."""
    transport = connect()
    sink.script(Phase.END, Say("451 4.3.0 try later", then="250 2.0.0 queued"))
    await send(transport)

    result = await send(transport)

    assert isinstance(result, Delivered)
    assert [mail.connection for mail in sink.mails] == [2]


async def test_connection_of_a_mail_that_could_not_be_read_is_closed(sink: SmtpSink, connect: Connect) -> None:
    transport = connect()

    with pytest.raises(Unavailable):
        await send(transport, BreakingBody(Unavailable("the store is away")))

    await sink.wait_until(lambda: sink.connections == 1 and sink.open_connections == 0)
    assert sink.mails == []


async def test_connection_is_replaced_after_so_many_mails(sink: SmtpSink, connect: Connect) -> None:
    transport = connect(mails_per_connection=2)

    for _ in range(5):
        await send(transport)

    assert [mail.connection for mail in sink.mails] == [1, 1, 2, 2, 3]


async def test_unused_connection_is_closed_with_quit(sink: SmtpSink, connect: Connect) -> None:
    transport = connect(idle_seconds=0.05)

    await send(transport)

    await sink.wait_until(lambda: sink.open_connections == 0)
    assert sink.commands[-1] == "QUIT"


async def test_close_says_goodbye(sink: SmtpSink, connect: Connect) -> None:
    transport = connect()
    await send(transport)

    await transport.close()

    assert sink.commands[-1] == "QUIT"


async def test_no_more_connections_at_once_than_are_allowed(sink: SmtpSink, connect: Connect) -> None:
    transport = connect(connections=2)

    results = await asyncio.gather(*(send(transport) for _ in range(20)))

    assert all(isinstance(result, Delivered) for result in results)
    assert sink.connections == 2


@pytest.mark.parametrize("phase", [Phase.MAIL, Phase.RCPT, Phase.DATA])
@pytest.mark.parametrize("act", [Drop(), Say("421 4.4.2 idle for too long")])
async def test_kept_connection_that_died_is_replaced_unnoticed(
    sink: SmtpSink, connect: Connect, phase: Phase, act: Act
) -> None:
    transport = connect()
    await send(transport)
    sink.script(phase, act)

    result = await send(transport)

    assert isinstance(result, Delivered)
    assert [mail.connection for mail in sink.mails] == [1, 2]


async def test_restarted_relay_is_found_again(sink: SmtpSink, connect: Connect) -> None:
    transport = connect()
    await asyncio.gather(*(send(transport) for _ in range(5)))
    port = sink.port
    await sink.close()
    async with SmtpSink(port=port) as restarted:
        result = await send(transport)

        assert isinstance(result, Delivered)
        assert len(restarted.mails) == 1


async def test_kept_connection_that_dies_behind_the_final_dot_is_not_tried_again(
    sink: SmtpSink, connect: Connect
) -> None:
    transport = connect()
    await send(transport)
    sink.script(Phase.END, KeepAndDrop())

    result = await send(transport)

    assert isinstance(result, Deferred)
    assert "unknown" in result.reply
    assert len(sink.mails) == 2


async def test_cancelled_mail_leaves_no_half_and_the_next_one_goes(sink: SmtpSink, connect: Connect) -> None:
    transport = connect(connections=1)
    await send(transport)
    sink.script(Phase.RCPT, Stall())
    sending = asyncio.create_task(send(transport))
    await sink.wait_until(lambda: sum(command.startswith("RCPT") for command in sink.commands) == 2)

    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending

    assert isinstance(await send(transport), Delivered)
    assert len(sink.mails) == 2


async def test_last_look_comes_after_the_recipient_and_before_the_message(sink: SmtpSink, connect: Connect) -> None:
    seen: list[str] = []

    async def look() -> None:
        seen.extend(sink.commands)

    await connect().send(mail_from=SENDER, rcpt_to=READER, body=text_body(), before_data=look)

    assert [command.split()[0] for command in seen] == ["EHLO", "MAIL", "RCPT"]


async def test_check_says_what_is_wrong_and_leaves_nothing_behind(sink: SmtpSink, connect: Connect) -> None:
    sink.script(Phase.CONNECT, Say("554 5.3.2 no service for you"))
    transport = connect()

    assert "554 5.3.2 no service for you" in str(await transport.check())
    assert await transport.check() is None

    await sink.wait_until(lambda: sink.open_connections == 0)
