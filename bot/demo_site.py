"""The news of the demo: a small site on the loopback with a page, a feed, a picture and all the clutter of the web."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from html import escape

from aiohttp import web
from PIL import Image, ImageDraw

NAME = "The Loopback Gazette"
CAPTION = "<figcaption>First the disk, then the word.</figcaption>"


@dataclass(frozen=True, slots=True)
class _Piece:
    path: str
    title: str
    author: str
    paragraphs: tuple[str, ...]
    has_picture: bool = False
    is_teaser: bool = False
    """Its feed gives the first sentence only; the rest stands on its page."""


PIECES = (
    _Piece(
        "/what-250-means",
        "What 250 means",
        "Edith Post",
        (
            "A mail server that answers 250 has made a promise. RFC 5321 says it without softness: from that moment "
            "the message is its responsibility, and it must not be lost for frivolous reasons, such as a crash of the "
            "host a second later.",
            "Most software keeps that promise most of the time. The difference is in the order of two small steps. Who "
            "writes to the disk first and speaks then can be killed at any point, and the sender either still has the "
            "mail or need not have it any more. Who speaks first has a gap in between, and everything that falls into "
            "it is gone without a trace, since nobody is left who would send it again.",
            "So it is worth a test that kills the program in the middle, a few thousand times, and counts.",
        ),
        has_picture=True,
    ),
    _Piece(
        "/the-hour-that-comes-twice",
        "The hour that comes twice",
        "Tom Zone",
        (
            "On the last Sunday of October, half past two in the morning comes twice in most of Europe.",
            "A paper that is ordered for that time should come once. And on the last Sunday of March, when the clocks "
            "leap from two to three, there is no half past two at all, and yet nobody wants to go without a paper.",
            "The answer is to let the calendar decide and not the clock: one issue for each local date, at the first "
            "moment at which the clocks show the time, or at the next valid minute where they never do. The rule takes "
            "one line in a contract and a page of code, and it has to hold in every zone of the world. There are about "
            "six hundred of them, and some have changed their mind about it with a week's notice.",
        ),
        is_teaser=True,
    ),
    _Piece(
        "/one-story-once",
        "One story, once",
        "Edith Post",
        (
            "Three papers print the same report of an agency, each below a headline of its own. Who reads all three in "
            "one feed reader meets it three times, and on the next morning once more, since somebody mended a comma.",
            "Two texts are alike if they share most of their short runs of words. To compare all with all would take "
            "for ever, so each text is boiled down to a signature of a hundred numbers, and only texts whose "
            "signatures fall into the same drawer are compared in earnest. What was delivered once is remembered for "
            "good.",
        ),
    ),
)


class DemoSite:
    """Serves the news on 127.0.0.1 for as long as the block lasts; `url` is its front page."""

    def __init__(self, *, now: datetime | None = None) -> None:
        self.url = ""
        self._now = now or datetime.now(UTC)
        self._runner = web.ServerRunner(web.Server(self._answer, access_log=None))

    async def __aenter__(self) -> DemoSite:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        pieces = {piece.path: piece for piece in PIECES}
        match request.path:
            case "/":
                return web.Response(text=self._front(), content_type="text/html")
            case "/feed.xml":
                return web.Response(text=self._feed(), content_type="application/rss+xml")
            case "/picture.png":
                return web.Response(body=_picture(), content_type="image/png")
            case path if path in pieces:
                return web.Response(text=self._page(pieces[path]), content_type="text/html")
            case _:
                return web.Response(status=404, text="There is nothing here.")

    def _front(self) -> str:
        links = "".join(f'<li><a href="{piece.path}">{escape(piece.title)}</a></li>' for piece in PIECES)
        feed = f'<link rel="alternate" type="application/rss+xml" title="{NAME}" href="/feed.xml">'
        head = f"<head><title>{NAME}</title>{feed}</head>"
        return f"<!DOCTYPE html><html lang='en'>{head}<body><ul>{links}</ul></body></html>"

    def _page(self, piece: _Piece) -> str:
        return (
            f"<!DOCTYPE html><html lang='en'><head><title>{escape(piece.title)} | {NAME}</title></head><body>"
            "<nav><a href='/'>Home</a> <a href='/subscribe'>Subscribe for 9.99 a month</a></nav>"
            f"<article><h1>{escape(piece.title)}</h1>{self._html(piece)}</article>"
            "<aside>You will not believe these seven mail servers</aside><footer>We value your privacy</footer>"
            "<script>track()</script></body></html>"
        )

    def _html(self, piece: _Piece) -> str:
        figure = f"<figure><img src='{self.url}picture.png' alt='A promise and a gap'>{CAPTION}</figure>"
        pixel = f"<img src='{self.url}pixel.gif' width='1' height='1'>"
        return (
            (figure if piece.has_picture else "")
            + "".join(f"<p>{escape(text)}</p>" for text in piece.paragraphs)
            + pixel
        )

    def _feed(self) -> str:
        items = "".join(self._item(piece, hours=number) for number, piece in enumerate(PIECES, start=1))
        return (
            '<?xml version="1.0" encoding="utf-8"?><rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/">'
            f"<channel><title>{NAME}</title><link>{self.url}</link><language>en</language>{items}</channel></rss>"
        )

    def _item(self, piece: _Piece, *, hours: int) -> str:
        html = f"<p>{escape(piece.paragraphs[0])} […]</p>" if piece.is_teaser else self._html(piece)
        link = f"{self.url.rstrip('/')}{piece.path}?utm_source=rss&amp;utm_medium=feed"
        at = format_datetime(self._now - timedelta(hours=hours))
        return (
            f"<item><guid isPermaLink='false'>{piece.path}</guid><title>{escape(piece.title)}</title>"
            f"<link>{link}</link><dc:creator>{piece.author}</dc:creator><pubDate>{at}</pubDate>"
            f"<description>{escape(html)}</description></item>"
        )


def _picture() -> bytes:
    """Two boxes and the arrow between them."""
    image = Image.new("RGB", (640, 260), "#f7f4ee")
    draw = ImageDraw.Draw(image)
    for left, colour in ((40, "#1f5673"), (400, "#b4532a")):
        draw.rounded_rectangle((left, 60, left + 200, 200), radius=18, fill=colour)
    draw.line((250, 130, 376, 130), fill="#2a2622", width=8)
    draw.polygon(((392, 130), (366, 112), (366, 148)), fill="#2a2622")
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
