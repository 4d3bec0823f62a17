"""`python -m tests.bench fuzz` in the suite: some of its examples, and that it would find something."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from tests.bench import fuzz
from tests.bench._fuzz_bytes import Mutation, mutated


def test_nothing_is_raised_by_hostile_mails_commands_and_books() -> None:
    counts, findings = fuzz.fuzz(12, seed=7)

    assert findings == []
    assert {name.partition(" ")[0] for name in counts} == {"mail", "commands", "epub"}
    assert counts.total() >= 3 * 12


def test_what_is_raised_is_a_finding_with_its_smallest_example() -> None:
    def read(raw: bytes) -> str:
        if b"\0" in raw:
            raise KeyError("a bug")
        return "read"

    _, finding = fuzz.hunt("mail", st.binary(), read, examples=500, seed=1)

    assert finding is not None
    assert (finding.words.partition(" at ")[0], finding.example) == ("KeyError: 'a bug'", b"\0")


def test_a_finding_is_the_end_of_the_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(fuzz, "read_commands", broken)
    monkeypatch.setattr(fuzz, "mails", lambda: st.just(b"\r\n"))
    monkeypatch.setattr(fuzz, "books", lambda: st.just(b""))

    assert fuzz.main(["--examples", "5"]) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("commands: KeyError: 'a bug' at ")
    assert "; 1 findings in " in told[-1]


def test_what_takes_long_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "MOST_SECONDS", -1.0)

    _, finding = fuzz.hunt("mail", st.binary(), lambda _raw: "read", examples=5, seed=1)

    assert finding is not None
    assert "took 0.0 s" in finding.words


def test_mutations_change_what_they_say() -> None:
    at_half = Mutation("insert", 500_000, 2, b"..", 2)

    assert mutated(b"abcd", b"xyz", [at_half]) == b"ab....cd"
    assert mutated(b"abcd", b"xyz", [at_half._replace(kind="cut")]) == b"ab"
    assert mutated(b"abcd", b"xyz", [at_half._replace(kind="cross")]) == b"abyzcd"
    assert mutated(b"abcd", b"xyz", []) == b"abcd"
