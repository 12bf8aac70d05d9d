"""Distorted copies of the training digits: turned, slanted, scaled, moved, bent, thinner or thicker.

A network that never sees the same picture twice cannot learn pictures by heart. Bending is a smooth random
field of displacements (Simard, Steinkraus and Platt, "Best practices for convolutional neural networks
applied to visual document analysis", 2003); all else but the thickness is an affine map about the digit's
centre of mass.

A distorted digit is graded on the last row alone. The height at which a digit begins and the look of its
first rows say a lot about it. Distortion changes both: a network that is graded on every row of distorted
digits is less sure than it could be after the first rows of an undistorted one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rnnlab.config import Config
from rnnlab.data.preprocessing import MASS_CENTRE, thicken
from rnnlab.digits import SIDE, FloatArray

_KNOTS: Final = 6
"""Bumps of the bending field in each direction."""

_BUMP_WIDTH: Final = 4.0
"""Standard deviation of a bump, in pixels, as in Simard et al., 2003."""

_LAST: Final = np.nextafter(np.float32(SIDE - 1), np.float32(0))
"""The greatest coordinate: beyond its edge, the picture continues with the pixels of the edge."""

_COORDINATES: Final = 3 + _KNOTS * _KNOTS
DISTORTION_PARAMETERS: Final = 2 * _COORDINATES + 1
"""Numbers that describe the distortion of one image."""


def _basis() -> FloatArray:
    """Return the functions of position that coordinates are sums of, one a column, shape (784, 3 + bumps)."""
    rows, columns = np.mgrid[:SIDE, :SIDE].reshape(2, -1).astype(np.float64)
    affine = [columns - MASS_CENTRE, rows - MASS_CENTRE, np.ones_like(rows)]
    knots = np.linspace(1.5, SIDE - 2.5, _KNOTS)
    along = [np.exp(-((axis[:, None] - knots) ** 2) / (2 * _BUMP_WIDTH**2)) for axis in (rows, columns)]
    bumps = (along[0][:, :, None] * along[1][:, None, :]).reshape(SIDE * SIDE, -1)
    bumps /= np.sqrt((bumps**2).sum(axis=1).mean())
    return np.concatenate([np.stack(affine, axis=1), bumps], axis=1).astype(np.float32)


_BASIS: Final = _basis()

_IDENTITY: Final = np.zeros(DISTORTION_PARAMETERS, np.float32)
"""The distortion that changes nothing."""
_IDENTITY[[0, _COORDINATES + 1]] = 1
_IDENTITY[[2, _COORDINATES + 2]] = MASS_CENTRE


def uses_distortion(config: Config) -> bool:
    """Return whether a configuration distorts its training digits at all."""
    return any(
        (config.rotation, config.slant, config.scaling, config.shift, config.bending, config.thickness)
    )


def sample_distortions(config: Config, count: int, generator: np.random.Generator) -> FloatArray:
    """Return random distortions, one per image, of the strength that the configuration asks for.

    Returns:
        `float32` of shape (count, `DISTORTION_PARAMETERS`): coefficients of the columns that pixels come
        from, coefficients of the rows that they come from, and the thickness, -1 to 1.
    """

    def uniform(limit: float) -> NDArray[np.float64]:
        return generator.uniform(-limit, limit, count)

    turn, slant = uniform(config.rotation), uniform(config.slant)
    parameters = np.empty((count, DISTORTION_PARAMETERS), np.float32)
    across, down = parameters[:, :_COORDINATES], parameters[:, _COORDINATES : 2 * _COORDINATES]
    _turn_and_slant(across, down, turn, slant)
    across[:, :2] *= np.exp(uniform(config.scaling))[:, None]
    down[:, :2] *= np.exp(uniform(config.scaling))[:, None]
    for part in (across, down):
        part[:, 2] = MASS_CENTRE + uniform(config.shift)
        bumps = generator.standard_normal((count, _COORDINATES - 3), np.float32)
        part[:, 3:] = np.float32(config.bending) * bumps
    parameters[:, -1] = uniform(config.thickness)
    parameters[generator.random(count) >= config.distorted_share] = _IDENTITY
    return parameters


def rotation_and_slant(changes: Sequence[tuple[float, float]]) -> FloatArray:
    """Return distortions that do nothing but turn and slant.

    Args:
        changes: Degrees and slant of each distortion.

    Returns:
        As `sample_distortions` does.
    """
    parameters = np.repeat(_IDENTITY[None], len(changes), axis=0)
    degrees, slants = np.array(changes, np.float64).T
    _turn_and_slant(parameters, parameters[:, _COORDINATES:], degrees, slants)
    return parameters


def _turn_and_slant(
    across: FloatArray, down: FloatArray, degrees: NDArray[np.float64], slant: NDArray[np.float64]
) -> None:
    """Write rotation and slant into the first two coefficients of columns and rows."""
    turn = np.deg2rad(degrees)
    cosine, sine = np.cos(turn), np.sin(turn)
    across[:, 0], across[:, 1] = cosine, slant * cosine - sine
    down[:, 0], down[:, 1] = sine, slant * sine + cosine


def are_distorted(parameters: FloatArray) -> NDArray[np.bool_]:
    """Return which images are changed at all by their distortions, shape (N,)."""
    changed: NDArray[np.bool_] = (parameters != _IDENTITY).any(axis=1)
    return changed


def distort(images: NDArray[np.uint8], chosen: NDArray[np.integer], parameters: FloatArray) -> FloatArray:
    """Return distorted images side by side.

    Args:
        images: `uint8` of shape (M, 28, 28).
        chosen: Indices of the images to distort, shape (N,).
        parameters: As `sample_distortions` returns them, shape (N, `DISTORTION_PARAMETERS`).

    Returns:
        `float32` of shape (28, 28, N), 0 to 255.
    """
    changed = are_distorted(parameters)
    if changed.all():
        return _distort(images, chosen, parameters)
    distorted = np.ascontiguousarray(images[chosen].transpose(1, 2, 0)).astype(np.float32)
    places = np.flatnonzero(changed)
    distorted[:, :, places] = _distort(images, chosen[places], parameters[places])
    return distorted


def _distort(images: NDArray[np.uint8], chosen: NDArray[np.integer], parameters: FloatArray) -> FloatArray:
    """Return distorted images as `distort` does, all of which take the same time, changed or not."""
    count = len(chosen)
    column = _BASIS @ parameters[:, :_COORDINATES].T
    row = _BASIS @ parameters[:, _COORDINATES:-1].T
    np.clip(column, 0, _LAST, out=column)
    np.clip(row, 0, _LAST, out=row)
    whole_column, whole_row = column.astype(np.int32), row.astype(np.int32)
    column -= whole_column
    row -= whole_row
    whole_row *= SIDE
    whole_row += whole_column
    whole_row += np.arange(count, dtype=np.int32) * (SIDE * SIDE)
    pixels = images[chosen].reshape(-1)
    upper = _between(pixels[whole_row], pixels[1:][whole_row], column)
    lower = _between(pixels[SIDE:][whole_row], pixels[SIDE + 1 :][whole_row], column)
    lower -= upper
    lower *= row
    upper += lower
    distorted = upper.reshape(SIDE, SIDE, count)
    return thicken(distorted, parameters[:, -1])


def _between(left: NDArray[np.uint8], right: NDArray[np.uint8], fraction: FloatArray) -> FloatArray:
    """Return the values that lie a fraction of the way from left to right."""
    start = left.astype(np.float32)
    difference = np.subtract(right, start, dtype=np.float32)
    difference *= fraction
    start += difference
    return start
