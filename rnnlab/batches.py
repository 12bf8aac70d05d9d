"""What every training step works on: which images, how they are distorted, and the learning rate.

All of it is a function of the configuration, its seed among it, and of the step alone, so that a run can be
entered anywhere.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnnlab.config import Config
from rnnlab.distortion import distorts, draw_distortions
from rnnlab.reader import FloatArray


class Batch(NamedTuple):
    """What one training step works on.

    Attributes:
        chosen: Indices of the training images, `int32` of shape (N,).
        learning_rate: Of this step.
        distortions: Of each image, as `distortion.draw_distortions` returns them, or `None` for none at all.
    """

    chosen: NDArray[np.int32]
    learning_rate: float
    distortions: FloatArray | None = None


def learning_rate_at(config: Config, step: int) -> float:
    """Return the learning rate of a step, the first being 0: warm-up and schedule."""
    rate = config.learning_rate * min(1.0, (step + 1) / (config.warm_up + 1))
    if config.schedule == "cosine":
        rate *= 0.5 * (1.0 + math.cos(math.pi * min(1.0, step / config.iterations)))
    return rate


class Batches:
    """The batches of a run: every epoch a new shuffle, batches running on over its end.

    Args:
        config: The hyperparameters.
        images: Number of training images.
    """

    def __init__(self, config: Config, images: int) -> None:
        self._config = config
        self._images = images
        self._batch_size = min(config.batch_size, images)
        self._epoch = -1
        self._shuffle: NDArray[np.int32] = np.empty(0, np.int32)

    def between(self, first: int, stop: int) -> list[Batch]:
        """Return the batches of the steps from `first` to before `stop`."""
        size = self._batch_size
        chosen = self._chosen(first * size, stop * size).reshape(-1, size)
        return [self._batch(step, images) for step, images in enumerate(chosen, start=first)]

    def _batch(self, step: int, chosen: NDArray[np.int32]) -> Batch:
        config, distortions = self._config, None
        if distorts(config):
            generator = np.random.default_rng([config.seed, step, 1])
            distortions = draw_distortions(config, len(chosen), generator)
        return Batch(chosen, learning_rate_at(config, step), distortions)

    def _chosen(self, start: int, stop: int) -> NDArray[np.int32]:
        parts = []
        while start < stop:
            epoch, offset = divmod(start, self._images)
            length = min(self._images - offset, stop - start)
            parts.append(self._shuffled(epoch)[offset : offset + length])
            start += length
        return np.concatenate(parts)

    def _shuffled(self, epoch: int) -> NDArray[np.int32]:
        if epoch != self._epoch:
            generator = np.random.default_rng([self._config.seed, epoch])
            self._shuffle = generator.permutation(self._images).astype(np.int32)
            self._epoch = epoch
        return self._shuffle
