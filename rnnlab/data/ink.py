"""Tells the ink of a picture from its paper, whatever their colours and however uneven the light.

Paper is what most of a picture consists of. Its colour is a smooth function of the place, fitted in a way
that ink does not disturb (iteratively reweighted least squares with the biweight of Beaton and Tukey, 1974).
Ink differs from it, darker, lighter or of another colour, in strokes that are narrow: what is wide, such as a
shadow, is taken out by the top-hat transform of Meyer, "Contrast feature extraction", 1979. The threshold is
that of Otsu, "A threshold selection method from gray-level histograms", 1979.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from rnnlab.digits import FloatArray

_LEVELS: Final = 256
"""Bins of the histogram that the threshold is found in."""

_FITTED_SIDE: Final = 64
"""Longer side of the reduced picture that the light is fitted to, in pixels."""

_ROUNDS: Final = 12
"""How often the light is fitted anew, each time with less regard to what is no paper."""

_TUKEY: Final = 4.685
"""Scales beyond which a pixel has no weight in the fit (Tukey's biweight)."""

_PLAIN: Final = 0.4
"""Share of pixels of exactly the same colour from which on they are paper in even light."""

_AROUND: Final = 0.1
"""Standard deviation of the surroundings that a stroke is compared with, as a share of the longer side."""

_WIDEST_STROKE: Final = 0.3
"""Width of a stroke that nobody writes with, as a share of the picture's longer side."""

_SMALLEST_SHEET: Final = 0.15
"""Least share of a picture that a sheet of paper covers."""

_SHEET_FILLED: Final = 0.6
"""Least share of a sheet that is paper rather than ink: a large 0 is no sheet, whatever it encloses."""

_SHEET_AT_EDGE: Final = 0.35
"""Most of the picture's edge that a sheet on something else touches, as a share."""

_SHEET_OFF_CENTRE: Final = 0.2
"""Farthest that such a sheet's centre lies from that of the picture, as a share of its height or width."""

_MIN_CONTRAST: Final = 12.0
"""Least difference of ink and paper that can be told from chance, of 255 grey levels."""

_MIN_CONTRAST_TO_NOISE: Final = 5.0
"""The same, as a multiple of the paper's noise."""

_NOISE_CUT: Final = 2.5
"""Multiple of the paper's noise that counts as paper."""


def separate_ink(picture: FloatArray) -> FloatArray | None:
    """Return how much ink each pixel has, 0 for paper to 255 for ink.

    Args:
        picture: Red, green and blue, 0 to 255, shape (height, width, 3).

    Returns:
        Shape (height, width), or `None` if nothing stands out from the paper.
    """
    plain = _plain_paper(picture)
    if plain is not None:
        difference = _along(picture - plain, _ink_direction(picture))
        return _scaled(difference, difference, 0.0)
    on_paper: NDArray[np.bool_] = np.ones(picture.shape[:2], np.bool_)
    paper = _fitted_paper(picture, on_paper)
    sheet = _sheet(picture - paper)
    if sheet is not None:
        on_paper, paper = sheet, _fitted_paper(picture, sheet)
        picture = np.where(on_paper[..., None], picture, paper)
    towards_ink = _along(picture - paper, _ink_direction(picture))
    difference, smooth = _in_uneven_light(towards_ink, on_paper)
    noise = _spread(difference[on_paper & (smooth <= otsu_threshold(smooth))])
    return _scaled(difference if noise < 0.05 * smooth.max() else smooth, smooth, noise)


def _along(difference: FloatArray, direction: FloatArray) -> FloatArray:
    """Return how far each pixel goes into a direction of colour, shape (height, width)."""
    return np.asarray(difference @ direction, np.float32)


def _ink_direction(picture: FloatArray) -> FloatArray:
    """Return in which direction of colour, shape (3,), strokes differ from what is around them.

    Strokes are narrow: they differ much from the mean of their surroundings, the paper between them only a
    little. So the mean of all differences, in which large ones count most, points from paper to ink; noise,
    shadows and edges of sheets differ as much to either side and cancel out.
    """
    around = ndimage.gaussian_filter(picture, (*[_AROUND * max(picture.shape)] * 2, 0))
    difference = picture - around
    squared = (difference**2).sum(axis=2, keepdims=True)
    direction = (difference * squared).sum(axis=(0, 1), dtype=np.float64)
    return np.asarray(direction / max(float(np.linalg.norm(direction)), 1e-30), np.float32)


def _scaled(difference: FloatArray, smooth: FloatArray, noise: float) -> FloatArray | None:
    """Bring differences from the paper to 0 to 255, or return `None` if none of them is certain."""
    is_ink = smooth > otsu_threshold(smooth)
    full = float(np.percentile(smooth[is_ink], 75)) if is_ink.any() else 0.0
    if full < max(_MIN_CONTRAST, _MIN_CONTRAST_TO_NOISE * noise):
        return None
    none = min(_NOISE_CUT * noise, 0.3 * full)
    return np.asarray(((difference - none) * np.float32(255.0 / (full - none))).clip(0.0, 255.0), np.float32)


def _in_uneven_light(difference: FloatArray, on_paper: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
    """Return differences from the paper without what is wider than a stroke, as they are and less noisy.

    This is the white top-hat transform (Meyer, 1979): it takes out shadows and leaves their edges sharp.
    """
    smooth = _smoothed(difference)
    width = round(_WIDEST_STROKE * max(smooth.shape))
    wide = ndimage.gaussian_filter(ndimage.grey_opening(smooth, (width, width)), width / 40.0)
    typical = np.float32(np.median((smooth - wide)[on_paper]))
    return (difference - wide - typical) * on_paper, (smooth - wide - typical) * on_paper


def _smoothed(difference: FloatArray) -> FloatArray:
    """Return differences with less noise."""
    return np.asarray(ndimage.gaussian_filter(difference, max(difference.shape) / 400.0))


def _sheet(difference: FloatArray) -> NDArray[np.bool_] | None:
    """Return the pixels of a sheet of paper that lies on something else, or `None` if there is none.

    What it lies on was taken for paper, so the sheet differs from it as ink does. But it is wider than any
    stroke, lies around the middle and touches little of the picture's edge.

    Args:
        difference: Of picture and paper, shape (height, width, 3).
    """
    smooth = _smoothed(np.sqrt((difference**2).sum(axis=2)))
    labels, count = ndimage.label(smooth > otsu_threshold(smooth))
    if not count:
        return None
    largest = labels == 1 + int(np.bincount(labels.ravel())[1:].argmax())
    sheet = ndimage.binary_fill_holes(largest)
    if largest.sum() < _SHEET_FILLED * sheet.sum():
        return None
    edge = np.concatenate([sheet[0], sheet[-1], sheet[:, 0], sheet[:, -1]])
    centre = np.array(ndimage.center_of_mass(sheet)) / sheet.shape - 0.5
    if edge.mean() > _SHEET_AT_EDGE or np.abs(centre).max() > _SHEET_OFF_CENTRE:
        return None
    margin = round(0.03 * max(smooth.shape))
    inside = ndimage.distance_transform_edt(np.pad(sheet, 1))[1:-1, 1:-1] > margin
    return inside if inside.mean() >= _SMALLEST_SHEET else None


def otsu_threshold(values: FloatArray) -> float:
    """Return the threshold that parts values into two classes with the least variance within them."""
    counts, edges = np.histogram(values, _LEVELS)
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1].astype(np.float64)
    above = counts.sum() - below
    sums = np.cumsum(counts * middles)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums[:-1] / below - (sums[-1] - sums[:-1]) / above) ** 2
    return float(edges[1 + int(np.nan_to_num(between).argmax())])


