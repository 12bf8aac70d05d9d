"""The weights of a network: their shapes, and the file that they are saved in."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np

from rnnlab.digits import COLUMNS, DIGITS, FloatArray
from rnnlab.system.atomic_files import atomic_write, load_npz, quarantine_path


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

    def check(self) -> None:
        """Raise `WeightsError` unless every array has its shape and holds finite numbers only."""
        n = self.neurons
        shapes = {
            "input_kernel": (COLUMNS, n),
            "input_bias": (n,),
            "lstm_kernel": (n, 4 * n),
            "lstm_recurrent_kernel": (n, 4 * n),
            "lstm_bias": (4 * n,),
            "output_kernel": (n, DIGITS),
            "output_bias": (DIGITS,),
        }
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype != np.float32:
                raise WeightsError(f"{name} must be float32 of shape {shape}")
        if not self.are_finite():
            raise WeightsError("some weights are infinite or NaN")

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
        ) as arrays:
            weights, step = cls(**{f.name: arrays[f.name] for f in fields(cls)}), int(arrays["step"])
            if weights.output_kernel.ndim != 2:
                raise WeightsError("output_kernel must have two axes")
            weights.check()
        return weights, step


def _missing(path: Path) -> str:
    """Return in a sentence why there is no weights file."""
    if quarantine_path(path).exists():
        return (
            f"The weights file {path} was damaged and has been set aside; resume the run or train a new one."
        )
    return f"There are no weights at {path} yet; wait for the run's first report."
