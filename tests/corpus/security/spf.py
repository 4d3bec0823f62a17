"""SPF: the suite of RFC 7208 (and what is left of RFC 4408's in it), and mail-auth's cases, by `bot.spf`."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.reversename

from bot.spf import check_spf
from core.values import Envelope, Peer
from tests.corpus.security._outcome import Outcome, compare
from tests.support.names import FakeDns

SETS = ("spf-rfc7208", "spf-mail-auth")

DIFFERENCES = {
    "all/0.1": "RFC 7208 4.6: a mechanism that does not exist is an error wherever it stands, also behind all",
    "exists/0.2": "RFC 7208 5.7: exists asks for A records, whatever the client's address is",
    "ip/1.4": "RFC 7208 5: ip6 does not match a client with an IPv4 address",
}

_RECORD_KINDS = ("a", "aaaa", "mx", "ptr", "spf", "exp", "txt")
_UNANSWERED = ("_dns_error.test.org",)
"""A name that the source's own resolver fails to look up."""

Records = dict[str, list[tuple[str, str]] | str]


def run_set(folder: Path) -> Iterator[Outcome]:
    for file in sorted(folder.glob("*.json")):
        yield from _run_scenario(file)
    for file in sorted(folder.glob("*.yml")):
        yield from _run_documents(file)


def _spf(zone: Records, *, ip: str, mail_from: str, helo: str) -> str:
    envelope, peer = Envelope(mail_from, ("books@inkpost.test",)), Peer(ip, helo=helo)
    return asyncio.run(check_spf(FakeDns({name.lower(): rows for name, rows in zone.items()}), envelope, peer)).result


def _run_scenario(file: Path) -> Iterator[Outcome]:
    scenario: dict[str, Any] = json.loads(file.read_text("utf-8"))
    zone = {name: _zone_records(rows) for name, rows in scenario["zonedata"].items()}
    for name, test in scenario["tests"].items():
        got = _spf(zone, ip=test["host"], mail_from=test["mailfrom"], helo=test["helo"])
        yield compare(f"{file.stem}/{name}", wanted=test["result"], got=got, differences=DIFFERENCES)


def _zone_records(rows: list[Any]) -> list[tuple[str, str]] | str:
    """A record of the old type SPF stands for one of type TXT, unless the name has TXT records of its own."""
    if "TIMEOUT" in rows and len(rows) == 1:
        return "TIMEOUT"
    named = [next(iter(row.items())) for row in rows if isinstance(row, dict)]
    has_text = any(kind == "TXT" for kind, _ in named)
    found = []
    for kind, value in named:
        if kind == "SPF" and has_text:
            continue
        if kind == "MX":
            value = value[1]
        elif isinstance(value, list):
            value = "".join(value)
        if value != "NONE":
            found.append(("TXT" if kind == "SPF" else kind, value.rstrip(".") if kind != "TXT" else value))
    return found


def _run_documents(file: Path) -> Iterator[Outcome]:
    """A small YAML of its own: zones under `records`, and `tests` whose keys hold until they are said again."""
    for number, text in enumerate(file.read_text("utf-8").split("\n---")):
        lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        head, _, tests = "\n".join(lines).partition("tests:")
        zone_lines = head.partition("records:")[2].splitlines()
        yield from _run_tests(f"{file.stem}/{number}", [line.strip() for line in zone_lines if line.strip()], tests)


def _run_tests(case: str, zone_lines: list[str], tests: str) -> Iterator[Outcome]:
    now: dict[str, str] = {}
    own: list[str] = []
    numbers = itertools.count(1)
    for line in tests.splitlines():
        key, _, value = line.strip().removeprefix("- ").partition(":")
        if key == "name":
            own = []
        if key in _RECORD_KINDS:
            own.append(f"{key}: {value.strip()}")
        now[key] = value.strip()
        if key == "expect":
            zone = _document_zone([*zone_lines, *own])
            got = _spf(zone, ip=now["ip"], mail_from=now["sender"], helo=now.get("helo") or now["domain"])
            yield compare(f"{case}.{next(numbers)}", wanted=value.split()[0], got=got, differences=DIFFERENCES)


def _document_zone(lines: list[str]) -> Records:
    """`mx: example.com 192.0.2.129, 192.0.2.130`: hosts stand for themselves, an MX or a PTR may name addresses."""
    zone: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for line in lines:
        kind, _, rest = line.partition(":")
        name, _, value = rest.strip().partition(" ")
        match kind:
            case "spf" | "exp" | "txt":
                zone[name].append(("TXT", value))
            case "mx":
                for number, address in enumerate(value.split(",")):
                    host = f"mx{number}.{name}"
                    zone[name].append(("MX", host))
                    zone[host].append(("AAAA" if ":" in address else "A", address.strip()))
            case "ptr":
                zone[_reverse(name)] += [("PTR", host.strip().rstrip(".")) for host in value.split(",")]
            case _:
                zone[name] += [(kind.upper(), address.strip()) for address in value.split(",")]
    return {**zone, **dict.fromkeys(_UNANSWERED, "SERVFAIL")}


def _reverse(address: str) -> str:
    return dns.reversename.from_address(address).to_text(omit_final_dot=True).lower()
