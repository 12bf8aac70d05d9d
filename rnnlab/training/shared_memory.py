"""The memory that the processes of a run share: how it is laid out, and where the system keeps it."""

from __future__ import annotations

import mmap
import os
import tempfile
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnnlab.data.augmentation import DISTORTION_PARAMETERS
from rnnlab.digits import COLUMNS, ROWS, FloatArray
from rnnlab.model.architecture import Architecture
from rnnlab.training.parameters import stack_size

_CACHE_LINE: Final = 64


@dataclass(frozen=True)
class Layout:
    """Sizes of all that is in the memory that the processes share.

    Attributes:
        cell: Kind of the cells.
        layers: Number of recurrent layers.
        neurons: Length of the hidden state.
        reading_order: In which order the rows or columns of an image are read.
        row_loss_mix: Share of the mean over all rows in the loss, 0 to 1; the rest is on the last row.
        images: Number of training and test images.
        places: Largest number of images that a command can name.
        distorted: Largest number of distorted images that a command can name; smaller, to save memory.
        partitions: Number of processes that work.
    """

    cell: str
    layers: int
    neurons: int
    reading_order: str
    row_loss_mix: float
    images: int
    places: int
    distorted: int
    partitions: int

    @property
    def architecture(self) -> Architecture:
        """Which network the processes work on."""
        return Architecture(self.cell, self.layers, self.neurons, self.reading_order)


class Arrays(NamedTuple):
    """Views of the shared memory.

    Attributes:
        stacked: S of all layers; `parameters.stacks_in` tells one from the other.
        gradients: dS of all layers, of every partition, shape (partitions, numbers in S).
        chosen: Indices of the images that a command is about, shape (places,).
        distortions: Distortions of these images, shape (distorted, `DISTORTION_PARAMETERS`).
        images: All images, shape (images, 28, 28).
        labels: Their labels, shape (images,).
    """

    stacked: FloatArray
    gradients: FloatArray
    chosen: NDArray[np.int32]
    distortions: FloatArray
    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def _fields(layout: Layout) -> list[tuple[tuple[int, ...], type[np.generic]]]:
    """Return shape and type of each of the `Arrays`."""
    numbers = stack_size(layout.architecture)
    return [
        ((numbers,), np.float32),
        ((layout.partitions, numbers), np.float32),
        ((layout.places,), np.int32),
        ((layout.distorted, DISTORTION_PARAMETERS), np.float32),
        ((layout.images, ROWS, COLUMNS), np.uint8),
        ((layout.images,), np.uint8),
    ]


def _offsets(layout: Layout) -> list[int]:
    """Return where each of the `Arrays` starts and, last, where the memory ends, in bytes."""
    offsets = [0]
    for shape, dtype in _fields(layout):
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        offsets.append(offsets[-1] + -(-size // _CACHE_LINE) * _CACHE_LINE)
    return offsets


def memory_size(layout: Layout) -> int:
    """Return how many bytes the `Arrays` take."""
    return _offsets(layout)[-1]


def arrays_in(memory: mmap.mmap, layout: Layout) -> Arrays:
    """Return views of shared memory."""
    places = zip(_fields(layout), _offsets(layout), strict=False)
    return Arrays(*(np.ndarray(shape, dtype, memory, offset) for (shape, dtype), offset in places))


def open_memory() -> int:
    """Return the file descriptor of memory that the system frees once no process has it open any more.

    It has no size yet.
    """
    if hasattr(os, "memfd_create"):
        return os.memfd_create("rnnlab")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
