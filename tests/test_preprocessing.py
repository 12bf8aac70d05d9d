from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from rnnlab.data.datasets import load
from rnnlab.data.image_files import load_drawing
from rnnlab.data.preprocessing import (
    STROKE_WIDTH,
    DrawingError,
    centre_by_mass,
    encode_png,
    prepare,
    stroke_width,
    thicken,
    to_ink,
)
from tests.pens import STROKES, draw_digit


def centre_of_mass(picture: np.ndarray) -> tuple[float, float]:
    weights = picture.astype(float)
    rows, columns = np.indices(picture.shape)
    return float((rows * weights).sum() / weights.sum()), float((columns * weights).sum() / weights.sum())


def extents(picture: np.ndarray) -> tuple[float, float]:
    """Return height and width of a digit; rows and columns with only some ink count in part."""
    height, width = (float(picture.max(axis=axis).sum()) / 255 for axis in (1, 0))
    return height, width


@pytest.mark.parametrize("digit", ["0", "1", "3", "7"])
def test_a_digit_is_fitted_into_20_by_20_and_centred_by_mass(digit: str) -> None:
    prepared = prepare(draw_digit(digit))
    assert prepared is not None
    picture = prepared.picture
    assert picture.shape == (28, 28)
    assert picture.dtype == np.uint8
    assert max(extents(picture)) == pytest.approx(20, abs=1.5)
    assert picture.max() == 255
    assert centre_of_mass(picture) == pytest.approx((14, 14), abs=0.51)


@pytest.mark.usefixtures("mnist_folder")
def test_mnists_own_digits_come_out_much_as_they_are() -> None:
    images = load("mnist").test_images[:200]
    differences = []
    for image in images:
        prepared = prepare(np.kron(image, np.ones((10, 10))))
        assert prepared is not None
        differences.append(np.abs(prepared.picture.astype(float) - image).mean())
    assert float(np.median(differences)) < 12


@pytest.mark.usefixtures("mnist_folder")
def test_strokes_are_brought_to_the_width_that_mnists_have() -> None:
    of_mnist = [stroke_width(image.astype(np.float32)) for image in load("mnist").train_images[:1000]]
    assert float(np.median(of_mnist)) == pytest.approx(STROKE_WIDTH, abs=0.1)
    for pen, scale, apart in ((12, 0.9, 0.5), (20, 0.6, 0.5), (24, 0.5, 1.0)):
        drawings = [prepare(draw_digit(digit, pen=pen, scale=scale)) for digit in STROKES]
        widths = [stroke_width(found.picture.astype(np.float32)) for found in drawings if found is not None]
        assert len(widths) == 10
        assert float(np.median(widths)) == pytest.approx(STROKE_WIDTH, abs=apart)


def test_the_width_of_a_stroke_is_measured_in_pixels() -> None:
    ink = np.zeros((60, 300), np.float32)
    ink[20:28, :] = 255
    assert stroke_width(ink) == pytest.approx(8, rel=0.05)


def test_thickening_moves_both_sides_of_a_stroke() -> None:
    ink = np.zeros((20, 20), np.float32)
    ink[8:12] = 255
    for pixels, width in ((1.0, 6), (0.5, 5), (0.0, 4), (-0.5, 3), (-1.0, 2)):
        found = thicken(ink, np.float32(pixels))[:, 10].sum() / 255
        assert found == pytest.approx(width)


def test_the_aspect_of_a_digit_is_kept() -> None:
    canvas = np.zeros((280, 280))
    canvas[40:240, 100:150] = 255
    prepared = prepare(canvas)
    assert prepared is not None
    height, width = extents(prepared.picture)
    assert height == pytest.approx(20, abs=1)
    assert width == pytest.approx(
        5, abs=2
    )  # the bar is wider than MNIST's strokes, so it is made a little thinner


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.45, 0.0), (0.0, 0.45), (0.45, 0.45)])
def test_where_on_the_canvas_a_digit_stands_makes_no_difference(shift: tuple[float, float]) -> None:
    middle = prepare(draw_digit("3", scale=0.5, shift=(0.25, 0.25), pen=12))
    elsewhere = prepare(draw_digit("3", scale=0.5, shift=shift, pen=12))
    assert middle is not None
    assert elsewhere is not None
    assert np.abs(middle.picture.astype(int) - elsewhere.picture).max() <= 60


