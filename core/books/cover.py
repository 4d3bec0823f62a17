"""Pictures of strangers to covers: a JPEG of at most 600x800."""

from __future__ import annotations

import io
import warnings

from PIL import Image, ImageFile

MAX_SIZE = (600, 800)
MAX_PIXELS = 80_000_000
"""Decoded at most: 80 million pixels of three bytes are 240 MB, and a page scanned at 600 dpi has 35 million."""
_QUALITY = 85
THUMBNAIL_SIZE = (120, 180)
"""It is shown 48 to 60 wide."""
_THUMBNAIL_QUALITY = 62
_KEPT_BYTES = 300_000
"""A picture that is a cover already is kept as it came, up to here: twice of what we would make of the worst one."""
_DRAFT_SIZE = (450, 675)
"""JPEG is decoded at 1/2, 1/4 or 1/8 at once, for a fraction of the time, where at least this much is left."""


def make_thumbnail(cover: bytes) -> bytes:
    """A cover of `make_cover`'s as small as a mail shows it: a JPEG of a few KB, sharp on a phone's screen."""
    with Image.open(io.BytesIO(cover)) as image:
        image.draft("RGB", THUMBNAIL_SIZE)
        image.thumbnail(THUMBNAIL_SIZE, Image.Resampling.HAMMING, reducing_gap=2.0)
        buffer = io.BytesIO()
        image.convert("RGB").save(buffer, "JPEG", quality=_THUMBNAIL_QUALITY, optimize=True)
        return buffer.getvalue()


def make_cover(picture: bytes) -> bytes | None:
    """`picture` as an RGB JPEG within 600x800, or None if it cannot be read: a book without a cover is still a book."""
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    ImageFile.LOAD_TRUNCATED_IMAGES = False  # the process's, and others who read pictures in it want halves too
    with warnings.catch_warnings():
        # What is merely odd in a picture (its EXIF, a palette with transparency) is none of our business, but beyond
        # its limit Pillow only warns, until twice the limit.
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            return _encode(picture)
        except Exception:  # noqa: BLE001  # decoders raise anything: struct.error, SyntaxError, KeyError, MemoryError
            return None


def _encode(picture: bytes) -> bytes:
    with Image.open(io.BytesIO(picture)) as image:
        if _is_cover(image) and len(picture) <= _KEPT_BYTES:
            image.load()  # whole, then; to write it anew would take as long again, and cost sharpness
            return picture
        image.draft(None, _DRAFT_SIZE)
        # Hamming scales down as sharply as the default and in half the time; the gap lets whole factors be averaged.
        image.thumbnail(MAX_SIZE, Image.Resampling.HAMMING, reducing_gap=1.0)
        buffer = io.BytesIO()
        _flattened(image).save(buffer, "JPEG", quality=_QUALITY)
        return buffer.getvalue()


def _is_cover(image: Image.Image) -> bool:
    width, height = image.size
    return image.format == "JPEG" and image.mode == "RGB" and width <= MAX_SIZE[0] and height <= MAX_SIZE[1]


def _flattened(image: Image.Image) -> Image.Image:
    """In RGB, what is transparent on white."""
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        paper = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(paper, layer).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")
