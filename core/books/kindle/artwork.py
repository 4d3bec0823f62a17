"""Rules for pictures: kinds that Kindles do not show, colours of printing presses, files that are cut short."""

from __future__ import annotations

import io
import posixpath
import re
import warnings
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from lxml import etree

from core.books.kindle.references import apply_renames, references
from core.books.kindle.trees import elements, item_element
from core.books.kindle.working import Copy, Item, Patch
from core.books.xml import attribute, local_name
from core.i18n import _

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS: Final = 80_000_000
QUALITY: Final = 88
SVG_WIDTH: Final = 1600  # pixels; the width of the largest Kindle is 1,860, and drawings are seldom as wide
_CONVERTED: Final = frozenset(
    {"image/webp", "image/avif", "image/heic", "image/heif", "image/bmp", "image/x-ms-bmp", "image/tiff", "image/jp2"}
)
_FLAT_COLOURS: Final = 256
_MAX_SHAPES: Final = 20_000
_FRAMES: Final = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})  # ITU T.81 B.1.1.3: start of frame
_LETTERS: Final = re.compile("[^\x00-\u052f\u1e00-\u206f\u20a0-\u22ff]")
"""What the face that we ship has no letters for."""


def convert_pictures(book: Copy, patch: Patch) -> None:
    """WebP, AVIF and their like become JPEG, or PNG where they are flat or transparent."""
    found = {item.name: item for item in book.package.items if item.name and item.media_type in _CONVERTED}
    told = _("the picture was of a kind that Kindles do not show, and is {kind} now")
    _replace(book, patch, found, lambda name: as_shown(_data(book, name)), told=told)


def draw_vectors(book: Copy, patch: Patch) -> None:
    """SVG files shown by `img` become PNG. Those that have letters which we have no face for stay as they are."""
    shown = set(_shown_vectors(book))
    spine = {item.name for item in book.package.items if item.id in book.package.spine}
    found = {item.name: item for item in book.package.items if item.name in shown - spine}
    told = _("the picture was of SVG, which Amazon refuses in some books, and is {kind} now")
    _replace(book, patch, found, lambda name: _drawn(book, name), told=told)


def _shown_vectors(book: Copy) -> Iterator[str]:
    vectors = {item.name for item in book.package.items if item.media_type == "image/svg+xml" and item.name}
    if not vectors:
        return
    for page in book.pages:
        tree = book.tree(page)
        for element in () if tree is None else elements(tree, "img"):
            name = book.resolve(element.get("src", ""), base=page)
            if name in vectors:
                yield name


def _replace(
    book: Copy,
    patch: Patch,
    found: dict[str, Item],
    draw: Callable[[str], tuple[str, bytes] | None],
    *,
    told: str,
) -> None:
    """By what `draw` makes of each; what it makes nothing of stays as it is."""
    drawn = {name: made for name in found if (made := draw(name)) is not None}
    for name, (suffix, data) in drawn.items():
        stem = posixpath.splitext(name)[0]
        names = (f"{stem}.{suffix}", *(f"{stem}-{number}.{suffix}" for number in range(2, 10_000)))
        taken = {*book.names, *patch.renamed.values()} - {name}
        patch.renamed[name] = next(candidate for candidate in names if candidate not in taken)
        patch.files[name] = data
        patch.tell(name, told.format(kind=_MEDIA_TYPES[suffix].partition("/")[2].upper()))
    if not patch.renamed:
        return
    apply_renames(book, patch)
    root = patch.edit(book.package.name)
    for name, (suffix, _bytes) in drawn.items():
        element = item_element(root, found[name].id)
        element.set("media-type", _MEDIA_TYPES[suffix])
        element.attrib.pop("fallback", "")


_MEDIA_TYPES: Final = {"jpg": "image/jpeg", "png": "image/png"}


def mend_photographs(book: Copy, patch: Patch) -> None:
    """JPEGs in four colours of ink, or cut short, become JPEGs in three, with all that is left of them."""
    for item in book.package.items:
        if item.media_type != "image/jpeg" or not item.name or item.name in patch.files:
            continue
        data = _data(book, item.name)
        fault = photograph_fault(data) if data is not None else ""
        made = _as_jpeg(data) if fault and data is not None else None
        if made is not None:
            patch.files[item.name] = made
            patch.tell(item.name, fault)


