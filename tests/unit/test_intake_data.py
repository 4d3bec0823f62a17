"""DATA in a stream: what ends it, what it changes, and what it does not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.intake.data import LINE_TOO_LONG, LineLength, Transparency, receive_data
from bot.intake.policy import TOO_LARGE, Refusal
from bot.intake.spool import SpoolFolder
from core.values import Envelope

ENVELOPE = Envelope("a@example.org", ("books@books.example",))
MIB = 1024 * 1024
TOKENS = (b".", b"..", b"\r\n", b"\r", b"\n", b"x", b"\r\n.", b"\n.\r\n", b"\r\n..\r\n", b"\r.\r", b"\0", b"\xff")


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[SpoolFolder]:
    folder = SpoolFolder(tmp_path / "spool", inline_limit_bytes=1000)
    folder.prepare()
    yield folder
    folder.close()


async def received(
    stream: bytes, spool: SpoolFolder, *, cuts: list[int], max_bytes: int = 10**7
) -> tuple[Refusal | None, bytes, bytes]:
    """The refusal, what was stored, and what is left for the command loop."""
    reader = asyncio.StreamReader(limit=64)
    mail = spool.new()

    async def feed() -> None:
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            reader.feed_data(stream[start:end])
            await asyncio.sleep(0)
        reader.feed_eof()

    feeding = asyncio.create_task(feed())
    try:
        refusal = await receive_data(reader, mail, max_bytes=max_bytes)
        content = (await mail.finish(ENVELOPE)).content if refusal is None else b""
        stored = content if isinstance(content, bytes) else content.read_bytes()
        await feeding
        return refusal, stored, await reader.read()
    finally:
        feeding.cancel()
        mail.discard()


def stuffed(content: bytes) -> bytes:
    """RFC 5321 4.5.2, as a client does it, line by line."""
    lines = content.split(b"\r\n")
    return b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines)


contents = (
    st.lists(st.sampled_from(TOKENS), max_size=30).map(b"".join).map(lambda text: text + b"\r\n" if text else b"")
)


@settings(deadline=None, max_examples=100)
@given(content=contents, cuts=st.lists(st.integers(0, 150), max_size=12))
def test_what_was_sent_is_what_is_stored_however_it_was_cut(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, cuts: list[int]
) -> None:
    folder = SpoolFolder(tmp_path_factory.mktemp("spool"), inline_limit_bytes=50)
    stream = stuffed(content) + b".\r\nQUIT\r\n"
    cuts = sorted(cut for cut in cuts if cut < len(stream))
    try:
        assert asyncio.run(received(stream, folder, cuts=cuts)) == (None, content, b"QUIT\r\n")
    finally:
        folder.close()


async def test_empty_mail_ends_with_the_first_line(spool: SpoolFolder) -> None:
    assert await received(b".\r\nNOOP\r\n", spool, cuts=[1, 2]) == (None, b"", b"NOOP\r\n")


@pytest.mark.parametrize(
    "almost", [b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r\n.\0\r\n", b"\r\n\0.\r\n"]
)
async def test_almost_an_end_is_content(spool: SpoolFolder, almost: bytes) -> None:
    body = b"one" + almost + b"MAIL FROM:<b@example.org>\r\n"
    _, stored, rest = await received(body + b".\r\n", spool, cuts=[])
    assert (stored, rest) == (body.replace(b"\r\n.", b"\r\n"), b"")


async def test_mail_over_the_limit_is_read_to_its_end_and_refused(spool: SpoolFolder) -> None:
    stream = b"x" * 1500 + b"\r\n.\r\nNOOP\r\n"
    assert await received(stream, spool, cuts=[700], max_bytes=1000) == (TOO_LARGE, b"", b"NOOP\r\n")


async def test_mail_of_exactly_the_limit_is_taken(spool: SpoolFolder) -> None:
    refusal, stored, _ = await received(b"x" * 998 + b"\r\n.\r\n", spool, cuts=[], max_bytes=1000)
    assert (refusal, len(stored)) == (None, 1000)


async def test_dots_that_were_stuffed_do_not_count_for_the_size(spool: SpoolFolder) -> None:
    refusal, stored, _ = await received(b"..\r\n" * 300 + b".\r\n", spool, cuts=[500], max_bytes=900)
    assert (refusal, stored) == (None, b".\r\n" * 300)


async def test_peer_that_goes_away_leaves_nothing_behind(spool: SpoolFolder) -> None:
    with pytest.raises(asyncio.IncompleteReadError):
        await received(b"x" * 5000, spool, cuts=[2000])
    spool.disk.submit(lambda: None).result()
    assert list(spool.folder.iterdir()) == []


async def test_full_disk_is_told_after_the_end_of_the_mail(spool: SpoolFolder) -> None:
    spool.folder.rmdir()
    reader = asyncio.StreamReader(limit=64)
    reader.feed_data(b"x" * 5000 + b"\r\n.\r\nNOOP\r\n")
    with pytest.raises(OSError, match="No such file"):
        await receive_data(reader, spool.new(), max_bytes=10**6)
    assert await reader.readline() == b"NOOP\r\n"


@pytest.mark.parametrize("piece_bytes", [1000, 128 * 1024])
def test_line_of_a_mebibyte_is_not_too_long(piece_bytes: int) -> None:
    text = b"short\r\n" + b"x" * MIB + b"\r\nshort\r\n"
    line = LineLength()
    assert not any(line.is_exceeded(text[at : at + piece_bytes]) for at in range(0, len(text), piece_bytes))


@pytest.mark.parametrize("piece_bytes", [1000, 128 * 1024])
def test_line_over_a_mebibyte_is_too_long(piece_bytes: int) -> None:
    text = b"short\r\n" + b"x" * (MIB + 1) + b"\r\nshort\r\n"
    line = LineLength()
    assert any(line.is_exceeded(text[at : at + piece_bytes]) for at in range(0, len(text), piece_bytes))


async def test_endless_line_is_refused(spool: SpoolFolder) -> None:
    stream = b"x" * (MIB + 10) + b"\r\n.\r\n"
    refusal, _, _ = await received(stream, spool, cuts=[])
    assert refusal == LINE_TOO_LONG


def test_dots_behind_bare_line_ends_stay() -> None:
    assert Transparency().restore(b"a\n.b\r.c\r\n.d") == b"a\n.b\r.c\r\nd"
