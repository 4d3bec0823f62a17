"""`python -m tests.bench fuzz` in the suite: some of its examples, and that it would find something."""

from __future__ import annotations

import random

import pytest

from tests.bench import fuzz


def test_nothing_is_raised_by_mutated_mails_commands_and_books() -> None:
    counts, findings = fuzz.fuzz(120, seed=7)

    assert findings == []
    assert counts.total() == 120
    assert {name.partition(" ")[0] for name in counts} == set(fuzz.SHARES)


def test_what_is_raised_is_a_finding_with_the_number_that_shows_it_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(fuzz, "read_commands", broken)

    assert fuzz.main(["--examples", "10", "--seed", "7"]) == 1
    told = capsys.readouterr().out
    first = next(line for line in told.splitlines() if line.startswith("commands")).split()[1].rstrip(":")
    assert fuzz.main(["--examples", "10", "--seed", "7", "--only", first]) == 1
    assert "KeyError: 'a bug'" in told


def test_mutations_are_the_same_for_the_same_seed() -> None:
    first, again = (fuzz.mutated(b"abc" * 100, b"xyz", random.Random("7:1")) for _ in range(2))

    assert first == again != b"abc" * 100
