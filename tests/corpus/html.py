"""Kind `html`: web pages. How much of the gold text is extracted, and that nothing active is left of any of them.

Two sets have gold, and each keeps its own measure. scrapinghub-aeb has the whole article: precision and recall of
4-grams of words, averaged over the pages, and F1 of the averages, as that benchmark has it. trafilatura-eval has
segments that have to be there and others that must not: F1 of their counts.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table
from selectolax.lexbor import LexborHTMLParser

from core.news.extract import extract
from core.news.sanitise import sanitise
from tests.corpus.manifest import read_manifest

AIM = 0.92
ARTICLES, SEGMENTS = "scrapinghub-aeb", "trafilatura-eval"
BASE = "https://corpus.test/page"
ACTIVE = frozenset(
    (
        *("script", "style", "iframe", "frame", "object", "embed", "applet", "form", "input", "button", "svg", "math"),
        *("link", "meta", "base", "template", "noscript", "video", "audio", "select", "textarea"),
    )
)
SCHEMES = ("http", "https", "mailto")


@dataclass
class Totals:
    """What was found over all pages."""

    pages: int = 0
    attacks: int = 0
    failures: list[str] = field(default_factory=list)
    """Exceptions and active content, by file."""
    precision: list[float] = field(default_factory=list)
    recall: list[float] = field(default_factory=list)
    found: int = 0
    missed: int = 0
    unwanted: int = 0

    @property
    def article_f1(self) -> float:
        if not self.precision:
            return 1.0
        precision, recall = sum(self.precision) / len(self.precision), sum(self.recall) / len(self.recall)
        return _f1(precision, recall)

    @property
    def segment_f1(self) -> float:
        if not self.found:
            return 0.0 if self.missed else 1.0
        return _f1(self.found / (self.found + self.unwanted), self.found / (self.found + self.missed))


def run(folder: Path, *, every: int = 1) -> bool:
    """Over the folder's pages, and the attack collections beside it; whether every expectation is met.

    `every` leaves out all but each so-manieth of both.
    """
    console, totals = Console(), Totals()
    rows = [row for row in read_manifest(folder) if _is_page(row)][::every]
    for row in track(rows, "pages", console=Console(stderr=True)):
        _try_page(folder / row["file"], totals)
    attacks = list(_attacks(folder.parent / "security"))[::every]
    for file, attack in track(attacks, "attacks", console=Console(stderr=True)):
        totals.attacks += 1
        _try_attack(file, attack, totals)
    table = Table("what", "figure", "aim", box=None)
    table.add_row(f"F1 of {len(totals.precision)} whole articles ({ARTICLES})", f"{totals.article_f1:.3f}", f"{AIM}")
    segments = totals.found + totals.missed
    table.add_row(f"F1 of {segments} segments ({SEGMENTS})", f"{totals.segment_f1:.3f}", f"{AIM}")
    table.add_row("exceptions and active content", str(len(totals.failures)), "0")
    console.print(table)
    for failure in totals.failures[:50]:
        console.print(failure, markup=False, highlight=False)
    is_met = not totals.failures and min(totals.article_f1, totals.segment_f1) >= AIM
    console.print(
        f"{totals.pages} pages, {totals.attacks} attacks, F1 {totals.article_f1:.3f} and {totals.segment_f1:.3f}, "
        f"{len(totals.failures)} failures"
    )
    return is_met


def active_content(html: str) -> list[str]:
    """What an independent parser (lexbor's) finds that could run, load or send something."""
    found = []
    for node in LexborHTMLParser(f"<!doctype html><body>{html}").css("body *"):
        if node.tag in ACTIVE:
            found.append(f"<{node.tag}>")
        for name, value in node.attributes.items():
            if name.startswith("on") or name in ("style", "srcset", "formaction", "srcdoc", "background"):
                found.append(f"{name} of <{node.tag}>")
            if name in ("href", "src", "cite", "action") and (value or "").partition(":")[0].lower() not in SCHEMES:
                found.append(f"{name}={value}")
    return found


def _is_page(row: dict[str, Any]) -> bool:
    return str(row["file"]).removesuffix(".gz").endswith((".html", ".htm", ".xhtml"))


def _try_page(path: Path, totals: Totals) -> None:
    totals.pages += 1
    content = path.read_bytes()
    page = gzip.decompress(content) if path.suffix == ".gz" else content
    try:
        reading = extract(page, url=BASE, headers={})
        whole = sanitise(page.decode("utf-8", "replace"), base_url=BASE)
    except Exception as error:  # noqa: BLE001 - that none comes is what is measured
        totals.failures.append(f"{path.name}: {type(error).__name__}: {error}")
        return
    for html in (whole.html, reading.html if reading is not None else ""):
        totals.failures += [f"{path.name}: {one}" for one in active_content(html)[:3]]
    gold = path.with_name(path.name.removesuffix(".gz").removesuffix(".html") + ".gold.json")
    if gold.exists():
        _compare(reading.text if reading is not None else "", json.loads(gold.read_text("utf-8")), path, totals)


def _compare(text: str, gold: dict[str, Any], path: Path, totals: Totals) -> None:
    if path.parent.name == ARTICLES:
        (about,) = gold.values()
        wanted, found = _shingles(about["articleBody"]), _shingles(text)
        common = (wanted & found).total()
        totals.precision.append(common / found.total() if found else float(not wanted))
        totals.recall.append(common / wanted.total() if wanted else 1.0)
    elif path.parent.name == SEGMENTS:
        plain = _one_line(text)
        present = [_one_line(segment) in plain for segment in gold["with"]]
        totals.found += sum(present)
        totals.missed += len(present) - sum(present)
        totals.unwanted += sum(_one_line(segment) in plain for segment in gold["without"])


def _shingles(text: str, size: int = 4) -> Counter[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    if len(words) < size:
        return Counter([tuple(words)] if words else [])
    return Counter(tuple(words[at : at + size]) for at in range(len(words) - size + 1))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _attacks(folder: Path) -> Iterator[tuple[str, str]]:
    """(file, HTML): files of attacks, a line each, and collections in JSON."""
    if not (folder / "MANIFEST.jsonl").exists():
        return
    for row in read_manifest(folder):
        if "xss" not in row["file"]:
            continue
        text = (folder / row["file"]).read_text("utf-8", "replace")
        yield row["file"], text
        yield from ((row["file"], one) for one in _pieces(row["file"], text))


def _pieces(name: str, text: str) -> Sequence[str]:
    if not name.endswith((".json", ".test", ".dat")):
        return text.splitlines()
    try:
        return list(_strings(json.loads(text)))
    except ValueError:
        return text.splitlines()


def _strings(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for one in value.values():
                yield from _strings(one)
        case list():
            for one in value:
                yield from _strings(one)


def _try_attack(file: str, attack: str, totals: Totals) -> None:
    try:
        left = sanitise(attack, base_url=BASE).html
    except Exception as error:  # noqa: BLE001 - as above
        totals.failures.append(f"{file}: {type(error).__name__}: {error}")
        return
    totals.failures += [f"{file}: {one} of {attack[:80]!r}" for one in active_content(left)[:2]]