def test_the_rows_and_columns_of_the_picture_are_found_again_on_the_canvas() -> None:
    upright, lying = np.zeros((280, 280)), np.zeros((280, 280))
    upright[60:260, 130:150] = lying[40:70, 60:260] = 255
    for canvas in (upright, lying):
        prepared = prepare(canvas)
        assert prepared is not None
        begins, sizes = (prepared.top, prepared.left), (prepared.row_height, prepared.column_width)
        for axis, (begin, size) in enumerate(zip(begins, sizes, strict=True)):
            inked = np.flatnonzero(prepared.picture.max(axis=1 - axis) > 127)
            drawn = np.flatnonzero(canvas.max(axis=1 - axis))
            found = begin + inked[0] * size, begin + (inked[-1] + 1) * size
            expected = drawn[0] / 280, (drawn[-1] + 1) / 280
            assert found == pytest.approx(expected, abs=size)


def test_a_blank_canvas_is_no_digit() -> None:
    assert prepare(np.zeros((280, 280, 4), np.uint8)) is None
    assert prepare(np.full((280, 280, 4), (255, 255, 255, 0), np.uint8)) is None


@pytest.mark.parametrize("spot", [(0, 0), (279, 279), (140, 3)])
def test_a_single_pixel_and_a_full_canvas_are_prepared_without_complaint(spot: tuple[int, int]) -> None:
    canvas = np.zeros((280, 280), np.uint8)
    canvas[spot] = 255
    for pixels in (canvas, np.full((280, 280), 255, np.uint8)):
        prepared = prepare(pixels)
        assert prepared is not None
        assert prepared.picture.max() == 255


def test_a_lopsided_digit_is_not_cut_off() -> None:
    ink = np.zeros((20, 20))
    ink[19] = 255
    picture, top, left = centre_by_mass(ink)
    assert (picture.sum(), top, left) == (ink.sum(), 0, 4)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((2, 2, 2)),
        np.zeros((0, 5)),
        np.zeros(7),
        np.array([["a"]]),
        np.array([[object()]]),
        np.zeros((5000, 3)),
        np.zeros((4, 4), complex),
    ],
)
def test_what_is_no_picture_is_refused_in_one_sentence(pixels: np.ndarray) -> None:
    with pytest.raises(DrawingError, match=r"^The drawing must .*\.$"):
        prepare(pixels)


def test_values_that_are_not_finite_count_as_no_ink_or_full_ink() -> None:
    assert to_ink(np.array([[np.nan, np.inf, -np.inf]])).tolist() == [[0, 255, 0]]


def test_grey_pixels_survive_their_way_through_a_png_file() -> None:
    pixels = np.arange(28 * 28, dtype=np.uint8).reshape(28, 28)
    np.testing.assert_array_equal(load_drawing(encode_png(pixels))[:, :, 0], pixels)


def test_a_file_that_is_no_picture_is_refused_in_one_sentence() -> None:
    png = io.BytesIO()
    Image.fromarray(draw_digit("7")).save(png, "PNG")
    whole = png.getvalue()
    assert load_drawing(whole).shape == (280, 280, 4)
    for damaged in (b"", b"no picture", whole[: len(whole) // 2]):
        with pytest.raises(DrawingError, match="not a picture that can be read"):
            load_drawing(damaged)


def test_a_huge_picture_is_refused_before_it_is_unpacked() -> None:
    png = io.BytesIO()
    Image.new("1", (20_000, 10)).save(png, "PNG")
    with pytest.raises(DrawingError, match="20000 x 10"):
        load_drawing(png.getvalue())
