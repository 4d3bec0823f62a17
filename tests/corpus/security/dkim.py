"""DKIM: signed mails of other projects with the keys that they give, by `core.mail.signatures`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import time_machine

from core.mail.signatures import check_signatures, read_claims
from tests.corpus.security._outcome import Outcome, compare, skipped

SETS = ("dkim-dkimpy", "dkim-arc-mail-auth", "dkim-spamassassin")

STALWART_NOW = 1_667_843_664  # the moment that mail-auth's own tests run at; one signature ends a day later
NO_KEY = "the set gives no key for it"

_FOOTBALL = {
    "brisbane._domainkey.football.example.com": "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    "test._domainkey.football.example.com": (
        "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J1"
        "6JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT"
        "+l/K4w3QIDAQAB"
    ),
}
_DKIMPY = {
    "rfc6376.signed.msg": ["pass", "pass"],
    "rfc6376.signed.rsa.msg": ["pass"],
    "test.message.baddomain": ["policy"],
    "ed25519test2.msg": ["pass"],
    "ed25519test.msg": [],
    "rfc6376.msg": [],
    "rfc6376.w1258.msg": [],
    "test.message": [],
    "test_extra.message": [],
    "test_nofrom.message": [],
}
"""What dkimpy's own tests make of its messages; the key records beside them are for messages that they sign."""


def run_set(folder: Path) -> Iterator[Outcome]:
    yield from _RUN[folder.name](folder)


def _results(raw: bytes, keys: dict[str, str]) -> list[str]:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "mail.eml")
        path.write_bytes(raw)
        names = read_claims(path).key_names
        found = check_signatures(path, {name: keys.get(name, "") for name in names})
    return [one.result for one in found.signatures]


def _run_dkimpy(folder: Path) -> Iterator[Outcome]:
    text = (folder / "eximtest.dns").read_text("ascii").strip()
    keys = {**_FOOTBALL, "sed._domainkey.test.ex": text, "test._domainkey.legitimate.com(.attacker.com": "x"}
    for file in sorted(folder.iterdir()):
        if file.name in _DKIMPY:
            yield compare(file.name, wanted=[_DKIMPY[file.name]], got=_results(file.read_bytes(), keys))
        elif file.suffix == ".mbox":
            yield skipped(file.name, NO_KEY)
    yield from _run_key_records(folder)


def _run_key_records(folder: Path) -> Iterator[Outcome]:
    """dkimpy's key records under its signed message: a wrong version or damaged key must not verify it."""
    raw = (folder / "rfc6376.signed.rsa.msg").read_bytes()
    name = "test._domainkey.football.example.com"
    for file, wanted in {"test.txt": "pass", "badversion.txt": "fail", "test_bad.txt": "fail"}.items():
        got = _results(raw, {name: (folder / file).read_text("ascii").strip()})
        yield compare(file, wanted=wanted, got="pass" if got == ["pass"] else "fail")


def _run_mail_auth(folder: Path) -> Iterator[Outcome]:
    """Key records, a blank line, the mail, whose last signature holds; and does not once the body is changed."""
    for file in sorted(folder.glob("dkim__*.txt")):
        records, _, raw = file.read_bytes().partition(b"\n\n")
        keys = dict(line.decode().split(" ", 1) for line in records.splitlines())
        with time_machine.travel(STALWART_NOW, tick=False):
            yield compare(file.name, wanted="pass", got=_results(raw, keys)[-1])
            yield compare(f"{file.name}+body", wanted="fail", got=_results(raw + b"more\n", keys)[-1])


def _run_spamassassin(folder: Path) -> Iterator[Outcome]:
    """Without the keys of sa-test.spamassassin.org: what must fail does not pass, what would pass cannot be run."""
    for file in sorted(folder.iterdir()):
        if "-pass-" in file.name:
            yield skipped(file.name, NO_KEY)
        else:
            got = _results(file.read_bytes(), {})
            yield compare(file.name, wanted="not passed", got="passed" if "pass" in got else "not passed")


_RUN = {"dkim-dkimpy": _run_dkimpy, "dkim-arc-mail-auth": _run_mail_auth, "dkim-spamassassin": _run_spamassassin}
