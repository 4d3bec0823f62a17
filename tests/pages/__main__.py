"""`python -m tests.pages [--out FOLDER] [--only WORD] [--short]`: each kind of mail in a browser, its faults and a PNG.

Looked at in windows of 320, 390 and 640 pixels, by day and by night. Ends with the totals; exit status 1 on a fault.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from tests.pages.browser import CHROMIUM, Browser, open_browser
from tests.pages.desk import Page
from tests.pages.kinds import every_kind

ROOT = Path(__file__).parents[2]
WIDTHS = (320, 390, 640)
SHOWN_WIDTH = 390
GAP = 12
COLOURS = 64  # of a PNG's palette; the pages have a dozen, the rest is for covers and the edges of letters
SHORT = ("list", "confirm-needed", "digest-letter")


async def look(browser: Browser, page: Page) -> tuple[list[str], list[bytes]]:
    """What is wrong with a page, and how it looks by day and by night."""
    faults, pictures = [], []
    for width in WIDTHS:
        for is_dark in (False, True):
            await browser.open(page.html, width=width, is_dark=is_dark)
            mode = "night" if is_dark else "day"
            faults += [f"{page.name} at {width} by {mode}: {fault}" for fault in await browser.faults()]
            if width == SHOWN_WIDTH:
                pictures.append(await browser.picture(width=width))
    return faults, pictures


def side_by_side(pictures: Sequence[bytes]) -> bytes:
    """Day and night in one small PNG."""
    shots = [Image.open(io.BytesIO(picture)).convert("RGB") for picture in pictures]
    height = max(shot.height for shot in shots)
    sheet = Image.new("RGB", (len(shots) * SHOWN_WIDTH + (len(shots) - 1) * GAP, height), "#808080")
    for number, shot in enumerate(shots):
        sheet.paste(shot, (number * (SHOWN_WIDTH + GAP), 0))
    out = io.BytesIO()
    sheet.quantize(COLOURS, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()


def index(pages: Sequence[Page]) -> str:
    lines = [
        "# How the mails look",
        "",
        "Every kind of mail that people get, as chromium shows it in a window of 390 pixels, by day and by night.",
        "Made by `python -m tests.pages --out docs/replies`, which also checks each at 320, 390 and 640 pixels for",
        "overflow, contrast (4.5:1) and requests. The covers are drawn for it.",
        "",
    ]
    group = ""
    for page in pages:
        if page.group != group:
            group = page.group
            lines += [f"## {group}", ""]
        lines += [f"**{page.title}**", "", f"![{page.title}]({page.name}.png)", ""]
    return "\n".join(lines)


async def run(pages: Sequence[Page], *, out: Path | None) -> list[str]:
    """The faults of all pages, each printed as it is found."""
    found: list[str] = []
    async with open_browser() as browser:
        for page in pages:
            faults, pictures = await look(browser, page)
            for fault in faults:
                print(fault, flush=True)
            found += faults
            if out is not None:
                (out / f"{page.name}.png").write_bytes(side_by_side(pictures))
    return found


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.pages", description=__doc__)
    parser.add_argument("--out", type=Path, help="folder for the PNGs and their index")
    parser.add_argument("--only", default="", help="kinds whose name has this in it")
    parser.add_argument("--short", action="store_true", help="a few kinds")
    args = parser.parse_args(argv)
    if CHROMIUM is None:
        print("pages: SKIPPED, there is no chromium here")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        pages = [page for page in every_kind(Path(folder)) if args.only in page.name]
    if args.short:
        pages = [page for page in pages if page.name in SHORT]
    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
    faults = asyncio.run(run(pages, out=args.out))
    if args.out is not None and not args.only and not args.short:
        (args.out / "README.md").write_text(index(pages), encoding="utf-8")
    views, widths = len(pages) * len(WIDTHS) * 2, ", ".join(map(str, WIDTHS))
    print(f"pages: {len(pages)} kinds, {views} views at {widths} px by day and by night, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
