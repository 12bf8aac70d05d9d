"""Which network: its cell, layers, neurons and reading order, and the shapes of its weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Self

import numpy as np

from rnnlab.config import HYPERPARAMETERS, Config
from rnnlab.digits import COLUMNS, DIGITS

GATES: Final = {"lstm": 4, "gru": 3, "simple_rnn": 1}
"""How many vectors as long as the hidden state a cell computes after each row, by the name of the cell."""

READING_ORDERS: Final = tuple(HYPERPARAMETERS["reading_order"].choices)

MAX_NEURONS: Final = int(HYPERPARAMETERS["neurons"].maximum or 0)
"""Most neurons that a layer can have."""

MAX_LAYERS: Final = int(HYPERPARAMETERS["layers"].maximum or 0)
"""Most recurrent layers that a network can have."""


@dataclass(frozen=True)
class Architecture:
    """Which network it is, apart from its weights.

    Attributes:
        cell: `lstm`, `gru` or `simple_rnn`.
        layers: Number of recurrent layers, one above the other.
        neurons: Length of the hidden state of each, n.
        reading_order: In which order it reads the rows or columns of an image.
    """

    cell: str = "lstm"
    layers: int = 1
    neurons: int = 128
    reading_order: str = "down"

    @classmethod
    def of(cls, config: Config) -> Self:
        """Return the architecture that a configuration asks for."""
        return cls(config.cell, config.layers, config.neurons, config.reading_order)

    @property
    def title(self) -> str:
        """In words, such as `2 layers of LSTM, 128 neurons each, reading down`."""
        one = self.layers == 1
        layers = self.cell_title if one else f"{self.layers} layers of {self.cell_title}"
        return f"{layers}, {self.neurons} neurons{'' if one else ' each'}, reading {self.reading_order}"

    @property
    def cell_title(self) -> str:
        """The name of the cell for people."""
        return HYPERPARAMETERS["cell"].choices[self.cell]

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every array of weights, by name, in the order of Keras' layers."""
        n, width = self.neurons, GATES[self.cell] * self.neurons
        # Keras' GRU has two biases: one of the input, one of the hidden state.
        bias = (2, width) if self.cell == "gru" else (width,)
        shapes: dict[str, tuple[int, ...]] = {"input_kernel": (COLUMNS, n), "input_bias": (n,)}
        for prefix in self.prefixes():
            shapes |= {
                f"{prefix}_kernel": (n, width),
                f"{prefix}_recurrent_kernel": (n, width),
                f"{prefix}_bias": bias,
            }
        return shapes | {"output_kernel": (n, DIGITS), "output_bias": (DIGITS,)}

    def prefixes(self) -> Iterator[str]:
        """Yield how the names of each layer's arrays begin: `lstm`, `lstm_2`, …."""
        for layer in range(1, self.layers + 1):
            yield self.cell if layer == 1 else f"{self.cell}_{layer}"

    @property
    def parameters(self) -> int:
        """How many numbers the network learns."""
        return sum(int(np.prod(shape)) for shape in self.shapes.values())

    def with_parameters_like(self, other: Architecture) -> Architecture:
        """Return it with as many neurons as bring its number of parameters closest to that of another."""
        fewest = int(HYPERPARAMETERS["neurons"].minimum or 1)
        choices = (replace(self, neurons=count) for count in range(fewest, MAX_NEURONS + 1))
        return min(choices, key=lambda choice: abs(choice.parameters - other.parameters))


LARGEST: Final = Architecture("lstm", MAX_LAYERS, MAX_NEURONS)
"""The network with the most weights."""
