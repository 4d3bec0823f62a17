"""Lines for the fuzz of the command reader: the grammar's own words and examples, with noise between and within."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import strategies as st

from core.mail.grammar import Grammar

NOISE = (
    "\u202e", "\u0000", "#1", "1-", "99999999999999999999", "²", "٣", '"', "“", "=", "title=", "title:", ";", "to",
    "as",
    "in", "\ud800", "\u200b", "İ", "ß", "ﬁ", "😀", "<", "https://", "http://[::1", "@", "confirm", "-", "...", ">",
    "|",
    " " * 500, "a" * 3000, "\t", "\x85", "\u2028", "%00", "${x}", "{0}", "ａｄｄ", "e\u0301", "-- ",
    "https://x.test/?a=1&b=2",
)  # fmt: skip
_PREFIXES = ("", "", "", "Re: ", "Fwd: ", "> ", "AW: Re: ", "- ", "1. ", "* ", "Inkpost: ")


class Written(NamedTuple):
    """What somebody wrote: as subject, as text, and whether it replies to something."""

    subject: str
    text: str
    is_reply: bool


def lines(grammar: Grammar) -> st.SearchStrategy[Written]:
    specs = grammar.specs.values()
    said = {word for spec in specs for text in (spec.name, *spec.aliases, *spec.keys) for word in text.split()}
    words = st.sampled_from(sorted(said)) | st.sampled_from(NOISE) | st.text(max_size=8)
    examples = st.sampled_from([example.line for spec in specs for example in spec.examples])
    spoken = st.lists(words, max_size=9).map(" ".join)
    noisy = st.builds(_put, examples | spoken, st.integers(0, 1000), st.sampled_from(NOISE), st.integers(0, 3))
    line = st.builds(str.__add__, st.sampled_from(_PREFIXES), examples | spoken | noisy)
    text = st.lists(line, max_size=40).map("\n".join)
    return st.builds(Written, line.map(lambda one: one[:1000]), text, st.booleans())


def _put(line: str, at: int, noise: str, length: int) -> str:
    place = len(line) * at // 1000
    return line[:place] + noise + line[place + length :]
