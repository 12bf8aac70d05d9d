"""Which engine trains a run, Keras or numpy, and whether this machine has what it needs. Loads neither."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from rnnlab.config import Config
from rnnlab.training.checkpoint import NetworkState

KERAS: Final = "keras"
NUMPY: Final = "numpy"

KERAS_STATE: Final = "keras_"
"""How the names begin under which the state of a network of Keras' layers holds its arrays."""

_GPU_DEVICES: Final = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""Device files of GPUs that TensorFlow could use under Linux: NVIDIA's, AMD's, or Windows' in WSL."""

_METAL_PLUGIN: Final = "tensorflow-plugins"
"""Folder beside TensorFlow that holds `tensorflow-metal`, without which it uses no GPU of a Mac."""


class EngineError(RuntimeError):
    """An engine that cannot be used on this machine; its text is one sentence for people."""


def has_tensorflow() -> bool:
    """Return whether TensorFlow and Keras are installed."""
    return find_spec("tensorflow") is not None and find_spec("keras") is not None


def may_have_gpu() -> bool:
    """Return whether it is worth asking TensorFlow for a GPU, which takes seconds."""
    if not has_tensorflow():
        return False
    match sys.platform:
        case "linux":
            return any(Path(device).exists() for device in _GPU_DEVICES)
        case "darwin":
            return find_spec(_METAL_PLUGIN) is not None
        case _:  # TensorFlow uses no GPU under Windows itself since 2.11
            return False


def needs_tensorflow(config: Config, state: NetworkState | None = None) -> bool:
    """Return whether a run must load TensorFlow: to train with it, or to ask it for a GPU.

    Args:
        config: The hyperparameters.
        state: The state that the run continues from, if it does: it goes on with the engine that it is of.
    """
    if state is not None:
        return any(name.startswith(KERAS_STATE) for name in state)
    return config.engine == KERAS or (config.engine != NUMPY and may_have_gpu())


def problem_of(config: Config, state: NetworkState | None = None) -> str:
    """Return in a sentence why this machine lacks the engine of a run; empty if it does not.

    Arguments: as for `needs_tensorflow`.
    """
    if has_tensorflow() or not needs_tensorflow(config, state):
        return ""
    instead = "choose the engine numpy" if state is None else "start a new run from its weights"
    return lacks_tensorflow("The engine keras", instead)


def lacks_tensorflow(what: str, instead: str = "") -> str:
    """Return the sentence that something needs TensorFlow, which is not installed.

    Args:
        what: What needs it, such as `The engine keras`.
        instead: What to do without it, if anything.
    """
    ways = ["install it (pip install tensorflow)", *([instead] if instead else [])]
    return f"{what} needs TensorFlow, which is not installed; {', or '.join(ways)}."
