"""Covers for the books that are shown: drawn, since no publisher's may stand in the repository."""

from __future__ import annotations

import io
import random

from PIL import Image, ImageDraw

from core.books.cover import make_cover, make_thumbnail

_INKS = ("#23395b", "#7c2d12", "#14532d", "#4a1942", "#78350f", "#0f4c5c", "#5f0f40", "#3d405b")


def draw_thumbnail(title: str) -> bytes:
    """A cloth binding with a panel and lines for a title, the same for the same title."""
    dice = random.Random(title)
    image = Image.new("RGB", (400, 600), dice.choice(_INKS))
    pen = ImageDraw.Draw(image)
    paper = "#f0e6d2"
    top = dice.randrange(80, 200)
    pen.rectangle((50, top, 350, top + 170), fill=paper)
    for line in range(3):
        pen.rectangle((80, top + 35 + line * 40, 320 - dice.randrange(0, 120), top + 52 + line * 40), fill="#2a2622")
    for _ in range(3):
        x, y, size = dice.randrange(60, 280), dice.randrange(400, 500), dice.randrange(20, 70)
        pen.ellipse((x, y, x + size, y + size), outline=paper, width=5)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=90)
    cover = make_cover(out.getvalue())
    assert cover is not None
    return make_thumbnail(cover)
