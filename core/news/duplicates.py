"""Whether two texts are the same story, and whether a text has really changed.

First MinHash (Broder 1997) finds the few of a hundred thousand that may be the same: rows that share a key. Then an
exact check reads both texts. Measured with `python -m tests.corpus duplicates`; why: docs/decisions/one-story-once.md.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from itertools import pairwise
from operator import eq
from zlib import crc32

from core.news.canonical import fold, title_key

VERSION = 1
"""Of everything here that decides what a signature is. Signatures of two versions are not compared, texts are."""

PERMUTATIONS = 128
"""The standard error of the estimate is 1/sqrt(128) = 0.09 at most, 0.035 measured."""
SEED = 42
BANDS = 19
"""Keys of a text, beside the one of its title; two values each. A pair of similarity s shares one with
1 - (1 - s^2)^19: 0.996 at 0.5, 0.96 at 0.4, and 0.0005 at 0.005, which is what unrelated texts have."""
SHINGLE_WORDS = 3
SHINGLE_LETTERS = 5
"""Where words are not divided by blanks: about three words of two letters."""

SAME_JACCARD = 0.5
SAME_CONTAINMENT = 0.8
"""A text of which so much stands in the other one is a part of it: trimmed, or with more around it."""
SHORT_WORDS = 30
"""Under so many words the shingles say too little: then the titles must be equal as well."""
SHORTEST_WORDS = 8
TITLE_WORDS = 4
"""A title of fewer words ("Weather", "News in brief") names no story."""
SMALL_GAP_WORDS = 8
"""What differs between two common passages of one form: "in [Berlin] it will be [23] degrees"."""
FORM_FACTS = 5
FORM_SHARE = 0.3
"""Names and numbers that stand in such gaps and not in the other text, of all: above it two fillings of one form."""
OWN_PASSAGE_SHARE = 0.2
"""Where the longest passage that the other text has not is so much of both texts, they may be two short items over one
footer: then half of the words of the titles must be the same."""
STRANGE_TITLE_SHARE = 0.4
"""Title words that its own text has and the other does not have at all, of all that its text has, on average."""

CHANGED_WORDS = 25
"""New words that make a text another one: two sentences."""
CHANGED_SHARE = 0.2
"""…or this share of a short text, but never under `SHORTEST_WORDS`."""
ADVERTISEMENT_WORDS = 60
"""No advertisement is longer; a long new passage may well speak of subscriptions and cookies."""

_Passages = Sequence[tuple[bool, Sequence[str]]]
_HEADER = struct.Struct("<BBIqB")
_NO_TITLE = 0
_MOST_TITLE_WORDS = 24
# Scripts that put no blanks between words: Thai, Lao, Myanmar, Khmer; kana, Han (also the supplementary ideographs).
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_TOKEN = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_WORD = re.compile(r"[^\W_]+")  # The same for a text without such scripts, three times as fast.
_IS_UNSPACED = re.compile(rf"[{_UNSPACED}]")
_ADVERTISING = frozenset(
    fold(
        "advertisement advertisements sponsored newsletter newsletters subscribe subscription subscribers cookies "
        "anzeige werbung abonnieren abonnement publicité publicidad pubblicità advertentie reklama реклама"
    ).split()
)
"""Folded. A short new passage with one of them is nothing to read."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is remembered of a text to find it again."""

    keys: tuple[int, ...]
    """At most 20 signed 64-bit numbers: two texts that share none are not the same story. None: nothing to go by."""
    signature: bytes
    """To be kept in the row (about 350 bytes); `Fingerprint.load` makes the rest of it."""
    words: int
    """As `Reading.words`: a letter of a script without blanks counts as half a word."""

    @classmethod
    def load(cls, signature: bytes) -> Fingerprint:
        """From a kept signature, whatever version it is of."""
        words = _HEADER.unpack_from(signature)[2]
        return cls(keys=_keys(signature), signature=signature, words=words)


