"""How much memory training takes, compared with what is free before a run starts."""

from __future__ import annotations

from typing import Final

from rnnlab.config import Config
from rnnlab.digits import COLUMNS, DIGITS, ROWS
from rnnlab.model.architecture import Architecture
from rnnlab.system.cores import MAX_IMAGES_AT_ONCE, partitions_for, usable_cores
from rnnlab.system.memory import available_megabytes
from rnnlab.training.engine import needs_tensorflow

_ITSELF: Final = 105
"""Megabytes that a worker takes before it has any data."""

_TENSORFLOW: Final = 530
"""Megabytes that TensorFlow takes, if it is loaded."""

_OF_KERAS: Final = 1.6
"""How much more Keras keeps of an image, of which it has a whole batch in one process."""

_HELPER: Final = 45
"""Megabytes that a helper process takes before it has any data."""

_DATA: Final = 2 * 55
"""Megabytes of MNIST, once as it is read and once in the memory that the processes share."""


def needed_megabytes(config: Config) -> float:
    """Return about how many megabytes of memory training takes, in all processes together."""
    partitions = partitions_for(config.batch_size, usable_cores())
    weights = 4 * Architecture.of(config).parameters
    of_an_image = 4 * ROWS * (config.layers * 12 * config.neurons + 4 * DIGITS + 2 * COLUMNS)
    images: float = partitions * min(-(-config.batch_size // partitions), MAX_IMAGES_AT_ONCE)
    itself = _ITSELF
    if needs_tensorflow(config):
        images, itself = _OF_KERAS * config.batch_size, _ITSELF + _TENSORFLOW
    # Weights, gradients, moments, average, a checkpoint and the newest and best weights on their way to the
    # disk, S, and dS of every process.
    copies = 16 + 2 * partitions
    numbers = copies * weights + images * of_an_image
    return itself + _DATA + numbers / 1e6 + (partitions - 1) * _HELPER


def shortage(config: Config, *, instead_of: Config | None = None) -> str:
    """Return in a sentence why a run does not fit into the free memory; empty if it fits.

    Args:
        config: The hyperparameters to train with.
        instead_of: The configuration with which the run trains already, if it does.
    """
    taken = needed_megabytes(instead_of) if instead_of else 0.0
    needed, available = needed_megabytes(config) - taken, max(available_megabytes(), 0.0)
    if needed <= available:
        return ""
    of_layers = f"{config.neurons:,} neurons{f' in {config.layers} layers' if config.layers > 1 else ''}"
    return (
        f"Training {of_layers} with batches of {config.batch_size:,} takes about "
        f"{needed:,.0f} MB of memory{' more' if instead_of else ''}, and {available:,.0f} MB are left; "
        "choose fewer neurons or a smaller batch, or close other programs."
    )
