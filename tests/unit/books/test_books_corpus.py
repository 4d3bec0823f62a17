"""Every file of the corpus: opened, or one clear sentence. The judge itself is tried on files made to offend."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.corpus.epub_files import Outcome, complaints, open_files, read_manifest
from tests.factories.books import Fault, make_epub

CORPUS = Path(os.environ.get("INKPOST_CORPUS", Path(__file__).parents[4] / "shared" / "corpus")) / "epub"
SETS = ("hostile", "hostile-docs", "kindle-defects", "archives-rar", "calibre", "gutenberg-cwa")
"""The telling ones, 88 files; all 389 are `python -m tests.corpus epub`."""


def test_corpus_has_one_clear_outcome_for_each_file(tmp_path: Path) -> None:
    if not CORPUS.is_dir():
        pytest.skip(f"no corpus at {CORPUS} (INKPOST_CORPUS): hostile and real books are not tried")
    expected = {row["file"]: row["expected"] for row in read_manifest(CORPUS) if row["file"].startswith(SETS)}

    outcomes = list(open_files(CORPUS, expected, work_dir=tmp_path))

    found = {outcome.file: complaints(outcome, expected=expected[outcome.file]) for outcome in outcomes}
    assert len(found) == len(expected)
    assert {file: said for file, said in found.items() if said} == {}


def test_judge_opens_and_refuses_files_in_processes_of_their_own(tmp_path: Path) -> None:
    corpus, work_dir = tmp_path / "corpus", tmp_path / "work"
    corpus.mkdir()
    (corpus / "sound.epub").write_bytes(make_epub(title="Dune"))
    (corpus / "bomb.epub").write_bytes(make_epub(fault=Fault.BOMB))

    opened, refused = open_files(corpus, ["sound.epub", "bomb.epub"], work_dir=work_dir, canary_ports=())

    assert opened.opened == ("epub: Dune / Herman Melville / en",)
    assert refused.code == "file.too-large"
    assert complaints(opened, expected="accepted") == complaints(refused, expected="") == []
    assert 0 < opened.peak_bytes < 512 << 20


SOUND = Outcome(file="x", opened=("epub",), code="", text="", fix="", broken="", offences=(), seconds=0.1, peak_bytes=1)
REFUSED = replace(SOUND, opened=(), code="file.damaged", text="This file is damaged.", fix="Send it again.")
COMPLAINTS = {
    "died": (replace(SOUND, broken="its process ended with -14"), "", "no clear outcome"),
    "wrote": (replace(SOUND, offences=("wrote evil",)), "", "wrote evil"),
    "two lines": (replace(REFUSED, text="One line.\nTwo lines."), "", "not one clear line"),
    "no fix": (replace(REFUSED, fix=""), "", "not one clear line"),
    "refused a sound one": (REFUSED, "accepted", "expected a book"),
    "opened a protected one": (SOUND, "refused with a clear reply: DRM, not sent", "file.drm"),
}


@pytest.mark.parametrize("case", COMPLAINTS)
def test_judge_complains(case: str) -> None:
    seen, expected, words = COMPLAINTS[case]

    assert words in " ".join(complaints(seen, expected=expected))
