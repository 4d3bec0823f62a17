"""The program `python -m tests.corpus security` in the suite: every set whose cases take milliseconds."""

from __future__ import annotations

from types import ModuleType

import pytest

from tests.corpus.manifest import corpus_folder, read_manifest
from tests.corpus.security import (
    arc,
    authres,
    crlf,
    dkim,
    dmarc,
    espoofer,
    families,
    feeds,
    injection,
    judge,
    loops,
    spf,
    ssrf,
    svg,
    xss,
)
from tests.corpus.security._outcome import NEEDED_SHARE, Outcome, Result

FOLDER = corpus_folder() / "security"

LONG = ("xss-feedparser-sanitize", "xss-html5lib", "xss-patt")
"""Sets whose cases take seconds: the program runs them."""

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="there is no corpus: set INKPOST_CORPUS")


@pytest.mark.parametrize(
    "family",
    [arc, authres, crlf, dkim, dmarc, espoofer, injection, loops, spf, ssrf, svg, xss],
    ids=lambda family: family.__name__,
)
def test_family_goes_as_its_sources_state(family: ModuleType) -> None:
    outcomes = [one for name in family.SETS if name not in LONG for one in family.run_set(FOLDER / name)]

    failed = [one for one in outcomes if one.result is Result.FAILED]
    assert (failed, judge(outcomes)) == ([], "ok")
    assert len(outcomes) > 3


def test_hostile_feeds_come_to_what_their_manifest_says() -> None:
    rows = [row for row in read_manifest(FOLDER) if row["file"].partition("/")[0] in feeds.SETS]

    wrong = [
        row["file"]
        for row in rows
        if not feeds.is_as(
            row["expected"], feeds.read_as_any((FOLDER / row["file"]).read_bytes()), FOLDER / row["file"]
        )
    ]

    assert rows
    assert wrong == []


def test_every_family_is_found_by_scanning() -> None:
    assert {arc, authres, dkim, dmarc, espoofer, spf} <= set(families())


def test_failure_and_too_many_differences_are_told() -> None:
    good = [Outcome(str(number)) for number in range(100)]
    differs = [Outcome("x", Result.DIFFERS)] * 2

    assert judge([*good, *differs[:1]]) == "ok"
    assert judge([*good, *differs]) == f"below {NEEDED_SHARE:.0%}"
    assert judge([*good, Outcome("y", Result.FAILED)]) == "FAILED"
