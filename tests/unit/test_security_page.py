"""docs/security.md holds the table of tiers that the code has."""

from __future__ import annotations

import pytest

from core.values import Proof, Trust
from handlers._registry import load_handlers
from tests.corpus.manifest import ROOT

PAGE = (ROOT / "docs/security.md").read_text("utf-8")


@pytest.mark.parametrize("proof", list(Proof))
def test_page_says_what_each_proof_is_good_for(proof: Proof) -> None:
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{proof.value}` |")]

    assert row.endswith(f"| {proof.trust.name} |")


@pytest.mark.parametrize("tier", [Trust.READ, Trust.DELIVER, Trust.CHANGE])
def test_page_names_the_commands_of_each_tier(tier: Trust) -> None:
    names = sorted(name for name, handler in load_handlers().items() if handler.SPEC.trust is tier)

    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| {tier.name} |")]
    assert row.endswith(f"| {' '.join(f'`{name}`' for name in names)} |")


def test_page_names_the_forms_that_only_show() -> None:
    forms = [
        f"`{f'{name} {word}'.strip()}`"
        for name, handler in sorted(load_handlers().items())
        for word in handler.SPEC.reading_words
    ]

    (line,) = [line for line in PAGE.splitlines() if line.startswith("Forms that only show")]
    assert line == f"Forms that only show something need READ: {', '.join(forms)}."


def test_nothing_that_removes_is_done_on_a_mail_alone() -> None:
    destructive = [name for name, handler in load_handlers().items() if handler.SPEC.is_destructive]

    assert {"remove", "unsubscribe"} <= set(destructive)
    assert {load_handlers()[name].SPEC.trust for name in destructive if name != "confirm"} == {Trust.CHANGE}
