"""The weights of a network, and the file that they are saved in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, Self

import numpy as np

from rnnlab.digits import COLUMNS, DIGITS, FloatArray
from rnnlab.model.architecture import GATES, LARGEST, MAX_LAYERS, MAX_NEURONS, READING_ORDERS, Architecture
from rnnlab.system.array_files import NpzArchive, load_npz
from rnnlab.system.atomic_files import atomic_write, quarantine_path

_LARGEST_SUM: Final = float(np.finfo(np.float32).max) / 2
"""Largest sum of weights that reading may add up: half of what `float32` holds, as sums are rounded."""

MAX_FILE_BYTES: Final = 8 * LARGEST.parameters
"""Largest size of a weights file, in bytes: twice that of the largest network."""

_READING_ORDER: Final = "reading_order"
"""Name under which a weights file holds the place of the reading order in `READING_ORDERS`."""


class WeightsError(ValueError):
    """A weights file that cannot be used; its text is one sentence meant for people."""


class LayerWeights(NamedTuple):
    """The weights of one recurrent layer with n neurons, which computes g vectors after each row.

    Attributes:
        kernel: From the input to the gates, shape (n, g n). The gates are in Keras' order: i, f, g, o of an
            LSTM (input gate, forget gate, candidate, output gate); z, r, h of a GRU (update gate, reset gate,
            candidate).
        recurrent_kernel: From the hidden state to the gates, shape (n, g n).
        bias: Of the gates, shape (g n,); of a GRU (2, g n): of the input, and of the hidden state.
    """

    kernel: FloatArray
    recurrent_kernel: FloatArray
    bias: FloatArray


@dataclass(frozen=True, eq=False)
class Weights:
    """The weights of one network, all `float32`, as Keras' layers hold them.

    Attributes:
        architecture: Which network they are of.
        arrays: All of them by name, in the order of Keras' layers; `architecture.shapes` are their shapes.
    """

    architecture: Architecture
    arrays: Mapping[str, FloatArray]

    @classmethod
    def of(cls, architecture: Architecture, arrays: Sequence[FloatArray]) -> Self:
        """Return weights, given the arrays in the order of Keras' layers."""
        return cls(architecture, dict(zip(architecture.shapes, arrays, strict=True)))

    @property
    def neurons(self) -> int:
        """Length of the hidden state."""
        return self.architecture.neurons

    @property
    def input_kernel(self) -> FloatArray:
        """Of the input layer, shape (28, n)."""
        return self.arrays["input_kernel"]

    @property
    def input_bias(self) -> FloatArray:
        """Of the input layer, shape (n,)."""
        return self.arrays["input_bias"]

    @property
    def output_kernel(self) -> FloatArray:
        """Of the read-out, shape (n, 10)."""
        return self.arrays["output_kernel"]

    @property
    def output_bias(self) -> FloatArray:
        """Of the read-out, shape (10,)."""
        return self.arrays["output_bias"]

    def recurrent_layers(self) -> Iterator[LayerWeights]:
        """Yield the weights of each recurrent layer, from the one that reads the image on."""
        for prefix in self.architecture.prefixes():
            yield LayerWeights(
                self.arrays[f"{prefix}_kernel"],
                self.arrays[f"{prefix}_recurrent_kernel"],
                self.arrays[f"{prefix}_bias"],
            )

    def are_finite(self) -> bool:
        """Return whether no weight is infinite or NaN."""
        return all(bool(np.isfinite(array).all()) for array in self.arrays.values())

    def check_sums(self) -> None:
        """Raise `WeightsError` if reading could overflow: the weights are finite, and their sums are not.

        Pixels and hidden states are between -1 and 1, so no sum is larger than if all weights were as large
        as the largest one.
        """
        largest = max(float(np.abs(array).max()) for array in self.arrays.values())
        inner = max(largest * (COLUMNS + 1), 1.0)
        if not inner * largest * self.neurons + largest * (self.neurons + 2) <= _LARGEST_SUM:
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
        numbers = {
            "step": np.int64(step),
            _READING_ORDER: np.int64(READING_ORDERS.index(self.architecture.reading_order)),
        }
        with atomic_write(path) as file:
            np.savez(file, allow_pickle=False, **numbers, **self.arrays)

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
            architecture = _architecture(archive)
            forms = {name: (np.dtype(np.float32), shape) for name, shape in architecture.shapes.items()}
            weights = cls(architecture, archive.read(forms))
            if step < 0:
                raise ValueError("its step is negative")
            if not weights.are_finite():
                raise ValueError("some weights are infinite or NaN")
        return weights, step


def _architecture(archive: NpzArchive) -> Architecture:
    """Return which network a weights file is of.

    Raises:
        ValueError: None that there can be.
    """
    names = set(archive.names)
    cells = [cell for cell in GATES if f"{cell}_kernel" in names]
    if len(cells) != 1:
        raise ValueError(f"it must hold the weights of one of {', '.join(GATES)}")
    layers = 1 + sum(f"{cells[0]}_{layer}_kernel" in names for layer in range(2, MAX_LAYERS + 1))
    shape = archive.header("output_kernel").shape
    if len(shape) != 2 or not 1 <= shape[0] <= MAX_NEURONS:
        raise ValueError(f"output_kernel must have shape (n, {DIGITS}), n up to {MAX_NEURONS}, not {shape}")
    # Files of before reading orders could be chosen have none.
    order = int(archive.number(_READING_ORDER, "i")) if _READING_ORDER in names else 0
    if not 0 <= order < len(READING_ORDERS):
        raise ValueError(f"{_READING_ORDER} must be from 0 to {len(READING_ORDERS) - 1}, not {order}")
    return Architecture(cells[0], layers, shape[0], READING_ORDERS[order])


def _missing(path: Path) -> str:
    """Return in a sentence why there is no weights file."""
    if quarantine_path(path).exists():
        return (
            f"The weights file {path} was damaged and has been set aside; resume the run or train a new one."
        )
    return f"There are no weights at {path} yet; wait for the run's first report."
