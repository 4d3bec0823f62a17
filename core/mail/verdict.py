"""The verdict on a mail's From field: SPF, DKIM, DMARC and ARC put together. Pure; the look-ups were made before."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from core.mail.dmarc import DmarcRecord, Texts, is_aligned, organisation_by_list, policy_record
from core.mail.results import read_arc_results
from core.mail.signatures import ArcChain, SignatureResult

MUST_BE_SIGNED = frozenset({"from", "subject"})
"""What nobody may have changed in a mail that we act on: commands stand in its subject. Its body is always signed."""

ADDRESSED = frozenset({"to", "cc"})


@dataclass(frozen=True, slots=True)
class SpfResult:
    """`result` is a word of RFC 7208 2.6; `domain` is that of MAIL FROM, or of HELO where there is no reverse-path."""

    result: str = "none"
    domain: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is known of where a mail is from."""

    author_domain: str
    """Of the From field: A-labels, lower case."""
    spf: SpfResult = field(default_factory=SpfResult)
    signatures: tuple[SignatureResult, ...] = ()
    arc: ArcChain = field(default_factory=ArcChain)
    dmarc_texts: Texts = field(default_factory=dict)
    """Of the names that `dmarc.names_to_ask` asks for, for the author's and every candidate's domain."""
    author_exists: bool = True
    """The author's domain is a name at all."""
    dmarc_failed: bool = False
    """Name servers did not answer for one of them."""
    listed_sealers: frozenset[str] = frozenset()
    """Forwarders whose ARC seals are believed."""
    is_addressed_to_us: bool = False
    """One of our addresses stands in a To or Cc field."""


@dataclass(frozen=True, slots=True)
class Authenticity:
    """`result` is DMARC's: `pass`, `fail`, `temperror`, or `none` where the domain publishes no policy.

    `aligned_by` says what authenticates the author's domain: `dkim:example.org`, `spf:example.org`, `arc:list.example`.
    Where it is empty nobody knows who wrote the mail, whatever `result` says.
    """

    result: str
    policy: str = ""
    aligned_by: tuple[str, ...] = ()
    is_ours_to_read: bool = False
    """It was written to us, and no copy of a mail to somebody else can pass for it: see `_is_for_us`."""
    why: str = ""

    @property
    def is_authentic(self) -> bool:
        return bool(self.aligned_by) and self.result != "temperror"


def candidates(author_domain: str, domains: Collection[str]) -> frozenset[str]:
    """Those domains whose DMARC records are worth asking for: others cannot be aligned."""
    organisation = organisation_by_list(author_domain)
    return frozenset(
        domain for domain in domains if domain != author_domain and organisation_by_list(domain) == organisation
    )


def judge(evidence: Evidence) -> Authenticity:
    """Who may have written a mail as an address of `author_domain`."""
    record = policy_record(evidence.author_domain, evidence.dmarc_texts)
    policy = record.policy_for(evidence.author_domain, exists=evidence.author_exists) if record is not None else ""
    if evidence.dmarc_failed:
        return Authenticity("temperror", why="the name servers did not answer for the domain's DMARC record")
    signed = _aligned_signatures(evidence, record)
    by_spf = _is_spf_aligned(evidence, record)
    aligned_by = tuple(f"dkim:{one.domain}" for one in signed) + ((f"spf:{evidence.spf.domain}",) if by_spf else ())
    if not aligned_by and (why := _missing_answer(evidence, record)):
        return Authenticity("temperror", policy, why=why)
    if not aligned_by and _is_vouched_for(evidence):
        return Authenticity("pass", policy, (f"arc:{evidence.arc.sealers[-1]}",), is_ours_to_read=True)
    is_for_us = any(_is_for_us(one, evidence, by_spf=by_spf) for one in signed)
    if aligned_by:
        return Authenticity("none" if record is None else "pass", policy, aligned_by, is_ours_to_read=is_for_us)
    return Authenticity("none" if record is None else "fail", policy, why=_explain(evidence))


def _aligned_signatures(evidence: Evidence, record: DmarcRecord | None) -> list[SignatureResult]:
    strict = record is not None and record.strict_dkim
    return [
        one
        for one in evidence.signatures
        if one.result == "pass"
        and one.fields >= MUST_BE_SIGNED
        and is_aligned(one.domain, evidence.author_domain, evidence.dmarc_texts, strict=strict)
    ]


def _is_spf_aligned(evidence: Evidence, record: DmarcRecord | None) -> bool:
    strict = record is not None and record.strict_spf
    return evidence.spf.result == "pass" and is_aligned(
        evidence.spf.domain, evidence.author_domain, evidence.dmarc_texts, strict=strict
    )


def _is_for_us(signature: SignatureResult, evidence: Evidence, *, by_spf: bool) -> bool:
    """A signature holds for whoever has a copy of the mail: somebody whom the author once wrote to could send theirs
    on to us. So To and Cc are signed too and name us, or the author's own server brought the mail."""
    return by_spf or (evidence.is_addressed_to_us and signature.fields >= ADDRESSED)


def _missing_answer(evidence: Evidence, record: DmarcRecord | None) -> str:
    """What the name servers still owe that could make the mail authentic, "" if nothing."""
    texts = evidence.dmarc_texts
    for one in evidence.signatures:
        if one.result == "temperror" and is_aligned(one.domain, evidence.author_domain, texts, strict=False):
            return f"the name servers did not answer for the key of {one.domain}"
    spf = evidence.spf
    if spf.result == "temperror" and is_aligned(spf.domain, evidence.author_domain, texts, strict=False):
        return f"the name servers did not answer for the SPF record of {spf.domain}"
    if evidence.arc.result == "temperror" and evidence.listed_sealers:
        return "the name servers did not answer for the key of an ARC seal"
    return ""


def _is_vouched_for(evidence: Evidence) -> bool:
    """Whether forwarders that we know have seen the mail pass: every seal is a listed one's, the newest holds, and the
    first of them found DMARC to pass for this author."""
    arc = evidence.arc
    if arc.result != "pass" or not arc.fields >= MUST_BE_SIGNED:
        return False
    if not arc.sealers or not all(sealer in evidence.listed_sealers for sealer in arc.sealers):
        return False
    found = read_arc_results(arc.first_results)
    return found is not None and found.passes_dmarc(evidence.author_domain)


def _explain(evidence: Evidence) -> str:
    """Why nothing authenticates the author, in one sentence for the operator."""
    said = [f"SPF {evidence.spf.result}" + (f" for {evidence.spf.domain}" if evidence.spf.domain else "")]
    said += [
        f"DKIM {one.result} for {one.domain or '(no domain)'}" + (f" ({one.why})" if one.why else "")
        for one in evidence.signatures
    ] or ["no DKIM signature"]
    if evidence.arc.result != "none":
        said.append(f"ARC {evidence.arc.result}" + (f" ({evidence.arc.why})" if evidence.arc.why else ""))
    return f"nothing authenticates {evidence.author_domain}: {', '.join(said)}"
