"""Where the corpus is, and the rows of its manifests."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def corpus_folder() -> Path:
    """`$INKPOST_CORPUS`, or `../shared/corpus` beside the checkout."""
    return Path(os.environ.get("INKPOST_CORPUS") or ROOT.parent / "shared" / "corpus")


def read_manifest(kind_folder: Path) -> list[dict[str, Any]]:
    """Rows in order; `file` is relative to the folder of the kind."""
    return [json.loads(line) for line in (kind_folder / "MANIFEST.jsonl").read_text("utf-8").splitlines()]
