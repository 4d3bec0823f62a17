"""DMARC: rspamd's and SpamAssassin's mails through the whole of `bot.origin`, with rspamd's zone."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bot.origin import OriginCheck
from bot.sandbox import Sandbox, SandboxSettings
from core.mail.author import NoAuthor, decide_author
from core.mail.verdict import Authenticity
from core.values import Envelope, Peer
from tests.corpus.security._outcome import Outcome, compare, skipped
from tests.support.names import FakeDns, Zone

SETS = ("dmarc-rspamd", "dmarc-spamassassin")

_RECORD = re.compile(
    r"\{(?:[^{}]|\n)*?name = \"([^\"]+)\"[,;]\s*(?:#[^\n]*)?\s*type = \"?(\w+)\"?;?([^{}]*?)\}", re.DOTALL
)
_REPLIES = re.compile(r"replies = \[(.*?)\];", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Case:
    """A mail, how it came, and what its source says: DMARC's result, and the policy where it fails."""

    file: str
    wanted: str
    policy: str = ""
    ip: str = ""
    mail_from: str = ""


RSPAMD = (
    Case("dmarc__pass_none.eml", "pass"),
    Case("dmarc__fail_reject.eml", "fail", "reject"),
    Case("dmarc__fail_quarantine.eml", "fail", "quarantine"),
    Case("dmarc__subdomain_fail_reject.eml", "fail", "reject"),
    Case("dmarc__onsubdomain_fail_alignment.eml", "fail", "reject"),
    Case("dmarc__onsubdomain_fail_alignment.eml", "pass", "", "37.48.67.26", "foo@yo.mom.za.org"),
    Case("dmarc__onsubdomain_fail_alignment.eml", "fail", "reject", "37.48.67.26", "foo@mom.za.org"),
    Case("dmarc__pct_none1.eml", "fail", "", "37.48.67.26", "foo@mom.za.org"),
    Case("dmarc__bad_dkim4.eml", "fail"),
    Case("dmarc__bad_dkim_rspamd.eml", "fail"),
    Case("dmarc__good_dkim_highsecure.eml", "pass"),
    Case("dmarc__no_dkim_valid_spf.eml", "fail"),
    Case("arcbad.eml", "fail"),
    Case("ed25519.eml", "pass"),
)
"""After rspamd's functional tests (117_dmarc.robot, 116_dkim.robot, 105_mimetypes.robot); a domain without a record
"fails" here where nothing authenticates it, and "passes" where something does: that is what we ask."""


def run_set(folder: Path) -> Iterator[Outcome]:
    if folder.name == "dmarc-rspamd":
        zone = rspamd_zone(folder.parent / "dmarc-rspamd-zone")
        for number, case in enumerate(RSPAMD):
            yield _run(folder, case, zone, label=f"{number}:{case.file}")
        return
    for file in sorted(folder.iterdir()):
        if file.name.startswith("nice"):
            yield skipped(file.name, "signed with SHA-1 in 2005, and the set gives no keys")
        else:
            yield _run(folder, Case(file.name, "fail"), {}, label=file.name)


def _run(folder: Path, case: Case, zone: Zone, *, label: str) -> Outcome:
    raw = (folder / case.file).read_bytes()
    try:
        author = decide_author(re.split(rb"\r?\n\r?\n", raw, maxsplit=1)[0] + b"\r\n").address
    except NoAuthor:
        return compare(label, wanted=case.wanted, got="fail")
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "mail.eml")
        path.write_bytes(raw)
        found = asyncio.run(_check(path, author.rpartition("@")[2], case, zone))
    got = "pass" if found.is_authentic else "temperror" if found.result == "temperror" else "fail"
    if case.policy and got == "fail":
        return compare(label, wanted=f"fail {case.policy}", got=f"{got} {found.policy}")
    return compare(label, wanted=case.wanted, got=got)


async def _check(raw: Path, domain: str, case: Case, zone: Zone) -> Authenticity:
    sandbox = Sandbox(SandboxSettings())  # not used: these mails are small
    return await OriginCheck(FakeDns(zone), sandbox).check(
        raw,
        author_domain=domain,
        envelope=Envelope(case.mail_from, ("books@inkpost.test",)),
        peer=Peer(case.ip or None),
        is_addressed_to_us=True,
    )


def rspamd_zone(folder: Path) -> Zone:
    """The `fake_records` of rspamd's configurations; of two for one name, the first file's."""
    zone: dict[str, list[tuple[str, str]] | str] = {}
    for file in (folder / "merged-local.conf", folder / "plugins.conf"):
        text = file.read_text("utf-8")
        for name, kind, rest in _RECORD.findall(text):
            replies = _REPLIES.search(rest)
            if "timeout" in rest or "servfail" in rest:
                zone.setdefault(name.lower(), "TIMEOUT")
            elif replies is not None and not isinstance(rows := zone.setdefault(name.lower(), []), str):
                rows += [
                    (kind.upper(), value)
                    for value in re.findall(r'"([^"]*)"', replies[1])
                    if (kind.upper(), value) not in rows
                ]
    return zone
