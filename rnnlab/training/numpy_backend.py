"""A network in training on processor cores: weights, optimizer and images, computed by `numpy_network`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np

from rnnlab.config import Config
from rnnlab.data.augmentation import uses_distortion
from rnnlab.data.datasets import Dataset
from rnnlab.digits import NO_DIGIT
from rnnlab.model.architecture import Architecture
from rnnlab.model.weights import Weights
from rnnlab.system.cores import partitions_for, usable_cores
from rnnlab.training.batches import Batch
from rnnlab.training.checkpoint import NetworkState, restored_array
from rnnlab.training.data_parallel import DataParallel, Team
from rnnlab.training.engine import NUMPY
from rnnlab.training.optimizer import OPTIMIZERS, WeightAverage
from rnnlab.training.parameters import Parameters


class NumpyNetwork:
    """A `backend.Network` in plain numpy; it learns the same as `KerasNetwork`, but faster.

    Args:
        weights: Those to start from; `None` if a state will be restored.
        cores: How many it may use; by default `usable_cores()`.
        team: Helper processes that have been started already, if any.

    Attributes:
        engine: `numpy`.
        cores: How many it uses: a small batch is not split for all cores.
    """

    engine = NUMPY

    def __init__(
        self,
        config: Config,
        data: Dataset,
        weights: Weights | None,
        cores: int | None = None,
        team: Team | None = None,
    ) -> None:
        batch_size = min(config.batch_size, len(data.train_images))
        self.cores = partitions_for(batch_size, cores or usable_cores())
        self._train_images = len(data.train_images)
        self._train_labels = data.train_labels
        self._test_images = len(data.test_images)
        architecture = Architecture.of(config)
        self._parameters, self._gradient = Parameters(architecture), Parameters(architecture)
        if weights is not None:
            self._parameters.set(weights)
        self._optimizer = OPTIMIZERS[config.optimizer](self._parameters.vector, config.clip_norm)
        self._average = WeightAverage(self._parameters, config.averaging) if config.averaging else None
        self._parallel = DataParallel(
            (data.train_images, data.test_images),
            (data.train_labels, data.test_labels),
            architecture=architecture,
            row_loss_mix=config.row_loss_mix,
            max_images=max(batch_size, self._test_images),
            partitions=self.cores,
            max_distorted=batch_size if uses_distortion(config) else 0,
            team=team,
        )
        self._parameters.stack(self._parallel.stacks)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._parallel.close()

    def train(self, batches: Sequence[Batch]) -> tuple[float, float]:
        """Make one training step per batch; see `backend.Network`."""
        loss, last = 0.0, batches[-1]
        for batch in batches:
            loss = self._step(batch)
        digits = int(np.count_nonzero(self._train_labels[last.chosen] != NO_DIGIT))
        return loss, self._parallel.correct(last.chosen, last.distortions) / max(1, digits)

    def _step(self, batch: Batch) -> float:
        """Make one training step; return the loss that it was computed from."""
        loss, gradients = self._parallel.gradient(batch.chosen, batch.distortions)
        # A learning rate that is far too large makes infinite numbers: the loop looks for them itself.
        with np.errstate(over="ignore", invalid="ignore"):
            self._gradient.take_gradient(gradients, self._parameters)
            self._optimizer.step(self._gradient.vector, batch.learning_rate)
            if self._average:
                self._average.step()
            self._parameters.stack(self._parallel.stacks)
        return loss

    def test_accuracy(self) -> float:
        """Return the share of test images read correctly after their last row, 0 to 1."""
        test = np.arange(self._train_images, self._train_images + self._test_images, dtype=np.int32)
        self._reading.stack(self._parallel.stacks)
        correct = self._parallel.correct(test)
        self._parameters.stack(self._parallel.stacks)
        return correct / self._test_images

    def weights(self) -> Weights:
        """Return a copy of the weights to read with: the newest, or their average if the run averages."""
        return self._reading.weights()

    def state(self) -> NetworkState:
        """Return a copy of weights, optimizer and average."""
        average = self._average.state() if self._average else {}
        return {"parameters": self._parameters.vector.copy(), **self._optimizer.state(), **average}

    def restore(self, state: NetworkState) -> None:
        """Take over the state of another network; see `backend.Network`."""
        self._parameters.vector[:] = restored_array(state, "parameters", self._parameters.vector)
        self._optimizer.restore(state)
        if self._average:
            self._average.restore(state)
        self._parameters.stack(self._parallel.stacks)

    @property
    def _reading(self) -> Parameters:
        return self._average.parameters if self._average else self._parameters
