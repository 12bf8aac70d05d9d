"""Pictures from outside: whatever the file, the network sees what it would see on the canvas."""

from __future__ import annotations

import io
import struct
import zlib
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, features

from rnnlab.data import image_files
from rnnlab.data.image_files import MAX_FILE_BYTES, load_picture
from rnnlab.data.outside_pictures import SeveralDigitsError, prepare_file
from rnnlab.data.preprocessing import DrawingError, prepare
from tests.papers import KINDS, Ink
from tests.pens import STROKES, draw_digit, draw_strokes

DIGITS = ("2", "4", "5", "7", "8")


def ink_of(digit: str, pen: int = 16) -> Ink:
    canvas = draw_digit(digit, pen=pen, scale=0.6, shift=(0.2, 0.2))
    return np.asarray(canvas[..., 0] / 255.0)


def likeness(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Return the correlation of two pictures; one of them may lie a pixel beside the other."""
    shifted = [np.roll(other, (down, across), (0, 1)) for down in (-1, 0, 1) for across in (-1, 0, 1)]
    return max(float(np.corrcoef(one.ravel(), each.ravel())[0, 1]) for each in shifted)


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_file_of_any_kind_shows_the_network_what_the_canvas_shows(kind: str) -> None:
    for seed, digit in enumerate(DIGITS):
        ink = ink_of(digit)
        expected, found = prepare(255 * ink), prepare_file(KINDS[kind](ink, np.random.default_rng(seed)))
        assert expected is not None
        assert found is not None, digit
        assert likeness(found.picture, expected.picture) > 0.9, digit


def test_a_canvas_file_is_prepared_exactly_as_the_canvas() -> None:
    for digit in STROKES:
        canvas = draw_digit(digit)
        file = io.BytesIO()
        Image.fromarray(canvas).save(file, "PNG")
        expected, found = prepare(canvas), prepare_file(file.getvalue())
        assert expected is not None
        assert found is not None
        np.testing.assert_array_equal(found.picture, expected.picture)
        for name in ("top", "left", "row_height", "column_width"):
            assert getattr(found, name) == pytest.approx(getattr(expected, name))


def png(levels: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def test_a_picture_without_a_digit_is_said_to_be_blank() -> None:
    rng = np.random.default_rng(0)
    down = np.linspace(0, 60, 280)[:, None]
    lit = 180 + down + rng.normal(0, 4, (280, 280))
    for paper in (np.zeros((280, 280)), np.full((280, 280), 255.0), lit):
        assert prepare_file(png(paper)) is None
    transparent = io.BytesIO()
    Image.new("RGBA", (40, 40)).save(transparent, "PNG")
    assert prepare_file(transparent.getvalue()) is None


@pytest.mark.parametrize(("left", "right"), [("4", "2"), ("1", "0"), ("7", "7")])
def test_a_picture_of_several_digits_is_said_to_be_that(left: str, right: str) -> None:
    strokes = [
        [(0.35 * x + start, 0.6 * y + 0.2) for x, y in stroke]
        for digit, start in ((left, 0.08), (right, 0.55))
        for stroke in STROKES[digit]
    ]
    page = 255.0 - draw_strokes(strokes, pen=12)[..., 0]
    with pytest.raises(SeveralDigitsError, match="seems to show 2 digits; show one"):
        prepare_file(png(page))


def test_the_strokes_of_one_digit_may_stand_apart() -> None:
    five = [
        [(0.35, 0.25), (0.33, 0.5), (0.6, 0.5), (0.65, 0.7), (0.5, 0.85), (0.3, 0.8)],
        [(0.45, 0.15), (0.7, 0.15)],
    ]
    canvas = draw_strokes(five, pen=12)
    expected, found = prepare(canvas), prepare_file(png(255.0 - canvas[..., 0]))
    assert expected is not None
    assert found is not None
    assert likeness(found.picture, expected.picture) > 0.99
    inked = np.flatnonzero(expected.picture.max(axis=1) > 60)
    assert inked[-1] - inked[0] >= 17  # with the upper stroke, which fills the first rows


def test_a_speck_on_the_canvas_does_not_shrink_the_digit() -> None:
    canvas = draw_digit("3", scale=0.5, shift=(0.3, 0.3), pen=12)
    alone = prepare(canvas)
    for place in ((4, 4), (270, 4), (270, 270)):
        marked = canvas.copy()
        marked[place[0] : place[0] + 5, place[1] : place[1] + 5] = 255
        found = prepare(marked)
        assert alone is not None
        assert found is not None
        np.testing.assert_array_equal(found.picture, alone.picture)


def test_a_picture_that_is_too_large_is_refused_before_it_is_unpacked() -> None:
    for size, words in (
        ((10_000, 8_000), "64 megapixels, not 10000 x 8000"),
        ((20_000, 10_000), "64 megapixels;"),
        ((70_000, 1), "65,535 pixels a side, not 70000 x 1"),
    ):
        file = io.BytesIO()
        Image.new("1", size).save(file, "PNG")
        with pytest.raises(DrawingError, match=f"at most {words}"):
            load_picture(file.getvalue())
    webp = io.BytesIO()
    Image.new("RGB", (16_000, 2_000)).save(webp, "WEBP", quality=1, method=0)
    with pytest.raises(DrawingError, match="WebP picture must have at most 25 megapixels, not 16000 x 2000"):
        load_picture(webp.getvalue())
    with pytest.raises(DrawingError, match="at most 64 MB, not 64 MB; save the picture smaller"):
        load_picture(bytes(MAX_FILE_BYTES + 1))


def run_length_encoded(width: int, height: int, jumps: int = 0) -> bytes:
    """Return a BMP file with one black pixel at the left of each white row, in a few bytes a row.

    It begins with a number of jumps that lead nowhere.
    """
    rows = b"\x00\x02\x00\x00" * jumps + b"\x01\x00\x00\x00" * height + b"\x00\x01"
    start = 14 + 40 + 2 * 4
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(rows), 0, 0, 2, 0)
    colours = bytes(4) + b"\xff\xff\xff\x00"
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + header + colours + rows


def test_a_small_file_that_would_be_decoded_for_seconds_is_refused() -> None:
    assert load_picture(run_length_encoded(30, 20)).shape == (20, 30, 3)
    with pytest.raises(DrawingError, match="at most 4 megapixels, not 8000 x 8000; save it as a PNG file"):
        load_picture(run_length_encoded(8000, 8000))
    with pytest.raises(DrawingError, match="far larger than the BMP picture in it; save it as a PNG file"):
        load_picture(run_length_encoded(30, 20, jumps=10_000_000))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_a_picture_stands_upright_whichever_way_its_camera_was_held(form: str) -> None:
    pixels = np.zeros((60, 40, 3), np.uint8)
    pixels[:20], pixels[:, :10] = 200, 90
    for orientation in range(1, 9):
        file, metadata = io.BytesIO(), Image.Exif()
        metadata[ExifTags.Base.Orientation] = orientation
        lossless = {"lossless": True} if form == "WEBP" else {}
        Image.fromarray(pixels).save(file, form, exif=metadata, **lossless)
        with Image.open(file) as image:
            expected = np.asarray(ImageOps.exif_transpose(image), np.float32)
        found = load_picture(file.getvalue())
        assert found.shape == expected.shape, orientation
        assert np.abs(found - expected).max() <= 2, orientation


def test_only_well_known_formats_are_decoded() -> None:
    assert set(image_files.FORMATS) == {"PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"}
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n"
    for content in (postscript, b"", b"no picture", b"<svg xmlns='http://www.w3.org/2000/svg'/>"):
        with pytest.raises(DrawingError, match="not a picture that can be read; save it as a PNG or JPEG"):
            load_picture(content)
    assert features.check("webp")


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.95])
@pytest.mark.parametrize(
    "kind", ["photograph", "float-tiff", "palette-gif", "white-on-transparent", "canvas"]
)
def test_a_damaged_file_gets_one_sentence_or_is_read(kind: str, cut: float) -> None:
    whole = KINDS[kind](ink_of("3"), np.random.default_rng(0))
    flipped = bytearray(whole)
    flipped[round(cut * len(whole))] ^= 0xFF
    for content in (whole[: round(cut * len(whole))], bytes(flipped)):
        with suppress(DrawingError):
            assert load_picture(content).shape == (280, 280, 3)


def test_what_a_damaged_picture_makes_of_the_decoder_is_never_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: Image.Image) -> Image.Exif:
        raise zlib.error("boom")

    monkeypatch.setattr(Image.Image, "getexif", fails)
    with pytest.raises(DrawingError, match="not a picture"):
        load_picture(png(np.zeros((10, 10))))
