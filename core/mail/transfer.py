"""Content-Transfer-Encodings undone block by block (RFC 2045 6, and uuencode), as tolerant as mail programs are."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator

import pybase64

from core.mail.mailfile import MailFile

UUENCODE = frozenset({"x-uuencode", "uuencode", "x-uue", "uue"})
_LINE_BLOCK_BYTES = 64 * 1024
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_NO_BASE64 = bytes(byte for byte in range(256) if byte not in _BASE64)


def decoded_body(file: MailFile, start: int, end: int, *, encoding: str) -> Iterator[bytes]:
    """The body between two places of `file`, decoded, in blocks. Unknown encodings are taken for none."""
    if encoding == "base64":
        return _decode_base64(file, start, end)
    if encoding == "quoted-printable":
        return (binascii.a2b_qp(lines) for lines in whole_lines(file.blocks(start, end)))
    if encoding in UUENCODE:
        return _decode_uuencode(file.blocks(start, end))
    return file.blocks(start, end)


def _decode_base64(file: MailFile, start: int, end: int) -> Iterator[bytes]:
    """What is no base64 is skipped, and what comes after the padding: list servers put their footers there.

    Blocks are cut at line ends where lines are of one length, as they nearly always are: then each decodes by itself,
    and `b64decode` is all the work. It raises on a block that ends within a group of four, which is then kept over.
    """
    first_line = file.read(start, start + 1000).find(b"\n") + 1
    block_bytes = first_line * max(_LINE_BLOCK_BYTES // first_line, 1) if first_line else _LINE_BLOCK_BYTES
    kept = b""
    for block in file.blocks(start, end, block_bytes):
        if not kept and b"=" not in block:
            try:
                yield pybase64.b64decode(block)
                continue
            except binascii.Error:
                pass
        letters = kept + block.translate(None, _NO_BASE64)
        letters, padding, _ = letters.partition(b"=")
        whole = len(letters) // 4 * 4
        yield pybase64.b64decode(letters[:whole])
        kept = letters[whole:]
        if padding:
            break
    if len(kept) > 1:  # a single letter holds six bits, which are no byte
        yield binascii.a2b_base64(kept + b"==")


def looks_like_base64(sample: bytes) -> bool:
    """Whether a text that is declared base64 may be: some programs declare it and encode nothing."""
    return all(not line.strip().translate(None, _BASE64) for line in sample.splitlines())


def whole_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes cut behind line ends, or at the end of a block without one."""
    kept = b""
    for block in blocks:
        head, newline, tail = block.rpartition(b"\n")
        if newline:
            yield kept + head + newline
            kept = tail
        else:
            yield kept
            kept = block
    yield kept


_UU_BEGIN = re.compile(rb"begin [0-7]{3,4} +([^\r\n]+?)[ \t]*\r?\n?")


def _decode_uuencode(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The first uuencoded file in a body, without what stands before and behind it."""
    inside = False
    for lines in whole_lines(blocks):
        decoded: list[bytes] = []
        for line in lines.splitlines():
            if not inside:
                inside = _UU_BEGIN.fullmatch(line) is not None
            elif line.strip() == b"end":
                yield b"".join(decoded)
                return
            else:
                decoded.append(uu_line(line) or b"")
        yield b"".join(decoded)


def uu_begin(line: bytes) -> bytes | None:
    """The file name of a line that begins a uuencoded file, None if it is another line."""
    match = _UU_BEGIN.fullmatch(line)
    return match[1] if match else None


def uu_line(line: bytes) -> bytes | None:
    """A uuencoded line's bytes, None if it is no such line."""
    line = line.rstrip(b"\r\n")
    if not line:
        return b""
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:
        pass
    # Some encoders pad lines further than they should: the first letter says how many bytes there are.
    length = (((line[0] - 32) & 63) * 4 + 5) // 3
    try:
        return binascii.a2b_uu(line[:length])
    except binascii.Error:
        return None
