"""The text of a story for where its pictures are not shown: a caption goes with its picture."""

from __future__ import annotations

import html
import re

from core.news.values import Reading

_CAPTION = re.compile(r"<figcaption[^>]*>(.*?)</figcaption>", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")


def without_captions(reading: Reading) -> str:
    """The plain paragraphs but for those that are captions; all of them where there is nothing else."""
    captions = {_one_line(html.unescape(_TAG.sub("", found))) for found in _CAPTION.findall(reading.html)}
    told = (paragraph for paragraph in reading.text.split("\n\n") if _one_line(paragraph) not in captions)
    return "\n\n".join(told) or reading.text


def _one_line(text: str) -> str:
    return " ".join(text.split())
