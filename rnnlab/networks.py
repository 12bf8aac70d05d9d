"""Networks in training: what training asks of one, and which one this machine has."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol, Self

from rnnlab.batches import Batch
from rnnlab.checkpoint import NetworkState
from rnnlab.config import Config
from rnnlab.datasets import Dataset
from rnnlab.fast_network import FastNetwork
from rnnlab.reader import Weights, WeightsError

_GPU_DEVICES: Final = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""What Linux has where there is a GPU that TensorFlow could use: NVIDIA's, AMD's, or Windows' around it."""


class Network(Protocol):
    """A network that learns from batches. To be closed, best by `with`: it may have processes of its own."""

    cores: int

    def __enter__(self) -> Self:
        """Do nothing but return the network."""

    def __exit__(self, *_: object) -> None:
        """Close the network."""

    def train(self, batches: Sequence[Batch]) -> tuple[float, float]:
        """Make one training step per batch.

        Args:
            batches: At least one, all of the same size.

        Returns:
            Of the last batch: the loss that its update was computed from, in nats, and the accuracy on that
            same batch after the update, 0 to 1.
        """

    def test_accuracy(self) -> float:
        """Return the share of test images read correctly after their last row, 0 to 1."""

    def weights(self) -> Weights:
        """Return a copy of the weights that read: the newest, or their average where that is asked for."""

    def state(self) -> NetworkState:
        """Return a copy of all that a network must have to go on as this one would."""

    def restore(self, state: NetworkState) -> None:
        """Become the network whose state that was.

        Raises:
            CheckpointError: It is that of another kind of network.
        """


def may_have_gpu() -> bool:
    """Return whether it is worth asking TensorFlow for a GPU, which takes seconds."""
    return sys.platform != "linux" or any(Path(device).exists() for device in _GPU_DEVICES)


def new_network(
    config: Config, data: Dataset, weights: Weights | None = None, state: NetworkState | None = None
) -> Network:
    """Return a network in training: by Keras' own LSTM (cuDNN) where there is a GPU, else by `FastNetwork`.

    Keras is loaded only where it is needed: for a GPU, and for fresh weights.

    Args:
        config: The hyperparameters.
        data: Digits to learn from and to test with.
        weights: To start from; fresh ones by default.
        state: To go on from, instead.

    Raises:
        WeightsError: The weights are of another number of neurons.
        CheckpointError: The state is that of another network.
    """
    if weights is not None and weights.neurons != config.neurons:
        raise WeightsError(
            f"The weights to start from have {weights.neurons} neurons, this run {config.neurons}; "
            "give it as many."
        )
    network: Network = _on_gpu(config, data, weights) or FastNetwork(
        config, data, weights or (_fresh_weights(config) if state is None else None)
    )
    if state is not None:
        try:
            network.restore(state)
        except BaseException:
            network.__exit__(None, None, None)
            raise
    return network


def _on_gpu(config: Config, data: Dataset, weights: Weights | None) -> Network | None:
    """Return a network that trains on the GPU, or `None` where there is none."""
    if not may_have_gpu():
        return None
    from rnnlab import network

    return network.KerasNetwork(config, data, weights) if network.has_gpu() else None


def _fresh_weights(config: Config) -> Weights:
    from rnnlab import network

    return Weights(*network.build_model(config.neurons, config.initializers, config.seed).get_weights())
