"""PyTorch, if it is installed: `bench` compares with it, nothing else needs it."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any, Final

from rnnlab.config import Config

PYTORCH_HINT: Final = "PyTorch is not installed; to compare with it: pip install torch"


def torch_module() -> ModuleType | None:
    """Return PyTorch, or `None` if it is not installed.

    It does without Triton, which most packages of PyTorch bring along, its optimizers load, and nothing here
    uses: loaded after TensorFlow, it ends the process with a segmentation fault.
    """
    sys.modules.setdefault("triton", None)  # type: ignore[arg-type]  # None means that there is no such module
    try:
        return importlib.import_module("torch")
    except ImportError:
        return None


def has_torch() -> bool:
    """Return whether PyTorch is installed."""
    return torch_module() is not None


def recurrent_layer_of_torch(torch: Any, config: Config) -> Any:
    """Return PyTorch's own recurrent layers of the size that a configuration asks for, rows first."""
    cells = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "simple_rnn": torch.nn.RNN}
    return cells[config.cell](config.neurons, config.neurons, num_layers=config.layers)
