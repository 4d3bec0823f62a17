"""What the service and its process for SMTP say to each other, over a real pair of sockets."""

from __future__ import annotations

import asyncio
import pickle
import socket

from bot.intake.smtpd_link import Answer, Message, Question, Ready, SmtpdLink

SAID: list[Message] = [Ready(), Question(1, "refuse_alias", ("x" * 70_000,)), Answer(1, None, unavailable="it is away")]


def _no_end() -> None:
    raise AssertionError("it has not ended")


async def test_what_is_said_in_one_turn_of_the_loop_leaves_together_and_comes_in_pieces() -> None:
    ours, theirs = socket.socketpair()
    heard: list[Message] = []
    gone = asyncio.Event()
    link = SmtpdLink(hear=heard.append, end=gone.set)
    await asyncio.get_running_loop().create_unix_connection(lambda: link, sock=ours)
    for message in SAID:
        link.send(message)
    link.close()
    reader, writer = await asyncio.open_unix_connection(sock=theirs)

    wire = await reader.read()

    assert pickle.loads(wire[4:]) == SAID  # one pickle is all of it
    other = SmtpdLink(hear=heard.append, end=_no_end)
    for octet in wire:
        other.data_received(bytes([octet]))
    assert heard == SAID
    writer.close()
    await gone.wait()


async def test_what_is_said_when_the_other_end_is_gone_is_forgotten() -> None:
    ours, theirs = socket.socketpair()
    gone = asyncio.Event()
    link = SmtpdLink(hear=lambda _: None, end=gone.set)
    await asyncio.get_running_loop().create_unix_connection(lambda: link, sock=ours)
    theirs.close()
    await gone.wait()

    link.send(Ready())
    link.close()
