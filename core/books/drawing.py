"""Covers that we draw ourselves: a title, a line or two, on paper-white, for greyscale screens first."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from importlib.resources import files

WIDTH, HEIGHT = 1200, 1600  # 3:4, the shape that Kindle's library shows; Amazon asks for 1000 px or more in height
MARGIN = 110
INK, PALE, PAPER = (24, 26, 30), (110, 114, 122), (250, 248, 243)
ACCENT = (140, 44, 36)


def draw_cover(title: str, *, kicker: str = "", lines: Sequence[str] = (), footer: str = "") -> bytes:
    """A JPEG of 1200x1600: `kicker` small on top, the title large, `lines` below it as a list, `footer` at the foot.

    What does not fit is cut with an ellipsis. Pure; the face is DejaVu Serif, which we ship, since Pillow's own
    has no umlauts and no Cyrillic.
    """
    from PIL import Image, ImageDraw, ImageFont  # a megabyte of code that most processes never need

    folder = files("core.books").joinpath("fonts")

    def face(size: int, *, weight: str = "") -> ImageFont.FreeTypeFont:
        return ImageFont.truetype(io.BytesIO(folder.joinpath(f"DejaVuSerif{weight}.ttf").read_bytes()), size)

    image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    pen = ImageDraw.Draw(image)
    room = WIDTH - 2 * MARGIN

    def write(text: str, top: float, *, font: ImageFont.FreeTypeFont, ink: tuple[int, int, int], most: int) -> float:
        for line in _wrap(text, lambda part: pen.textlength(part, font=font), room=room, most_lines=most):
            pen.text((MARGIN, top), line, font=font, fill=ink)
            top += font.size * 1.28
        return top

    pen.rectangle((0, 0, WIDTH, 26), fill=ACCENT)
    top = write(kicker, 120, font=face(40), ink=ACCENT, most=1) if kicker else 150
    top = write(title, top + 40, font=face(104 if len(title) < 40 else 76, weight="-Bold"), ink=INK, most=5)
    pen.line((MARGIN, top + 40, MARGIN + 160, top + 40), fill=ACCENT, width=6)
    top += 90
    listing = face(44)
    for line in lines:
        if top > HEIGHT - 280:
            break
        top = write(line, top, font=listing, ink=INK, most=2) + 26
    if footer:
        write(footer, HEIGHT - 150, font=face(36), ink=PALE, most=1)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=88, optimize=True)
    return out.getvalue()


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
