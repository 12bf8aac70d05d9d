"""Checkpoints: all about a run in training that does not follow from its configuration and step, in one file.

A run that resumes from a checkpoint continues exactly as if it had never stopped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from rnnlab.system.atomic_files import atomic_write, load_npz

NetworkState = Mapping[str, NDArray[Any]]
"""The arrays of a network in training, by name: weights, moments of the optimizer, averages."""

_OWN: Final = ("step", "seconds")
_PREFIX: Final = "network_"
_INSTEAD: Final = "start a new run from its weights"


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
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote; a damaged file is set aside.

        Raises:
            CheckpointError: The file is missing or damaged.
        """
        with load_npz(
            path,
            CheckpointError,
            called="checkpoint",
            missing=f"The run has no checkpoint to resume from; {_INSTEAD}.",
            instead=_INSTEAD,
        ) as arrays:
            step, seconds = int(arrays["step"]), float(arrays["seconds"])
            if step < 0 or not np.isfinite(seconds):
                raise ValueError("its step or its time cannot be")
            network = {name.removeprefix(_PREFIX): arrays[name] for name in arrays if name not in _OWN}
        return cls(step, seconds, network)


def restored_array(state: NetworkState, name: str, like: NDArray[Any]) -> NDArray[Any]:
    """Return one array of a network's state, checked against the array that it will replace.

    Raises:
        CheckpointError: The array is missing, has another shape or type, or is not finite.
    """
    array = state.get(name)
    if array is None or array.shape != like.shape or array.dtype != like.dtype:
        raise CheckpointError(
            f"The checkpoint belongs to another kind of network than this machine would train; {_INSTEAD}."
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise CheckpointError(f"The checkpoint holds numbers that are not finite; {_INSTEAD}.")
    return array
