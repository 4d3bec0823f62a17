"""Faults done to any EPUB, by a seed: what people's tools and disks do to books, one to three at a time."""

from __future__ import annotations

import io
import random
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

Members = dict[str, bytes]
Mutation = Callable[[Members, random.Random], None]


def mutated(content: bytes, seed: int) -> bytes:
    """The EPUB with one to three faults, the same ones for the same seed."""
    chance = random.Random(seed)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}
    for mutation in chance.sample(MUTATIONS, k=chance.randint(1, 3)):
        mutation(members, chance)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            is_stored = name == "mimetype" and chance.random() < 0.9
            archive.writestr(zipfile.ZipInfo(name), body, zipfile.ZIP_STORED if is_stored else zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def write_mutated(source: Path, target: Path, seed: int) -> None:
    target.write_bytes(mutated(source.read_bytes(), seed))


def _one(members: Members, chance: random.Random, *suffixes: str) -> str | None:
    names = [name for name in sorted(members) if name.lower().endswith(suffixes) and not name.startswith("META-INF")]
    return chance.choice(names) if names else None


def _in(suffixes: tuple[str, ...], pattern: bytes, new: bytes) -> Mutation:
    """One place of one such file in which `pattern` stands is changed."""

    def mutation(members: Members, chance: random.Random) -> None:
        name = _one(members, chance, *suffixes)
        found = list(re.finditer(pattern, members[name], re.DOTALL)) if name else []
        if name and found:
            match = chance.choice(found)
            members[name] = members[name][: match.start()] + match.expand(new) + members[name][match.end() :]

    return mutation


def _lose(*suffixes: str) -> Mutation:
    def mutation(members: Members, chance: random.Random) -> None:
        if (name := _one(members, chance, *suffixes)) is not None:
            del members[name]

    return mutation


def _empty(members: Members, chance: random.Random) -> None:
    if (name := _one(members, chance, *_PAGES, ".css", ".jpg", ".png")) is not None:
        members[name] = b""


def _cut(members: Members, chance: random.Random) -> None:
    if (name := _one(members, chance, *_PAGES)) is not None:
        members[name] = members[name][: chance.randrange(len(members[name]) + 1)]


def _flip(members: Members, chance: random.Random) -> None:
    if (name := _one(members, chance, *_PAGES, ".opf", ".ncx")) is not None and members[name]:
        body = bytearray(members[name])
        for _ in range(chance.randint(1, 5)):
            body[chance.randrange(len(body))] = chance.randrange(256)
        members[name] = bytes(body)


def _encode(encoding: str) -> Mutation:
    def mutation(members: Members, chance: random.Random) -> None:
        if (name := _one(members, chance, *_PAGES)) is not None:
            members[name] = members[name].decode("utf-8", "replace").encode(encoding, "xmlcharrefreplace")

    return mutation


def _respell(members: Members, chance: random.Random) -> None:
    if (name := _one(members, chance, ".jpg", ".png", ".css", *_PAGES)) is not None:
        folder, _, base = name.rpartition("/")
        spelt = chance.choice((base.upper(), base.capitalize(), base.replace(".", " .", 1), f"ü{base}"))
        members[f"{folder}/{spelt}".lstrip("/")] = members.pop(name)


def _shuffle(members: Members, chance: random.Random) -> None:
    names = list(members)
    chance.shuffle(names)
    for name in names:
        members[name] = members.pop(name)


def _no_mimetype(members: Members, chance: random.Random) -> None:
    members.pop("mimetype", None)


def _no_container(members: Members, chance: random.Random) -> None:
    members.pop("META-INF/container.xml", None)


_PAGES = (".xhtml", ".html", ".htm")
MUTATIONS: tuple[Mutation, ...] = (
    _in(_PAGES, rb"^\s*<\?xml[^>]*\?>", b""),
    _in(_PAGES, rb"^\s*<\?xml[^>]*\?>", b'\n<?xml version="1.0"?>'),
    _in(_PAGES, rb"<p", b'<img alt=""/><p'),
    _in(_PAGES, rb"<p", b'<img alt="x" src="https://127.0.0.1:1/x.png"/><p'),
    _in(_PAGES, rb"<p", b"<script>x()</script><p"),
    _in(_PAGES, rb"<p", b"<!-- a -- b --><p"),
    _in(_PAGES, rb"</p>", b"&nbsp;& </p>"),
    _in(_PAGES, rb"</p>", b""),
    _in(_PAGES, rb"<p", b"<p><b"),
    _in(_PAGES, rb"<p", b"\x0b\xff<p"),
    _in(_PAGES, rb"<body", b'<body id="all" onload="x()"'),
    _in(_PAGES, rb'id="[^"]*"', b'id="twice"'),
    _in(_PAGES, rb'href="[^"]*"', b'href="nowhere.xhtml#x"'),
    _in(_PAGES, rb'src="([^"]*)"', rb'src="/\1"'),
    _in(_PAGES, rb"<title>[^<]*</title>", b"<title/>"),
    _in(_PAGES, rb"<p", b'<p style="display:none" data-AmznRemoved="x"'),
    _in((".opf",), rb"<dc:language[^>]*>[^<]*</dc:language>", b"<dc:language>English</dc:language>"),
    _in((".opf",), rb"<dc:language[^>]*>[^<]*</dc:language>", b""),
    _in((".opf",), rb"<dc:title[^>]*>[^<]*</dc:title>", b"<dc:title/>"),
    _in((".opf",), rb"<dc:identifier[^>]*>[^<]*</dc:identifier>", b""),
    _in((".opf",), rb'unique-identifier="[^"]*"', b'unique-identifier="none"'),
    _in((".opf",), rb"<item\s[^>]*/>", b""),
    _in((".opf",), rb"<itemref\s[^>]*/>", b'<itemref idref="ghost"/>'),
    _in((".opf",), rb'media-type="[^"]*"', b'media-type="text/plain"'),
    _in((".opf",), rb'href="([^"]*)"', rb'href="./x/../\1"'),
    _in((".ncx",), rb'playOrder="[^"]*"', b'playOrder="1"'),
    _in((".ncx",), rb'src="[^"]*"', b'src="nowhere.xhtml"'),
    _in((".ncx",), rb'content="[^"]*"', b'content="another"'),
    _in((".css",), rb"\}", b"color: var(--x); background: url(gone.png) } @font-face { src: url(gone.otf) }"),
    _lose(".jpg", ".png", ".gif"),
    _lose(".css"),
    _lose(".ncx"),
    _lose(*_PAGES),
    _empty,
    _cut,
    _flip,
    _encode("iso-8859-1"),
    _encode("utf-16"),
    _respell,
    _shuffle,
    _no_mimetype,
    _no_container,
)