def photograph_fault(data: bytes) -> str:
    """What an e-reader would stumble over, a clause; "" for a sound JPEG."""
    place = 2
    while place + 10 < len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        if marker in _FRAMES:
            if data[place + 9] == 4:
                return _("the photograph was in the four colours of printing, which Kindles do not show")
            break
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return _("the photograph was cut short") if b"\xff\xd9" not in data[-4096:] else ""


def _data(book: Copy, name: str) -> bytes | None:
    """None for what cannot be unpacked: then there is nothing to be mended."""
    origin = book.origin(name)
    return book.members.read_if_sound(origin) if origin is not None else book.read(name)


def _opened(data: bytes) -> Image | None:
    from PIL import Image, ImageFile, ImageOps

    ImageFile.LOAD_TRUNCATED_IMAGES = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(io.BytesIO(data))
            if image.width * image.height > MAX_PIXELS:
                return None
            image.load()
            return ImageOps.exif_transpose(image) or image
        except Exception:  # noqa: BLE001 - a parser's boundary: Pillow's plugins raise whatever they stumble over
            return None


def _as_jpeg(data: bytes) -> bytes | None:
    image = _opened(data)
    if image is None:
        return None
    out = io.BytesIO()
    image.convert("L" if image.mode in ("1", "L") else "RGB").save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def as_shown(data: bytes | None) -> tuple[str, bytes] | None:
    """A picture of any kind as one that Kindles show: suffix and bytes; None for what cannot be read."""
    image = _opened(data) if data is not None else None
    if image is None:
        return None
    out = io.BytesIO()
    if image.has_transparency_data or image.convert("RGB").getcolors(_FLAT_COLOURS) is not None:
        image.convert("RGBA" if image.has_transparency_data else "RGB").save(out, "PNG", optimize=True)
        return "png", out.getvalue()
    image.convert("L" if image.mode in ("1", "L") else "RGB").save(out, "JPEG", quality=QUALITY)
    return "jpg", out.getvalue()


def _drawn(book: Copy, name: str) -> tuple[str, bytes] | None:
    tree = book.tree(name)
    if tree is None or local_name(tree.getroot()) != "svg" or b"<!ENTITY" in book.read(name):
        return None
    root = tree.getroot()
    if not _is_moderate(root):
        return None
    letters = "".join(str(text) for text in root.itertext())
    # What it would load is loaded by nobody; a drawing that needs it stays as it is.
    loads = [one for one in references(root) if local_name(one.element) in ("image", "feImage", "use")]
    if _LETTERS.search(letters) or any(not one.href.startswith(("data:", "#")) for one in loads):
        return None
    if b"url(http" in book.read(name) or b"@import" in book.read(name):
        return None
    return _rendered(etree.tostring(root, encoding="unicode"))


def _is_moderate(root: etree._Element) -> bool:
    """Neither a strip that would be drawn a mile high, nor more shapes than any picture has."""
    box = [float(number) for number in re.findall(r"[0-9.]+", attribute(root, "viewBox"))[-2:] if number.count(".") < 2]
    size = [re.match(r"[0-9]{1,7}(?:\.[0-9]{1,9})?", attribute(root, key)) for key in ("width", "height")]
    width, height = box if len(box) == 2 else [float(one[0]) if one else 1.0 for one in size]
    return width > 0 and height / width < 4 and sum(1 for _element in root.iter()) < _MAX_SHAPES


def _rendered(svg: str) -> tuple[str, bytes] | None:
    import resvg_py

    face = files("core.books").joinpath("fonts", "DejaVuSerif.ttf")
    try:
        png = resvg_py.svg_to_bytes(
            svg_string=svg, width=SVG_WIDTH, background="white", skip_system_fonts=True, font_files=[str(face)],
            font_family="DejaVu Serif", serif_family="DejaVu Serif", sans_serif_family="DejaVu Serif",
            monospace_family="DejaVu Serif",
        )  # fmt: skip
    except BaseException as error:
        if (
            isinstance(error, Exception) or type(error).__name__ == "PanicException"
        ):  # how Rust tells of a bug of its own
            return None
        raise
    return ("png", bytes(png)) if png else None
