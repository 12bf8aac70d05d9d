"""Networks in training: what such a network must offer, and which one this machine uses."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol, Self

from rnnlab.config import Config
from rnnlab.data.datasets import Dataset
from rnnlab.model.weights import Weights, WeightsError
from rnnlab.training.batches import Batch
from rnnlab.training.checkpoint import NetworkState
from rnnlab.training.numpy_backend import NumpyNetwork

_GPU_DEVICES: Final = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""Device files of GPUs that TensorFlow could use under Linux: NVIDIA's, AMD's, or Windows' in WSL."""


KERAS_STATE: Final = "keras_"
"""How the names begin under which the state of a network of Keras' layers holds its arrays."""


class GpuError(RuntimeError):
    """The GPU cannot be used, or not any longer; its text is one sentence for people."""


class Network(Protocol):
    """A network that learns from batches. Use it in a `with` block, as it may have processes to end."""

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


def may_have_gpu() -> bool:
    """Return whether it is worth asking TensorFlow for a GPU, which takes seconds."""
    return sys.platform != "linux" or any(Path(device).exists() for device in _GPU_DEVICES)


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
) -> Network:
    """Return a network to train: Keras' own LSTM (cuDNN) if there is a GPU, else a `NumpyNetwork`.

    Keras is imported only if it is needed: for a GPU, and for fresh weights. A state decides by itself which
    of the two it is, so that a run goes on whether or not it finds the GPU that it began with.

    Args:
        config: The hyperparameters.
        data: Digits to learn from and to test with.
        weights: Those to start from; by default fresh ones.
        state: The state to continue from instead.
        use_gpu: Whether to use a GPU if there is one.
        on_remark: Called with a sentence if there is a GPU and it cannot be used.

    Raises:
        WeightsError: The weights have another number of neurons.
        CheckpointError: The state is that of another network.
    """
    if weights is not None and weights.neurons != config.neurons:
        raise WeightsError(
            f"The weights to start from have {weights.neurons} neurons, this run {config.neurons}; "
            "give it as many."
        )
    needs_keras = any(name.startswith(KERAS_STATE) for name in state or ())
    network: Network | None = None
    if use_gpu and (state is None or needs_keras) and may_have_gpu():
        network = _on_gpu(config, data, weights, on_remark)
    if network is None and needs_keras:
        network = _keras_on_processor(config, data)
    if network is None:
        fresh = weights or (_fresh_weights(config) if state is None else None)
        network = NumpyNetwork(config, data, fresh)
    if state is not None:
        try:
            network.restore(state)
        except BaseException:
            network.__exit__(None, None, None)
            raise
    return network


def _on_gpu(
    config: Config, data: Dataset, weights: Weights | None, on_remark: Callable[[str], None]
) -> Network | None:
    """Return a network that trains on the GPU, or `None` if there is none or it cannot be used."""
    from rnnlab.training import devices, keras_backend

    try:
        return keras_backend.KerasNetwork(config, data, weights) if devices.has_gpu() else None
    except GpuError as error:
        on_remark(str(error))
        return None


def _keras_on_processor(config: Config, data: Dataset) -> Network:
    from rnnlab.training import keras_backend

    return keras_backend.KerasNetwork(config, data, on_gpu=False)


def _fresh_weights(config: Config) -> Weights:
    from rnnlab.training import keras_backend

    return Weights(*keras_backend.build_model(config.neurons, config.initializers, config.seed).get_weights())