def fingerprint(text: str, *, title: str = "") -> Fingerprint:
    """Of a plain text and its title. The same on every machine and in every process."""
    read = _Read(text)
    names = title_key(title)
    words = _telling_words(names)[:_MOST_TITLE_WORDS]
    title_hash = _hash64(names) if _Read(names).words >= TITLE_WORDS else _NO_TITLE
    head = _HEADER.pack(VERSION, _algorithm(), read.words, title_hash, len(words))
    hashes = struct.pack(f"<{len(words)}I", *map(_hash32, words))
    signature = head + hashes + (_minima(read.shingles) if read.words >= SHORTEST_WORDS else b"")
    return Fingerprint(keys=_keys(signature), signature=signature, words=read.words)


def same_story(a: Fingerprint, b: Fingerprint, text_a: str, text_b: str) -> bool:
    """The exact check of two texts whose fingerprints share a key; symmetric."""
    if not may_be_same(a, b):
        return False
    read_a, read_b = _Read(text_a), _Read(text_b)
    common = len(read_a.shingles & read_b.shingles)
    if not common:
        return False
    jaccard = common / (len(read_a.shingles) + len(read_b.shingles) - common)
    containment = common / min(len(read_a.shingles), len(read_b.shingles))
    if jaccard < SAME_JACCARD and containment < SAME_CONTAINMENT:
        return False
    strangeness = _strangeness(a, b, read_a, read_b)
    if min(a.words, b.words) < SHORT_WORDS:
        return _is_same_short(a, b, jaccard=jaccard, containment=containment, strangeness=strangeness)
    if strangeness > STRANGE_TITLE_SHARE:
        return False
    from_a, from_b = read_a.passages(read_b), read_b.passages(read_a)
    if min(_own_share(from_a), _own_share(from_b)) > OWN_PASSAGE_SHARE and not _titles_agree(a, b):
        return False
    return max(_filled_share(from_a, read_a, read_b), _filled_share(from_b, read_b, read_a)) <= FORM_SHARE


def _is_same_short(a: Fingerprint, b: Fingerprint, *, jaccard: float, containment: float, strangeness: float) -> bool:
    if min(a.words, b.words) < SHORTEST_WORDS:
        return False
    title_a, title_b = _title_hash(a), _title_hash(b)
    if title_a == title_b != _NO_TITLE:
        return containment >= SAME_CONTAINMENT
    return jaccard == 1 and strangeness <= STRANGE_TITLE_SHARE


def content_changed(old_text: str, new_text: str) -> bool:
    """Whether there is something new to read: two sentences, not a typo, a time, a counter or an advertisement.

    What only went away or moved is nothing new: a text behind a paywall since must not be delivered as "updated".
    """
    old, new = _Read(old_text), _Read(new_text)
    runs = [tokens for is_common, tokens in new.passages(old) if not is_common]
    fresh = sum(_weigh(run) for run in runs if len(run) > ADVERTISEMENT_WORDS or _ADVERTISING.isdisjoint(run))
    return fresh >= max(SHORTEST_WORDS, min(CHANGED_WORDS, CHANGED_SHARE * new.words))


@dataclass(slots=True)
class StoryIndex:
    """Stories in memory, to fold what one issue would say twice. The first of them stays the one that is found."""

    _stories: dict[Hashable, tuple[Fingerprint, str]] = field(default_factory=dict)
    _ids_by_key: dict[int, list[Hashable]] = field(default_factory=dict)

    def add(self, story_id: Hashable, found: Fingerprint, text: str) -> None:
        self._stories[story_id] = (found, text)
        for key in found.keys:
            self._ids_by_key.setdefault(key, []).append(story_id)

    def find(self, wanted: Fingerprint, text: str) -> Hashable | None:
        """The id of the same story, the one that shares most keys first; None if there is none."""
        shared: dict[Hashable, int] = {}
        for key in wanted.keys:
            for story_id in self._ids_by_key.get(key, ()):
                shared[story_id] = shared.get(story_id, 0) + 1
        for story_id in sorted(shared, key=lambda one: -shared[one]):
            known, known_text = self._stories[story_id]
            if same_story(wanted, known, text, known_text):
                return story_id
        return None