def _plain_paper(picture: FloatArray) -> FloatArray | None:
    """Return the colour of the paper if it is the same everywhere: the drawing was never on real paper."""
    edge = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    colour = np.median(edge, axis=0).astype(np.float32)
    same = (np.abs(picture - colour).max(axis=2) <= 1.0).mean()
    return colour if same >= _PLAIN else None


def _fitted_paper(picture: FloatArray, on_paper: NDArray[np.bool_]) -> FloatArray:
    """Return the paper's colour at every pixel: a robustly fitted polynomial of second degree."""
    height, width, _ = picture.shape
    scale = _FITTED_SIDE / max(height, width)
    size = max(3, round(width * scale)), max(3, round(height * scale))
    values = np.stack([_reduced(picture[..., channel], size) for channel in range(3)], axis=1)
    terms, usable = _polynomial(size[1], size[0]), _reduced(on_paper.astype(np.float32), size) > 0.99
    values, terms = (values[usable], terms[usable]) if usable.any() else (values, terms)
    fitted = np.median(values, axis=0)[None]
    coefficients = np.zeros((terms.shape[1], 3))
    for _ in range(_ROUNDS):
        distance = np.sqrt(((values - fitted) ** 2).sum(axis=1))
        reach = _TUKEY * max(1.4826 * float(np.median(distance)), 1.0)
        root = np.maximum(0.0, 1.0 - (distance / reach) ** 2)[:, None]
        coefficients = np.linalg.lstsq(root * terms, root * values, rcond=None)[0]
        fitted = terms @ coefficients
    return np.asarray((_polynomial(height, width) @ coefficients).reshape(picture.shape), np.float32)


def _reduced(values: FloatArray, size: tuple[int, int]) -> NDArray[np.float64]:
    """Return means of values at fewer places, row after row; `size` is their width and height."""
    small = Image.fromarray(np.ascontiguousarray(values)).resize(size, Image.Resampling.BOX)
    return np.asarray(small, np.float64).ravel()


def _polynomial(height: int, width: int) -> NDArray[np.float64]:
    """Return 1, x, y, x², xy and y² at every pixel, from -1 to 1 across the picture, shape (pixels, 6)."""
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=2).reshape(-1, 6)


def _spread(values: FloatArray) -> float:
    """Return the standard deviation of values, from their median, so that a few others hardly matter."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))
