"""Pictures as e-readers show them."""

from __future__ import annotations

import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core.news.issue import FittedPicture
from core.news.pictures import HIGHEST, WIDEST, fit_picture, refit


def picture(size: tuple[int, int] = (640, 480), mode: str = "RGB", kind: str = "JPEG", **options: object) -> bytes:
    noise = Image.frombytes("L", (64, 48), random.Random(1).randbytes(64 * 48)).resize(size)
    image = noise.convert(mode)
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def fitted(content: bytes, **options: int) -> FittedPicture:
    found = fit_picture(content, **options)
    assert found is not None
    return found


def opened(found: FittedPicture) -> Image.Image:
    return Image.open(io.BytesIO(found.content))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_picture_of_any_kind_comes_out_as_one_that_readers_show(kind: str) -> None:
    found = fitted(picture(kind=kind))

    assert found.media_type in ("image/jpeg", "image/png", "image/gif")
    assert opened(found).size == (found.width, found.height) == (640, 480)


def test_large_picture_fits_the_page_and_keeps_its_shape() -> None:
    found = fitted(picture((4000, 2000)))

    assert (found.width, found.height) == (WIDEST, WIDEST // 2)
    assert found.height <= HIGHEST


def test_small_jpeg_is_passed_on_untouched() -> None:
    content = picture()

    assert fitted(content).content == content


def test_metadata_does_not_pass() -> None:
    exif = Image.Exif()
    exif[0x010E] = "where I live"

    found = fitted(picture(exif=exif, comment=b"who I am"))

    assert b"where I live" not in found.content
    assert b"who I am" not in found.content
    assert opened(found).size == (640, 480)


def test_picture_that_lies_on_its_side_is_stood_up() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6

    found = fitted(picture((640, 480), exif=exif))

    assert (found.width, found.height) == (480, 640)


@pytest.mark.parametrize("mode", ["CMYK", "L", "1", "P", "RGBA", "LA", "I;16"])
def test_every_colour_space_becomes_one_that_readers_know(mode: str) -> None:
    kind = "TIFF" if mode == "CMYK" else "PNG"

    assert opened(fitted(picture(mode="L" if mode == "I;16" else mode, kind=kind))).mode in ("RGB", "L", "P")


def test_transparent_ground_is_white() -> None:
    image = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    out = io.BytesIO()
    image.save(out, "PNG")

    assert opened(fitted(out.getvalue())).convert("RGB").getpixel((50, 50)) == (255, 255, 255)


def test_drawing_of_few_colours_stays_sharp() -> None:
    image = Image.new("RGB", (300, 200), "navy")
    out = io.BytesIO()
    image.save(out, "PNG")

    assert fitted(out.getvalue()).media_type == "image/png"


@pytest.mark.parametrize("size", [(1, 1), (16, 400), (31, 31)])
def test_ornament_is_left_out(size: tuple[int, int]) -> None:
    assert fit_picture(picture(size)) is None


def test_bomb_is_refused_by_its_header() -> None:
    out = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(out, "PNG")

    assert fit_picture(out.getvalue()) is None


@given(content=st.binary(max_size=400))
def test_bytes_that_are_no_picture_are_left_out(content: bytes) -> None:
    assert fit_picture(content) is None


@given(place=st.integers(2, 5000), value=st.integers(0, 255))
def test_damaged_picture_never_raises(place: int, value: int) -> None:
    content = bytearray(picture())
    content[place % len(content)] = value

    fit_picture(bytes(content))


def test_refit_makes_it_smaller() -> None:
    found = fitted(picture((1400, 1000), quality=95))

    again = refit(found, quality=50, most_width=1440, most_height=1920)
    smaller = refit(found, quality=50, most_width=600, most_height=800)

    assert len(smaller.content) < len(again.content) < len(found.content)
    assert smaller.width == 600


def test_refit_never_makes_it_larger() -> None:
    found = fitted(picture(quality=20))

    assert refit(found, quality=95, most_width=1440, most_height=1920) == found
