"""How sure a network may be: does it still read the same digit if it is turned or slanted a little?

A network may believe firmly in a wrong digit, above all if the writing is unlike its training digits. Its
belief then often breaks down when the picture changes a little, although the digit stays the same. So the
network also reads slightly changed copies (test-time augmentation; as a measure of uncertainty: Ayhan and
Berens, "Test-time data augmentation for estimation of heteroscedastic aleatoric uncertainty in deep neural
networks", 2018).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rnnlab.data.augmentation import distort, rotation_and_slant
from rnnlab.digits import FloatArray
from rnnlab.model.reader import Reader

_COPIES: Final = rotation_and_slant([(5.0, 0.0), (-5.0, 0.0), (0.0, 0.15), (0.0, -0.15)])
"""Turned by 5 degrees or slanted by 0.15 to either side: about as much as one person's writing varies."""

CONFIDENCE_THRESHOLD: Final = 0.5
"""An answer with less augmented confidence than this is called not sure."""

_AT_ONCE: Final = 500
"""Images whose copies are read together."""


def augmented_confidence(
    reader: Reader, images: NDArray[np.uint8], beliefs: FloatArray
) -> NDArray[np.float64]:
    """Return how sure the network may be of the top digit of each image.

    The images are `uint8` of shape (N, 28, 28); the beliefs are those after their last row, shape (N, 10).

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
    """Return the belief in the digit of each image for each of its changed copies, shape (N, copies)."""
    image, copy = np.divmod(np.arange(len(images) * len(_COPIES)), len(_COPIES))
    changed = distort(images, image, _COPIES[copy]).transpose(2, 0, 1)
    beliefs = reader.read(np.rint(changed).astype(np.uint8)).beliefs[:, -1]
    return beliefs[np.arange(len(image)), digits[image]].reshape(len(images), len(_COPIES))
