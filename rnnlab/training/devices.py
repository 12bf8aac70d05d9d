"""The GPU, if there is one: shared with others, and never the reason why a run fails."""

from __future__ import annotations

import functools
from contextlib import suppress
from typing import Final

from rnnlab.system.cores import usable_cores
from rnnlab.training.backend import GpuError
from rnnlab.training.libraries import tf

_MEMORY_SIGNS: Final = ("out of memory", "out_of_memory", "alloc_failed", "failed to allocate", "oom when")
"""Words by which errors of CUDA, cuDNN and TensorFlow say that the memory of a GPU is full."""

_INSTEAD: Final = "this run trains on the processor"


def has_gpu() -> bool:
    """Start TensorFlow's devices, if that has not been done, and return whether there is a GPU to train on.

    Raises:
        GpuError: There is one, but it could not be started.
    """
    if problem := initialize_devices():
        raise GpuError(problem)
    return bool(tf.config.list_logical_devices("GPU"))


def holds_gpu() -> bool:
    """Return whether this process has started a GPU, and holds memory of it until it ends."""
    return initialize_devices.cache_info().currsize > 0 and bool(tf.config.list_logical_devices("GPU"))


@functools.cache
def initialize_devices() -> str:
    """Start TensorFlow's devices, so that it prints all its notes on them now.

    A run takes one GPU, and of its memory no more than it needs: others may use the rest. Of the processor it
    takes the cores that this process may use.

    Returns:
        Why a GPU cannot be used, in a sentence; empty if it can, or if there is none.
    """
    with suppress(RuntimeError):  # it has started already, as in a notebook
        tf.config.threading.set_intra_op_parallelism_threads(usable_cores())
    gpus = tf.config.list_physical_devices("GPU")
    try:
        if gpus:
            tf.config.set_visible_devices(gpus[:1], "GPU")
            tf.config.experimental.set_memory_growth(gpus[0], True)
        tf.config.list_logical_devices()
    except (RuntimeError, tf.errors.OpError) as error:
        if not gpus:
            raise
        tf.config.set_visible_devices([], "GPU")
        tf.config.list_logical_devices()
        return gpu_problem(error)
    return ""


def gpu_problem(error: Exception) -> str:
    """Return in a sentence why the GPU cannot be used."""
    if is_memory_error(error):
        return f"The memory of the GPU is full, so {_INSTEAD}."
    reason = next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")[:120]
    return f"The GPU cannot be used ({reason}), so {_INSTEAD}."


def is_memory_error(error: Exception) -> bool:
    """Return whether TensorFlow failed because the memory of its device is full."""
    text = str(error).lower()
    return isinstance(error, tf.errors.ResourceExhaustedError) or any(sign in text for sign in _MEMORY_SIGNS)
