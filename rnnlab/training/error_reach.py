"""How far back the error reaches: whether the loss after the last row can still change what was read first.

If the derivative of the loss by the hidden state shrinks with every row that it is passed back through, the
network cannot learn from what it read early (the vanishing gradient: Hochreiter, 1991; Bengio, Simard and
Frasconi, 1994).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from rnnlab.data.datasets import Dataset
from rnnlab.data.reading_order import as_read
from rnnlab.digits import FloatArray
from rnnlab.model.weights import Weights
from rnnlab.training.numpy_network import Workspace, to_columns
from rnnlab.training.parameters import Parameters, stack_size, stacks_in

_MOST_IMAGES: Final = 16
"""Images that are looked at, at most."""

_BATCH_PER_IMAGE: Final = 8
"""For so many images of a batch, one is looked at. It takes 1 to 2 % of the time of the steps between, and up
to 4 % with the smallest networks and batches."""


class ErrorReach:
    """Measures the gradient of the loss after the last row by the hidden state after each row.

    It looks at the same few test digits all the time, and never learns from them.

    Args:
        data: Whose test digits to look at.
        batch_size: That of the run.
    """

    def __init__(self, data: Dataset, batch_size: int) -> None:
        count = max(1, min(_MOST_IMAGES, batch_size // _BATCH_PER_IMAGE, len(data.test_images)))
        self._images, self._labels = data.test_images[:count], data.test_labels[:count]
        self._workspace: Workspace | None = None

    def norms(self, weights: Weights) -> FloatArray:
        """Return its norm after each row, the mean over the digits, shape (28,)."""
        architecture = weights.architecture
        if self._workspace is None:
            self._workspace = Workspace(architecture, len(self._images))
            self._parameters = Parameters(architecture)
            self._stacks = stacks_in(np.zeros(stack_size(architecture), np.float32), architecture)
            self._pixels = to_columns(as_read(self._images, architecture.reading_order))
        self._parameters.set(weights)
        # A learning rate that is far too large makes infinite numbers: the loop looks for them itself.
        with np.errstate(over="ignore", invalid="ignore"):
            self._parameters.stack(self._stacks)
            return self._workspace.state_gradient_norms(self._stacks, self._pixels, self._labels)
