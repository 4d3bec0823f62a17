"""Articles deduplicated a second against 100,000 remembered ones. `python -m tests.bench duplicates`

Texts have words as frequent as in real ones (Zipf's law). Half of the articles that come are copies (a header, a
footer, 3 % of the words edited), half are new. An article costs its fingerprint and its lookup: the candidates by their
keys, then the exact check. Beside it, in the same run and process: MinHash in Python alone (what the fingerprint would
cost without rensa) and a look at all remembered signatures (what the lookup would cost without keys).
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

from rich.console import Console
from rich.progress import track
from rich.table import Table

from core.news.duplicates import PERMUTATIONS, Fingerprint, StoryIndex, fingerprint, may_be_same
from tests.bench.search import Language

WORDS = (120, 200, 200, 350)
PRIME = (1 << 61) - 1


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--remembered", type=int, default=100_000)
    parser.add_argument("--articles", type=int, default=2_000)
    parser.add_argument("--short", action="store_true", help="4,000 remembered, to see that it runs")
    arguments = parser.parse_args(argv)
    if arguments.short:
        arguments.remembered, arguments.articles = 4_000, 200
    console, rng = Console(), random.Random(7)
    language = Language.make(rng)
    texts = [language.text(rng, rng.choice(WORDS)) for _ in range(arguments.remembered)]
    index, found, seconds = remember(texts, console)
    console.print(f"{len(texts) / seconds:,.0f} remembered a second, {memory_mb():,.0f} MB with the texts")
    coming = [copy(texts[rng.randrange(len(texts))], language, rng) for _ in range(arguments.articles // 2)]
    coming += [language.text(rng, rng.choice(WORDS)) for _ in range(arguments.articles // 2)]
    rng.shuffle(coming)
    ours, ours_lookup = measure(index, coming)
    table = Table("ms an article", "p50", "p99", "a second", "times ours (p50)", box=None)
    sample = coming[: max(20, len(coming) // 40)]
    rows = {
        f"ours, against {len(texts):,}": ours,
        "ours, the lookup alone": ours_lookup,
        "fingerprint alone": [timed(partial(fingerprint, text)) for text in coming],
        "peer: MinHash in Python, fingerprint alone": [timed(partial(python_minhash, text)) for text in sample],
        "peer: all signatures, lookup alone": [timed(partial(look_at_all, found, text)) for text in sample[:20]],
    }
    base = {"fingerprint": median(rows["fingerprint alone"]), "lookup": median(ours_lookup)}
    for name, times in rows.items():
        unit = next((key for key in base if key in name and "peer" in name), None)
        ratio = f"{median(times) / base[unit]:,.0f}" if unit else ""
        times = sorted(times)
        p99 = times[int(len(times) * 0.99)]
        table.add_row(
            name, f"{median(times) * 1000:.2f}", f"{p99 * 1000:.2f}", f"{len(times) / sum(times):,.0f}", ratio
        )
    console.print(table)
    return 0


def remember(texts: Sequence[str], console: Console) -> tuple[StoryIndex, list[Fingerprint], float]:
    index, found = StoryIndex(), []
    started = time.perf_counter()
    for at, text in enumerate(
        track(texts, f"{len(texts):,} articles", console=console, disable=not console.is_terminal)
    ):
        found.append(fingerprint(text))
        index.add(at, found[-1], text)
    return index, found, time.perf_counter() - started


def copy(text: str, language: Language, rng: random.Random) -> str:
    words = [rng.choice(language.words) if rng.random() < 0.03 else word for word in text.split()]
    return " ".join(["by our reporter tuesday", *words, "all rights reserved sign up for our newsletter"])


def measure(index: StoryIndex, coming: Sequence[str]) -> tuple[list[float], list[float]]:
    """Seconds of the whole for each article, and of its lookup alone."""
    whole, lookup, hits = [], [], 0
    for text in coming:
        started = time.perf_counter()
        found = fingerprint(text)
        middle = time.perf_counter()
        hits += index.find(found, text) is not None
        ended = time.perf_counter()
        whole.append(ended - started)
        lookup.append(ended - middle)
    print(f"{hits:,} of {len(coming):,} found again (half of them are copies)")
    return whole, lookup


def look_at_all(found: Sequence[Fingerprint], text: str) -> int:
    """What an index without keys does before its exact checks."""
    mine = fingerprint(text)
    return sum(may_be_same(mine, other) for other in found)


def python_minhash(text: str) -> list[int]:
    """Broder's MinHash as the text books have it: a linear function for each permutation."""
    rng, words = random.Random(1), text.lower().split()
    functions = [(rng.randrange(1, PRIME), rng.randrange(PRIME)) for _ in range(PERMUTATIONS)]
    hashes = [hash(shingle) for shingle in set(zip(words, words[1:], words[2:], strict=False))]
    return [min((a * value + b) % PRIME for value in hashes) for a, b in functions]


def timed(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def median(times: Sequence[float]) -> float:
    return sorted(times)[len(times) // 2]


def memory_mb() -> float:
    """Peak; Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 if sys.platform != "darwin" else 1 << 20)