class _Read:
    """A text as its tokens: words, or letters where a script has no blanks."""

    def __init__(self, text: str) -> None:
        self._text = text.replace("'", "").replace("’", "")  # Two typographies of one word: it's, it’s, its.
        self._folded = fold(self._text)
        self._token = _TOKEN if _IS_UNSPACED.search(self._folded) else _WORD

    @cached_property
    def tokens(self) -> list[str]:
        return self._token.findall(self._folded)

    @cached_property
    def token_set(self) -> frozenset[str]:
        return frozenset(self.tokens)

    @cached_property
    def words(self) -> int:
        letters = sum(map(len, map(_IS_UNSPACED.findall, self.tokens))) if self._token is _TOKEN else 0
        return len(self.tokens) - letters + (letters + 1) // 2

    @cached_property
    def size(self) -> int:
        """Tokens of a shingle."""
        return SHINGLE_WORDS if self.words > 0.75 * len(self.tokens) else SHINGLE_LETTERS

    @cached_property
    def row(self) -> list[str]:
        """Shingles in the order of the text."""
        shifted = [self.tokens[at:] for at in range(self.size)]
        return list(map(" ".join, zip(*shifted, strict=False))) or [" ".join(self.tokens)]

    @cached_property
    def shingles(self) -> frozenset[str]:
        return frozenset(self.row)

    def passages(self, other: _Read) -> list[tuple[bool, Sequence[str]]]:
        """(whether the other text has it, its tokens) of each passage in turn."""
        covered = self._covered_by(other)
        edges = [at for at in range(1, len(covered)) if covered[at] != covered[at - 1]]
        return [
            (covered[start], self.tokens[start:end])
            for start, end in pairwise([0, *edges, len(covered)])
            if start < end
        ]

    def _covered_by(self, other: _Read) -> list[bool]:
        """For each token, whether a shingle of the other text holds it."""
        covered, last = [], -self.size
        for at in range(len(self.tokens)):
            if at < len(self.row) and self.row[at] in other.shingles:
                last = at
            covered.append(at - last < self.size)
        return covered

    @cached_property
    def facts(self) -> frozenset[str]:
        """Names and numbers: tokens with a digit, and those that the text never writes in small letters."""
        tokens = set(self._token.findall(self._text))
        small = {token for token in tokens if token[0].islower()}
        return frozenset(
            fold(token) for token in tokens if _has_digit(token) or (token[0].isupper() and token.lower() not in small)
        )

    @cached_property
    def hashes(self) -> frozenset[int]:
        """As the title's words are kept in a signature."""
        return frozenset(map(_hash32, self.token_set))


def _weigh(run: Sequence[str]) -> float:
    """Words of a passage without those that are numbers: times, dates and counters."""
    return sum(0.5 if _IS_UNSPACED.match(token) else 1.0 for token in run if not _has_digit(token))


def _own_share(passages: _Passages) -> float:
    """The longest passage that the other text has not, of the whole."""
    longest = max((len(tokens) for is_common, tokens in passages if not is_common), default=0)
    return longest / sum(len(tokens) for _, tokens in passages)


def _filled_share(passages: _Passages, mine: _Read, other: _Read) -> float:
    """Names and numbers of a text's own between common phrases, of all there: much in the fillings of one form."""
    common = strange = 0
    for at, (is_common, tokens) in enumerate(passages):
        if is_common:
            common += len(mine.facts.intersection(tokens))
        elif 0 < at < len(passages) - 1 and len(tokens) <= SMALL_GAP_WORDS:
            strange += len(mine.facts.intersection(tokens) - other.token_set)
    return strange / (common + strange) if common + strange >= FORM_FACTS else 0.0


