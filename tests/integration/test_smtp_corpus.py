"""SMTP conversations of the corpus, each with the replies that its manifest wants."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.corpus.manifest import corpus_folder
from tests.corpus.smtp import FOLDERS, cases, run_case

CASES = cases(corpus_folder(), *FOLDERS)


@pytest.mark.skipif(not CASES, reason="no corpus: set INKPOST_CORPUS to its folder")
@pytest.mark.parametrize("file", CASES, ids=[file.stem for file in CASES])
def test_conversation_goes_as_its_manifest_wants(file: Path) -> None:
    outcome = run_case(file)
    if outcome.skipped:
        pytest.skip(outcome.skipped)
    assert outcome.problem == ""
