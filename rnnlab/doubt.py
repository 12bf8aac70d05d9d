"""How sure a network may be: does it read the same where the digit is turned or slanted a little?

A network may believe firmly in a wrong digit, above all where the writing is unlike what it has learned from.
Its belief then often breaks down when the picture changes a little, which no digit minds. So it is asked
again about slightly changed copies (test-time augmentation; as a measure of uncertainty: Ayhan and Berens,
"Test-time data augmentation for estimation of heteroscedastic aleatoric uncertainty in deep neural networks",
2018).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rnnlab.distortion import distort, turned_and_slanted
from rnnlab.reader import FloatArray, Reader

_COPIES: Final = turned_and_slanted([(5.0, 0.0), (-5.0, 0.0), (0.0, 0.15), (0.0, -0.15)])
"""Degrees and slant of each: about as much as one person's writing varies."""

_AT_ONCE: Final = 500


def sureness(reader: Reader, images: NDArray[np.uint8], beliefs: FloatArray) -> NDArray[np.float64]:
    """Return how sure the network may be of the top digit of each image.

    Args:
        reader: The network.
        images: `uint8` of shape (N, 28, 28).
        beliefs: About them after the last row, shape (N, 10).

    Returns:
        Mean belief in that digit, over the image and its changed copies, 0 to 1, shape (N,).
    """
    top = beliefs.argmax(axis=1)
    of_itself = np.take_along_axis(beliefs, top[:, None], axis=1)
    of_copies = np.empty((len(images), len(_COPIES)))
    for start in range(0, len(images), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        of_copies[part] = _beliefs_in(reader, images[part], top[part])
    return np.asarray(np.hstack([of_itself, of_copies]).mean(axis=1))


def _beliefs_in(reader: Reader, images: NDArray[np.uint8], digits: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return, for each image, how much its changed copies are believed to be its digit, shape (N, copies)."""
    image, copy = np.divmod(np.arange(len(images) * len(_COPIES)), len(_COPIES))
    changed = distort(images, image, _COPIES[copy]).transpose(2, 0, 1)
    beliefs = reader.read(np.rint(changed).astype(np.uint8)).beliefs[:, -1]
    return beliefs[np.arange(len(image)), digits[image]].reshape(len(images), len(_COPIES))
