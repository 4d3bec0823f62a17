"""Pictures of the web as e-readers show them: JPEG, PNG or GIF, no larger than a page, and nothing else in them."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Final

from core.news.issue import FittedPicture

if TYPE_CHECKING:
    from PIL.Image import Image

WIDEST: Final = 1440  # pixels
HIGHEST: Final = 1920
QUALITY: Final = 82
SMALLEST: Final = 32  # pixels of a side: less is an ornament
MOST_PIXELS: Final = 60_000_000  # before anything is decoded: a decompression bomb is refused by its own header
UNTOUCHED_BYTES: Final = 400_000  # a JPEG that fits and is no larger goes through as it is
HARDLY_LARGER: Final = 1.1
FLAT_COLOURS: Final = 256  # drawings have no more, and stay sharp as PNG
_MEDIA_TYPES: Final = {"JPEG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif"}


def fit_picture(
    content: bytes, *, most_width: int = WIDEST, most_height: int = HIGHEST, quality: int = QUALITY
) -> FittedPicture | None:
    """The picture, made to fit; None for what is too small, too large, or none. Never raises for what the bytes are."""
    from PIL import Image, ImageFile

    ImageFile.LOAD_TRUNCATED_IMAGES = True  # half a picture is better than none
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of strange metadata, and of sizes, which are judged here
            image = Image.open(io.BytesIO(content))
            return _fit(image, content, most_width=most_width, most_height=most_height, quality=quality)
    except Exception:  # noqa: BLE001 - a parser's boundary: Pillow's plugins raise whatever they stumble over
        return None


def refit(picture: FittedPicture, *, quality: int, most_width: int, most_height: int) -> FittedPicture:
    """The same picture, smaller; as it is where that would not make it smaller.

    One that is hardly larger than it may be keeps its size: scaling takes three times as long as writing it anew.
    """
    if picture.width <= most_width * HARDLY_LARGER and picture.height <= most_height * HARDLY_LARGER:
        most_width, most_height = max(most_width, picture.width), max(most_height, picture.height)
    smaller = fit_picture(picture.content, most_width=most_width, most_height=most_height, quality=quality)
    if picture.media_type == "image/jpeg" and smaller is not None and smaller.content == picture.content:
        smaller = _recoded(picture.content, quality=quality)
    return smaller if smaller is not None and len(smaller.content) < len(picture.content) else picture


def _recoded(content: bytes, *, quality: int) -> FittedPicture:
    from PIL import Image

    return _as_jpeg(Image.open(io.BytesIO(content)), quality=quality)


def _fit(image: Image, content: bytes, *, most_width: int, most_height: int, quality: int) -> FittedPicture | None:
    width, height = image.size
    if min(width, height) < SMALLEST or width * height > MOST_PIXELS:
        return None
    fits = width <= most_width and height <= most_height
    is_plain = image.format == "JPEG" and image.mode in ("RGB", "L") and image.getexif().get(0x0112, 1) == 1
    if fits and is_plain and len(content) <= UNTOUCHED_BYTES and content.endswith(b"\xff\xd9"):
        image.draft(image.mode, (width // 8, height // 8))
        image.load()  # at an eighth: what cannot be decoded is not passed on
        return FittedPicture(media_type="image/jpeg", content=_without_metadata(content), width=width, height=height)
    if image.format == "JPEG" and not fits:
        image.draft(None, (most_width, most_height))  # decodes at a fraction of its size
    return _redrawn(image, most_width=most_width, most_height=most_height, quality=quality)


def _redrawn(image: Image, *, most_width: int, most_height: int, quality: int) -> FittedPicture | None:
    from PIL import Image as Images
    from PIL import ImageOps

    image.seek(0)
    upright = ImageOps.exif_transpose(image) or image
    has_alpha = upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info
    upright = upright.convert("RGBA" if has_alpha else "L" if upright.mode in ("1", "L", "I;16") else "RGB")
    if has_alpha:
        ground = Images.new("RGB", upright.size, "white")  # e-readers show the page through, and some show black
        ground.paste(upright, mask=upright.getchannel("A"))
        upright = ground
    is_flat = image.format in ("PNG", "GIF") and upright.getcolors(FLAT_COLOURS) is not None
    upright.thumbnail((most_width, most_height), Images.Resampling.LANCZOS, reducing_gap=2.0)
    if min(upright.size) < 1:
        return None
    return _as_png(upright) if is_flat else _as_jpeg(upright, quality=quality)


def _as_jpeg(image: Image, *, quality: int) -> FittedPicture:
    out = io.BytesIO()
    image.convert("L" if image.mode == "L" else "RGB").save(out, "JPEG", quality=quality, optimize=False)
    return FittedPicture(media_type="image/jpeg", content=out.getvalue(), width=image.width, height=image.height)


def _as_png(image: Image) -> FittedPicture:
    out = io.BytesIO()
    image.quantize(FLAT_COLOURS).save(out, "PNG", optimize=True)
    return FittedPicture(media_type="image/png", content=out.getvalue(), width=image.width, height=image.height)


def _without_metadata(content: bytes) -> bytes:
    """A JPEG without what cameras and editors wrote beside the picture (ITU T.81 B.2): APP1 to APP13, APP15, COM.

    APP0 (JFIF) and APP14 (Adobe's colours) say how to read it, and stay.
    """
    parts, place = [content[:2]], 2
    while place + 4 <= len(content) and content[place] == 0xFF:
        marker = content[place + 1]
        if marker == 0xDA:  # the picture itself, to the end
            break
        end = place + 2 + int.from_bytes(content[place + 2 : place + 4], "big")
        is_metadata = marker == 0xFE or (0xE1 <= marker <= 0xEF and marker != 0xEE)
        if not is_metadata:
            parts.append(content[place:end])
        place = end
    return b"".join([*parts, content[place:]])
