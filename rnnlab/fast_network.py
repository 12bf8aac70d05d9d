"""A network in training on processor cores: weights, optimizer and images, by `fast_path` on all cores."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from rnnlab.config import Config
from rnnlab.data_parallel import DataParallel, shares_for, usable_cores
from rnnlab.datasets import Dataset
from rnnlab.optimizer import Adam
from rnnlab.parameters import Parameters
from rnnlab.reader import Weights


class FastNetwork:
    """A network that learns from batches; the same as `network.KerasNetwork`, faster.

    Args:
        config: The hyperparameters.
        data: Digits to learn from and to test with.
        weights: To start from.
        cores: How many it may use; by default `usable_cores()`.

    Attributes:
        learning_rate: Of the steps to come.
        cores: How many it uses: small batches are not cut into as many shares as there are cores.
    """

    def __init__(self, config: Config, data: Dataset, weights: Weights, cores: int | None = None) -> None:
        batch_size = min(config.batch_size, len(data.train_images))
        self.learning_rate = config.learning_rate
        self.cores = shares_for(batch_size, cores or usable_cores())
        self._train_images = len(data.train_images)
        self._test_images = len(data.test_images)
        self._parameters, self._gradient = Parameters(config.neurons), Parameters(config.neurons)
        self._parameters.set(weights)
        self._optimizer = Adam(self._parameters.vector)
        self._parallel = DataParallel(
            (data.train_images, data.test_images),
            (data.train_labels, data.test_labels),
            neurons=config.neurons,
            row_loss_mix=config.row_loss_mix,
            most=max(batch_size, self._test_images),
            shares=self.cores,
        )
        self._parameters.stack(self._parallel.stacked)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._parallel.close()

    def train(self, batches: NDArray[np.int32]) -> tuple[float, float]:
        """Make one training step per batch.

        Args:
            batches: Indices of the training images, shape (steps, batch size); at least one step.

        Returns:
            Of the last batch: the loss that its update was computed from, in nats, and the accuracy on that
            same batch after the update, 0 to 1.
        """
        loss = 0.0
        for batch in batches:
            loss = self._step(batch)
        return loss, self._parallel.correct(batches[-1]) / len(batches[-1])

    def _step(self, batch: NDArray[np.int32]) -> float:
        """Make one training step; return the loss that it was computed from."""
        loss, stacked_gradient = self._parallel.gradient(batch)
        # A learning rate far too large makes infinite numbers: the training looks for them itself.
        with np.errstate(over="ignore", invalid="ignore"):
            self._gradient.take_gradient(stacked_gradient, self._parameters)
            self._optimizer.step(self._gradient.vector, self.learning_rate)
            self._parameters.stack(self._parallel.stacked)
        return loss

    def test_accuracy(self) -> float:
        """Return the share of test images read correctly after their last row, 0 to 1."""
        test = np.arange(self._train_images, self._train_images + self._test_images, dtype=np.int32)
        return self._parallel.correct(test) / self._test_images

    def weights(self) -> Weights:
        """Return a copy of the weights as they are now."""
        return self._parameters.weights()
