"""What every training step works on: which images, how they are distorted, and the learning rate.

All of it follows from the configuration with its seed, the changes made to it during the run, and the step,
so that a run can be continued from any step.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnnlab.config import Config
from rnnlab.config_changes import Change, constant_segments
from rnnlab.data.augmentation import sample_distortions, uses_distortion
from rnnlab.digits import FloatArray
from rnnlab.training.learning_rate import learning_rate_at


class Batch(NamedTuple):
    """What one training step works on.

    Attributes:
        chosen: Indices of its training images, `int32` of shape (N,).
        learning_rate: The learning rate of this step.
        distortions: One for each image, as `sample_distortions` returns them; `None` if none is distorted.
    """

    chosen: NDArray[np.int32]
    learning_rate: float
    distortions: FloatArray | None = None


class Batches:
    """The batches of a run: a new shuffle for every epoch; a batch may reach from one epoch into the next.

    Args:
        config: The hyperparameters that the run began with.
        images: Number of training images.
        changes: Those made to the hyperparameters during the run, in the order of their steps.
    """

    def __init__(self, config: Config, images: int, changes: Sequence[Change] = ()) -> None:
        self._seed = config.seed
        self._images = images
        self._epoch = -1
        self._shuffle: NDArray[np.int32] = np.empty(0, np.int32)
        self._segments = constant_segments(config, changes)
        self._firsts = [first for first, _ in self._segments]
        self._places = [0]
        for (first, then), (stop, _) in zip(self._segments, self._segments[1:], strict=False):
            self._places.append(self._places[-1] + (stop - first) * min(then.batch_size, images))

    def between(self, first: int, stop: int) -> list[Batch]:
        """Return the batches of the steps from `first` to before `stop`."""
        return [self._at(step) for step in range(first, stop)]

    def _at(self, step: int) -> Batch:
        """Return the batch of a step."""
        segment = bisect_right(self._firsts, step) - 1
        first, config = self._segments[segment]
        size = min(config.batch_size, self._images)
        start = self._places[segment] + (step - first) * size
        return self._batch(config, step, self._chosen(start, start + size))

    @staticmethod
    def _batch(config: Config, step: int, chosen: NDArray[np.int32]) -> Batch:
        distortions = None
        if uses_distortion(config):
            generator = np.random.default_rng([config.seed, step, 1])
            distortions = sample_distortions(config, len(chosen), generator)
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
            generator = np.random.default_rng([self._seed, epoch])
            self._shuffle = generator.permutation(self._images).astype(np.int32)
            self._epoch = epoch
        return self._shuffle
