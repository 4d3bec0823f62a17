"""Mutations of files, as values that hypothesis draws and shrinks: what the strategies of mails and books share."""

from __future__ import annotations

import random
from functools import cache
from typing import NamedTuple

from hypothesis import strategies as st

from tests.corpus.manifest import corpus_folder

MOST_SEEDS = 300
TOKENS = (
    b"\r\n", b"\r", b"\n", b"\0", b"\xff\xfe", b"\x80", b"--", b"=?utf-8?b?", b"?=", b"=?x?q?=00?=", b";", b"<", b">",
    b'"', b"Content-Type: multipart/mixed; boundary=a\r\n", b"Content-Transfer-Encoding: uuencode\r\n",
    b"charset=utf-7;", b"name*0*=utf-8''%ff;", b"&#xD800;", b"&#0;", b"<![CDATA[", b'<!DOCTYPE x [<!ENTITY a "b">]>',
    b"../", b"#%00", b'href=""', b'xmlns=""', b"<svg>", b'id="one"', b"-1", b"99999999999999999999", b"\xed\xa0\x80",
    b"e\xcc\x81", b"{x", b"<?xml", b"PK\x05\x06", b"PK\x01\x02", b"PK\x03\x04",
)  # fmt: skip


class Mutation(NamedTuple):
    """One change, at a place that is a millionth of the file."""

    kind: str
    at: int
    length: int
    token: bytes
    times: int


MUTATIONS = st.lists(
    st.builds(
        Mutation,
        kind=st.sampled_from(("overwrite", "insert", "cut", "repeat", "cross", "flip", "end")),
        at=st.integers(0, 1_000_000),
        length=st.integers(0, 400),
        token=st.sampled_from(TOKENS) | st.binary(min_size=1, max_size=4),
        times=st.sampled_from((1, 1, 1, 2, 50)),
    ),
    max_size=8,
)


def mutated(data: bytes, other: bytes, mutations: list[Mutation]) -> bytes:
    """The file after these changes; what is crossed in is of `other`. Pure."""
    for one in mutations:
        at = len(data) * one.at // 1_000_000
        until = min(len(data), at + one.length)
        match one.kind:
            case "overwrite":
                data = data[:at] + one.token + data[at + len(one.token) :]
            case "insert":
                data = data[:at] + one.token * one.times + data[at:]
            case "cut":
                data = data[:at] + data[until:]
            case "repeat":
                data = data[:until] + data[at:until] * one.times + data[until:]
            case "cross":
                begin = len(other) * one.at // 1_000_000
                data = data[:at] + other[begin : begin + 5 * one.length] + data[at:]
            case "flip":
                data = data[:at] + bytes(byte ^ one.times for byte in data[at : at + 3]) + data[at + 3 :]
            case _:
                data = data[: max(at, len(data) // 4)]
    return data


@cache
def corpus_seeds(kind: str, suffixes: tuple[str, ...], most_bytes: int) -> tuple[bytes, ...]:
    """Small files of the corpus, the same in each run; none where there is no corpus."""
    folder = corpus_folder() / kind
    files = sorted(file for file in folder.rglob("*") if file.suffix in suffixes) if folder.is_dir() else []
    small = [file for file in files if file.stat().st_size <= most_bytes]
    return tuple(file.read_bytes() for file in random.Random(kind).sample(small, min(MOST_SEEDS, len(small))))
