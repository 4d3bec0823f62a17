"""Authentication-Results (RFC 8601): what another server found out, for those who have reason to believe it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import authres

_FIELD = "Authentication-Results"
_MAX_CHARS = 8000
_LDH = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")


@dataclass(frozen=True, slots=True)
class Finding:
    """One result: `dmarc`, `pass`, and the domain of the From field that it is about ("" if it does not say)."""

    method: str
    result: str
    from_domain: str = ""


@dataclass(frozen=True, slots=True)
class Results:
    """One field, or several of one server."""

    authserv_id: str
    findings: tuple[Finding, ...]

    def passes_dmarc(self, author_domain: str) -> bool:
        """Whether DMARC passed for this From domain: at least once, and nowhere anything else."""
        found = [one for one in self.findings if one.method == "dmarc"]
        return bool(found) and all(one.result == "pass" and one.from_domain == author_domain for one in found)

    @property
    def dmarc(self) -> str:
        """The first DMARC result, or `none`."""
        return next((one.result for one in self.findings if one.method == "dmarc"), "none")


def upstream_results(headers: Sequence[tuple[str, str]], authserv_id: str) -> Results | None:
    """What the server that handed the mail to us wrote on top of it, None if nothing.

    Only what stands above the first Received field is its own: all below was in the mail that it got, and a field of
    its name there is somebody's forgery (RFC 8601 5 has the server remove it, which we do not lean on). One field of
    the name that cannot be read spoils the others: part of a result is worth nothing.
    """
    wanted = authserv_id.lower()
    findings: list[Finding] = []
    is_there = False
    for value in _above_received(headers):
        try:
            results = _parse(value)
        except _Unreadable:
            if wanted in value.lower():
                return None
            continue
        if results.authserv_id == wanted:
            is_there = True
            findings += results.findings
    return Results(wanted, tuple(findings)) if is_there else None


def mailbox_results(headers: Sequence[tuple[str, str]], authserv_id: str) -> Results | None:
    """What the provider of a mailbox found out about a mail that was fetched from there, None if nothing.

    Its servers write below Received fields of their own, so these mark no border. What marks it is that everything
    which they add is above all that the mail came with: the topmost of all such fields has to be theirs. One more of
    their name anywhere below it shows that they let a stranger's stand, and then neither counts.
    """
    fields = [value for name, value in headers if name.strip().lower() == _FIELD.lower()]
    wanted = authserv_id.lower()
    if not fields or any(wanted in value.lower() for value in fields[1:]):
        return None
    try:
        results = _parse(fields[0])
    except _Unreadable:
        return None
    return results if results.authserv_id == wanted else None


def read_arc_results(value: str) -> Results | None:
    """An ARC-Authentication-Results field without its instance (RFC 8617 4.1.1); None for what cannot be read."""
    try:
        return _parse(value)
    except _Unreadable:
        return None


class _Unreadable(ValueError):
    """A field that is not of RFC 8601's form."""


def _above_received(headers: Sequence[tuple[str, str]]) -> Iterator[str]:
    for name, value in headers:
        if name.strip().lower() == "received":
            return
        if name.strip().lower() == _FIELD.lower():
            yield value


def _parse(value: str) -> Results:
    if len(value) > _MAX_CHARS:
        raise _Unreadable("too long")
    try:
        header = authres.AuthenticationResultsHeader.parse(f"{_FIELD}: {value}")
    except (authres.AuthResError, ValueError, IndexError, RecursionError) as error:
        raise _Unreadable(str(error)) from error
    findings = tuple(
        Finding(one.method.lower(), (one.result or "").lower(), _from_domain(one))
        for one in header.results
        if isinstance(getattr(one, "method", None), str)
    )
    return Results((header.authserv_id or "").lower(), findings)


def _from_domain(result: authres.AuthenticationResult) -> str:
    """`header.from`, which is a domain (RFC 8601 2.7.1), or an address as some write it; "" unless it is one, alone."""
    values = {
        (one.value or "").lower().rpartition("@")[2]
        for one in result.properties or ()
        if (one.type, one.name) == ("header", "from")
    }
    domain = values.pop() if len(values) == 1 else ""
    return domain if _LDH.fullmatch(domain) else ""
