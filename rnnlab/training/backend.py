"""Networks in training: what such a network must offer, and which one this machine uses."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Protocol, Self

from rnnlab.config import Config
from rnnlab.data.datasets import Dataset
from rnnlab.model.architecture import Architecture
from rnnlab.model.weights import Weights, WeightsError
from rnnlab.training.batches import Batch
from rnnlab.training.checkpoint import NetworkState
from rnnlab.training.data_parallel import Team
from rnnlab.training.engine import KERAS, EngineError, may_have_gpu, needs_tensorflow, problem_of
from rnnlab.training.initializers import initial_weights
from rnnlab.training.numpy_backend import NumpyNetwork


class GpuError(RuntimeError):
    """The GPU cannot be used, or not any longer; its text is one sentence for people."""


class Network(Protocol):
    """A network that learns from batches. Use it in a `with` block, as it may have processes to end.

    Attributes:
        engine: Which engine it is of, `keras` or `numpy`.
        cores: How many processor cores it uses.
    """

    engine: str
    cores: int

    def __enter__(self) -> Self:
        """Return the network."""

    def __exit__(self, *_: object) -> None:
        """End the processes of the network, if it has any."""

    def train(self, batches: Sequence[Batch]) -> tuple[float, float]:
        """Make one training step per batch.

        Args:
            batches: At least one, all of the same size.

        Returns:
            For the last batch: the loss that its update was computed from, in nats, and the accuracy on the
            same batch after the update, 0 to 1.
        """

    def test_accuracy(self) -> float:
        """Return the share of test images read correctly after their last row, 0 to 1."""

    def weights(self) -> Weights:
        """Return a copy of the weights to read with: the newest, or their average if the run averages."""

    def state(self) -> NetworkState:
        """Return a copy of all that another network needs to continue exactly as this one would."""

    def restore(self, state: NetworkState) -> None:
        """Take over the state of another network.

        Raises:
            CheckpointError: It is the state of another kind of network.
        """


def holds_gpu() -> bool:
    """Return whether this process holds memory of a GPU; TensorFlow returns it only when the process ends."""
    devices = sys.modules.get("rnnlab.training.devices")
    return devices is not None and bool(devices.holds_gpu())


def create_network(
    config: Config,
    data: Dataset,
    weights: Weights | None = None,
    state: NetworkState | None = None,
    *,
    use_gpu: bool = True,
    on_remark: Callable[[str], None] = lambda _: None,
    team: Team | None = None,
) -> Network:
    """Return a network to train, of the engine that the configuration asks for.

    A state decides by itself which engine it is of, so that a run goes on whether or not it finds the GPU
    that it began with. TensorFlow is imported only if it is needed.

    Args:
        config: The hyperparameters.
        data: Digits to learn from and to test with.
        weights: Those to start from; by default fresh ones.
        state: The state to continue from instead.
        use_gpu: Whether to use a GPU if there is one.
        on_remark: Called with a sentence if there is a GPU and it cannot be used.
        team: Helper processes for `NumpyNetwork` that have been started already, if any.

    Raises:
        WeightsError: The weights are those of another network.
        CheckpointError: The state is that of another network.
        EngineError: The engine is not installed.
    """
    architecture = Architecture.of(config)
    if weights is not None and weights.architecture != architecture:
        raise WeightsError(
            f"The weights to start from are those of another network ({weights.architecture.title}) "
            f"than this run's ({architecture.title}); give it the same."
        )
    if weights is None and state is None:
        weights = initial_weights(architecture, config.initializers, config.seed)
    network = _create(config, data, weights, state, on_remark, use_gpu=use_gpu, team=team)
    if state is not None:
        try:
            network.restore(state)
        except BaseException:
            network.__exit__(None, None, None)
            raise
    return network


def _create(
    config: Config,
    data: Dataset,
    weights: Weights | None,
    state: NetworkState | None,
    on_remark: Callable[[str], None],
    *,
    use_gpu: bool,
    team: Team | None,
) -> Network:
    """Return a network that its state, if there is one, is still to be given."""
    if problem := problem_of(config, state):
        raise EngineError(problem)
    if not needs_tensorflow(config, state):
        return NumpyNetwork(config, data, weights, team=team)
    from rnnlab.training import devices, keras_backend

    try:
        if use_gpu and may_have_gpu() and devices.has_gpu():
            return keras_backend.KerasNetwork(config, data, weights)
    except GpuError as error:
        on_remark(str(error))
    if state is None and config.engine != KERAS:
        return NumpyNetwork(config, data, weights, team=team)
    return keras_backend.KerasNetwork(config, data, weights, on_gpu=False)
