"""All of a training under way that is not a function of its configuration and step, in one file.

A run that goes on from a checkpoint goes on exactly as if it had never been away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from rnnlab.files import arrays_of, written_aside

NetworkState = Mapping[str, NDArray[Any]]
"""What a network in training consists of: weights, moments of the optimizer, averages; by name."""

_OWN: Final = ("step", "seconds")
_PREFIX: Final = "network_"
_INSTEAD: Final = "start a new run from its weights"


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; its text is one sentence meant for people."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A training at one moment.

    Attributes:
        step: Training steps completed.
        seconds: Time spent training until then.
        network: The state of the network.
    """

    step: int
    seconds: float
    network: NetworkState

    def save(self, path: Path) -> None:
        """Write it aside, see to it that it is on the disk, and rename it into place.

        Raises:
            OSError: The file cannot be written; what lay at `path` is as it was.
        """
        arrays = {_PREFIX + name: array for name, array in self.network.items()}
        arrays |= {"step": np.array(self.step), "seconds": np.array(self.seconds)}
        with written_aside(path, durable=True) as file:
            np.savez(file, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote; a damaged file is set aside.

        Raises:
            CheckpointError: The file is missing or damaged.
        """
        with arrays_of(
            path,
            CheckpointError,
            called="checkpoint",
            missing=f"The run has kept no checkpoint to go on from; {_INSTEAD}.",
            instead=_INSTEAD,
        ) as arrays:
            step, seconds = int(arrays["step"]), float(arrays["seconds"])
            if step < 0 or not np.isfinite(seconds):
                raise ValueError("its step or its time cannot be")
            network = {name.removeprefix(_PREFIX): arrays[name] for name in arrays if name not in _OWN}
        return cls(step, seconds, network)


def taken(state: NetworkState, name: str, like: NDArray[Any]) -> NDArray[Any]:
    """Return one array of a network's state.

    Args:
        state: The state.
        name: Of the array.
        like: What it replaces: an array of the same shape and type.

    Raises:
        CheckpointError: There is no such array, or it is not of that form, or not finite.
    """
    array = state.get(name)
    if array is None or array.shape != like.shape or array.dtype != like.dtype:
        raise CheckpointError(
            f"The checkpoint is of another kind of network than this machine would train; {_INSTEAD}."
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise CheckpointError(f"The checkpoint holds numbers that are not finite; {_INSTEAD}.")
    return array
