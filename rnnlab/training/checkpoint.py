"""Checkpoints: all about a run in training that does not follow from its configuration and step, in one file.

A run that resumes from a checkpoint continues exactly as if it had never stopped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from rnnlab.config import HYPERPARAMETERS
from rnnlab.model.architecture import LARGEST, Architecture
from rnnlab.system.array_files import NpzArchive, load_npz
from rnnlab.system.atomic_files import atomic_write

NetworkState = Mapping[str, NDArray[Any]]
"""The arrays of a network in training, by name: weights, moments of the optimizer, averages."""

_PREFIX: Final = "network_"

_STATE: Final = re.compile(
    r"parameters|adam_steps|adam_gradients|adam_squares|momentum|rmsprop_squares|average|average_steps"
    r"|(keras|average)_[0-9]{1,3}"
)
"""Names of the arrays of a network, of either backend."""

_MAX_COPIES: Final = 5
"""How many numbers a checkpoint holds for each weight, at most: itself, two moments, the average."""

_MAX_COUNTERS: Final = 100
"""How many numbers it holds beside these, at most."""

_INSTEAD: Final = "start a new run from its weights"


_MAX_STEP: Final = int(HYPERPARAMETERS["iterations"].maximum or 0)
"""Most steps that a run can make."""


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; its text is one sentence meant for people."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A run in training, after some step.

    Attributes:
        step: Training steps completed.
        seconds: Time spent training so far.
        network: The state of the network.
    """

    step: int
    seconds: float
    network: NetworkState

    def save(self, path: Path) -> None:
        """Write it under another name, make sure that it is on the disk, and rename it.

        Raises:
            OSError: The file cannot be written; what was at `path` has not changed.
        """
        arrays = {_PREFIX + name: array for name, array in self.network.items()}
        arrays |= {"step": np.array(self.step), "seconds": np.array(self.seconds)}
        with atomic_write(path, durable=True) as file:
            np.savez(file, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: Path, architecture: Architecture = LARGEST) -> Self:
        """Read what `save` wrote; a damaged file is set aside.

        Args:
            path: The `.npz` file.
            architecture: That of the run; a checkpoint of a larger network is refused before it is unpacked.

        Raises:
            CheckpointError: The file is missing or damaged.
        """
        with load_npz(
            path,
            CheckpointError,
            called="checkpoint",
            missing=f"The run has no checkpoint to resume from; {_INSTEAD}.",
            instead=_INSTEAD,
            max_bytes=8 * _MAX_COPIES * LARGEST.parameters,
        ) as archive:
            step, seconds = int(archive.number("step", "i")), float(archive.number("seconds", "if"))
            if not 0 <= step <= _MAX_STEP or not 0 <= seconds < float("inf"):
                raise ValueError("its step or its time cannot be")
            network = _read_network(archive, architecture)
        return cls(step, seconds, network)


def _read_network(archive: NpzArchive, architecture: Architecture) -> NetworkState:
    """Return the arrays of the network, after a look at the headers: they must not be more than it can have.

    Raises:
        ValueError: They are more, or damaged.
    """
    prefixed = [name for name in archive.names if name.startswith(_PREFIX)]
    names = [name for name in prefixed if _STATE.fullmatch(name.removeprefix(_PREFIX))]
    headers = {name: archive.header(name) for name in names}
    most = _MAX_COPIES * architecture.parameters + _MAX_COUNTERS
    if sum(header.size for header in headers.values()) > most:
        raise ValueError(f"it holds more numbers than a network of {architecture.neurons:,} neurons has")
    arrays = archive.read({name: (header.dtype, header.shape) for name, header in headers.items()})
    return {name.removeprefix(_PREFIX): array for name, array in arrays.items()}


def restored_array(state: NetworkState, name: str, like: NDArray[Any]) -> NDArray[Any]:
    """Return one array of a network's state, checked against the array that it will replace.

    Raises:
        CheckpointError: The array is missing, has another shape or type, is not finite, or counts below zero.
    """
    array = state.get(name)
    if array is None or array.shape != like.shape or array.dtype != like.dtype:
        raise CheckpointError(
            f"The checkpoint belongs to another kind of network than this machine would train; {_INSTEAD}."
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise CheckpointError(f"The checkpoint holds numbers that are not finite; {_INSTEAD}.")
    if array.dtype.kind == "i" and (array.min() < 0 or array.max() > _MAX_STEP):
        raise CheckpointError(f"The checkpoint counts steps that no run can have made; {_INSTEAD}.")
    return array
