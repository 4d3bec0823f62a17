"""Covers that we draw ourselves: a title, headlines, on paper-white, for greyscale screens first."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

WIDTH, HEIGHT = 1600, 2560  # Amazon's Kindle Publishing Guidelines, 4.1: 2,560 by 1,600 pixels are ideal
MARGIN: Final = 140
INK, PALE, PAPER = (24, 26, 30), (105, 108, 114), (250, 248, 243)
ACCENT: Final = (140, 44, 36)  # a dark grey where there are no colours
FOOT: Final = HEIGHT - 230
_NO_LETTER: Final = "\uffff"  # Unicode 23.7: never a letter, so every face shows its box for what it does not have


def draw_cover(title: str, *, kicker: str = "", lead: str = "", lines: Sequence[str] = (), footer: str = "") -> bytes:
    """A JPEG of 1600x2560: `kicker` small on top, the title large, `lead` below it, `lines` as a list, `footer` last.

    What does not fit is cut with an ellipsis, and a line that the face cannot write is left out. Pure; the face is
    DejaVu Serif, which we ship, since Pillow's own has no umlauts and no Cyrillic; it has no Arabic and no Chinese.
    """
    from PIL import Image, ImageDraw  # a megabyte of code that most processes never need

    image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    sheet = _Sheet(ImageDraw.Draw(image))
    sheet.pen.rectangle((0, 0, WIDTH, 36), fill=ACCENT)
    top: float = 150
    if kicker:
        top = sheet.write(kicker, top, size=54, ink=ACCENT, most=1) + 30
    top = sheet.write(title, top, size=160 if len(title) < 30 else 108, bold=True, most=5)
    sheet.pen.line((MARGIN, top + 50, WIDTH - MARGIN, top + 50), fill=INK, width=6)
    top += 110
    if lead:
        top = sheet.write(lead, top, size=92 if len(lead) < 70 else 78, bold=True, most=5) + 50
    for line in lines:
        if top > FOOT - 200:
            break
        sheet.pen.line((MARGIN, top, WIDTH - MARGIN, top), fill=PALE, width=2)
        top = sheet.write(line, top + 34, size=58, most=2) + 24
    if footer:
        sheet.write(footer, FOOT + 90, size=46, ink=PALE, most=1)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=82, optimize=True)
    return out.getvalue()


@dataclass(slots=True)
class _Sheet:
    pen: ImageDraw
    _faces: dict[tuple[int, bool], FreeTypeFont] = field(default_factory=dict)

    def write(
        self, text: str, top: float, *, size: int, most: int, ink: tuple[int, int, int] = INK, bold: bool = False
    ) -> float:
        """Lines from `top`, at most `most` of them; returns where the next may begin."""
        face = self._face(size, bold)
        if not _can_write(text, face):
            return top
        for line in _wrap(
            text, lambda part: self.pen.textlength(part, font=face), room=WIDTH - 2 * MARGIN, most_lines=most
        ):
            self.pen.text((MARGIN, top), line, font=face, fill=ink)
            top += size * 1.26
        return top

    def _face(self, size: int, bold: bool) -> FreeTypeFont:
        from PIL import ImageFont

        if (size, bold) not in self._faces:
            file = files("core.books").joinpath("fonts", f"DejaVuSerif{'-Bold' if bold else ''}.ttf")
            # The plain layout: Raqm's is slower by half, and there is no script here that needs it.
            self._faces[size, bold] = ImageFont.truetype(
                io.BytesIO(file.read_bytes()), size, layout_engine=ImageFont.Layout.BASIC
            )
        return self._faces[size, bold]


def _can_write(text: str, face: FreeTypeFont) -> bool:
    box = bytes(face.getmask(_NO_LETTER))
    return all(letter < "\u0250" or letter.isspace() or bytes(face.getmask(letter)) != box for letter in set(text))


def _wrap(text: str, width: Callable[[str], float], *, room: float, most_lines: int) -> list[str]:
    """Greedy lines no wider than `room`; the last of `most_lines` ends in an ellipsis where text is left over."""
    lines: list[str] = []
    words = text.split()
    while words and len(lines) < most_lines:
        line = words.pop(0)
        while width(line) > room and len(line) > 1:  # one word that is wider than the page
            words.insert(0, line[-1:] + (words.pop(0) if words and not line[-1:].isspace() else ""))
            line = line[:-1]
        while words and width(f"{line} {words[0]}") <= room:
            line += f" {words.pop(0)}"
        lines.append(line)
    if words and lines:
        while len(lines[-1]) > 1 and width(lines[-1] + "…") > room:
            lines[-1] = lines[-1][:-1]
        lines[-1] = lines[-1].rstrip() + "…"
    return lines
