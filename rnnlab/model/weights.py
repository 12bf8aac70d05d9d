"""The weights of a network: their shapes, and the file that they are saved in."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from rnnlab.config import HYPERPARAMETERS
from rnnlab.digits import COLUMNS, DIGITS, FloatArray
from rnnlab.system.array_files import NpzArchive, load_npz
from rnnlab.system.atomic_files import atomic_write, quarantine_path

MAX_NEURONS: Final = int(HYPERPARAMETERS["neurons"].maximum or 0)
"""Most neurons that a network can have."""

_LARGEST_SUM: Final = float(np.finfo(np.float32).max) / 2
"""Largest sum of weights that reading may add up: half of what `float32` holds, as sums are rounded."""


class WeightsError(ValueError):
    """A weights file that cannot be used; its text is one sentence meant for people."""


@dataclass(frozen=True)
class Weights:
    """The weights of one network with n neurons, all `float32`, as Keras' layers hold them.

    Attributes:
        input_kernel: Input layer, shape (28, n).
        input_bias: Input layer, shape (n,).
        lstm_kernel: From the input to the gates, shape (n, 4n), gates in the order i, f, g, o.
        lstm_recurrent_kernel: From the hidden state to the gates, shape (n, 4n).
        lstm_bias: Of the gates, shape (4n,).
        output_kernel: Read-out, shape (n, 10).
        output_bias: Read-out, shape (10,).
    """

    input_kernel: FloatArray
    input_bias: FloatArray
    lstm_kernel: FloatArray
    lstm_recurrent_kernel: FloatArray
    lstm_bias: FloatArray
    output_kernel: FloatArray
    output_bias: FloatArray

    @property
    def neurons(self) -> int:
        """Length of the hidden state."""
        return int(self.output_kernel.shape[0])

    def are_finite(self) -> bool:
        """Return whether no weight is infinite or NaN."""
        return all(bool(np.isfinite(getattr(self, f.name)).all()) for f in fields(self))

    def check_sums(self) -> None:
        """Raise `WeightsError` if reading could overflow: the weights are finite, and their sums are not.

        Pixels and hidden states are between -1 and 1, so no sum is larger than if all weights were as large
        as the largest one.
        """
        largest = max(float(np.abs(getattr(self, f.name)).max()) for f in fields(self))
        inner = largest * (COLUMNS + 1)
        if not inner * largest * self.neurons + largest * (self.neurons + 1) <= _LARGEST_SUM:
            raise WeightsError(
                "The weights are so large that the network cannot be computed with; "
                "train a new one with a smaller learning rate."
            )

    def save(self, path: Path, step: int) -> None:
        """Write the weights under another name, then rename the file.

        Args:
            path: The `.npz` file; its folder is created if it is missing.
            step: The training step that they belong to; saved in the file.

        Raises:
            OSError: The file cannot be written.
        """
        arrays = {f.name: getattr(self, f.name) for f in fields(self)}
        with atomic_write(path) as file:
            np.savez(file, allow_pickle=False, step=np.int64(step), **arrays)

    @classmethod
    def load(cls, path: Path) -> tuple[Self, int]:
        """Read a file that `save` wrote; a damaged one is set aside.

        Returns:
            The weights and the training step that they belong to.

        Raises:
            WeightsError: The file is missing, damaged or not of this form.
        """
        with load_npz(
            path,
            WeightsError,
            called="weights file",
            missing=_missing(path),
            instead="resume the run or train a new one",
            max_bytes=MAX_FILE_BYTES,
        ) as archive:
            step = int(archive.number("step", "i"))
            weights = cls(**archive.read(_forms(archive)))
            if step < 0:
                raise ValueError("its step is negative")
            if not weights.are_finite():
                raise ValueError("some weights are infinite or NaN")
        return weights, step


def count_weights(neurons: int) -> int:
    """Return how many weights a network has."""
    return sum(int(np.prod(shape)) for shape in _shapes(neurons).values())


def _shapes(neurons: int) -> dict[str, tuple[int, ...]]:
    """Return the shape of every array of a network."""
    n = neurons
    return {
        "input_kernel": (COLUMNS, n),
        "input_bias": (n,),
        "lstm_kernel": (n, 4 * n),
        "lstm_recurrent_kernel": (n, 4 * n),
        "lstm_bias": (4 * n,),
        "output_kernel": (n, DIGITS),
        "output_bias": (DIGITS,),
    }


MAX_FILE_BYTES: Final = 8 * count_weights(MAX_NEURONS)
"""Largest size of a weights file, in bytes: twice that of the largest network."""


def _forms(archive: NpzArchive) -> dict[str, tuple[np.dtype[Any], tuple[int, ...]]]:
    """Return type and shape that all arrays of a weights file must have, given those of one.

    Raises:
        ValueError: It does not have the shape that it has in any network.
    """
    shape = archive.header("output_kernel").shape
    if len(shape) != 2 or not 1 <= shape[0] <= MAX_NEURONS:
        raise ValueError(f"output_kernel must have shape (n, {DIGITS}), n up to {MAX_NEURONS}, not {shape}")
    return {name: (np.dtype(np.float32), expected) for name, expected in _shapes(shape[0]).items()}


def _missing(path: Path) -> str:
    """Return in a sentence why there is no weights file."""
    if quarantine_path(path).exists():
        return (
            f"The weights file {path} was damaged and has been set aside; resume the run or train a new one."
        )
    return f"There are no weights at {path} yet; wait for the run's first report."