def _titles_agree(a: Fingerprint, b: Fingerprint) -> bool:
    words_a, words_b = set(_title_hashes(a)), set(_title_hashes(b))
    return len(words_a & words_b) * 2 >= max(1, min(len(words_a), len(words_b)))


def _strangeness(a: Fingerprint, b: Fingerprint, read_a: _Read, read_b: _Read) -> float:
    """How far each title speaks of what only its own text has: 0.0 not at all, or unknown, to 1.0."""
    return (_missing_share(a, b, read_a, read_b) + _missing_share(b, a, read_b, read_a)) / 2


def _missing_share(mine: Fingerprint, other: Fingerprint, own: _Read, strange: _Read) -> float:
    titles = own.hashes.intersection(_title_hashes(mine))
    return len(titles - strange.hashes.union(_title_hashes(other))) / len(titles) if titles else 0.0


def may_be_same(a: Fingerprint, b: Fingerprint) -> bool:
    """By the signatures alone, with five standard errors to spare; so most candidates cost no reading of texts."""
    minima_a, minima_b = _minima_of(a.signature), _minima_of(b.signature)
    if a.signature[:2] != b.signature[:2] or not minima_a or not minima_b:
        return True
    small, large = sorted((a.words, b.words))
    # A text of which SAME_CONTAINMENT stands in the other one has at least this similarity.
    least = min(SAME_JACCARD, SAME_CONTAINMENT * small / (large + (1 - SAME_CONTAINMENT) * small))
    estimate = sum(map(eq, minima_a, minima_b)) / PERMUTATIONS
    return bool(estimate >= least - 5 * (least * (1 - least) / PERMUTATIONS) ** 0.5)


def _minima(shingles: Iterable[str]) -> bytes:
    """The lower 16 bits of each minimum: two that differ look alike once in 65,536, and a row is half as long."""
    from rensa import RMinHash  # Heavy, and an idle process needs it not.

    sketch = RMinHash(num_perm=PERMUTATIONS, seed=SEED)
    sketch.update(shingles)
    return struct.pack(f"<{PERMUTATIONS}H", *(value & 0xFFFF for value in sketch.digest()))


def _algorithm() -> int:
    from rensa import RMinHash

    return RMinHash.ALGORITHM_VERSION


def _minima_of(signature: bytes) -> tuple[int, ...]:
    """Empty for a text too short to have any."""
    rest = signature[_HEADER.size + 4 * signature[_HEADER.size - 1] :]
    return struct.unpack(f"<{PERMUTATIONS}H", rest) if rest else ()


def _title_hash(found: Fingerprint) -> int:
    return int(_HEADER.unpack_from(found.signature)[3])


def _title_hashes(found: Fingerprint) -> tuple[int, ...]:
    count = found.signature[_HEADER.size - 1]
    return struct.unpack_from(f"<{count}I", found.signature, _HEADER.size)


def _telling_words(names: str) -> list[str]:
    """Each once, without the short ones, which every title has."""
    words = dict.fromkeys(_TOKEN.findall(names))
    return [word for word in words if len(word) > 3 or not word.isascii() or _has_digit(word)]


def _keys(signature: bytes) -> tuple[int, ...]:
    minima, version = _minima_of(signature), int.from_bytes(signature[:2], "big")
    pairs = zip(minima[0 : 2 * BANDS : 2], minima[1 : 2 * BANDS : 2], strict=True)
    bands = [(version << 8 | band) << 32 | first << 16 | second for band, (first, second) in enumerate(pairs)]
    title = int(_HEADER.unpack_from(signature)[3])
    # A title finds the teaser of a long text, whose minima have nothing in common with the text's.
    return (*bands, title) if title != _NO_TITLE and minima else tuple(bands)


def _has_digit(token: str) -> bool:
    return not token.isalpha() and any(map(str.isdigit, token))


def _hash64(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little", signed=True)


def _hash32(word: str) -> int:
    return crc32(word.encode())
