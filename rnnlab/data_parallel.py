"""Data parallelism on processor cores: a batch is cut into shares, one for each core, that work side by side.

Threads would wait for each other in Python's interpreter lock, which the many small operations of `fast_path`
hold half of the time; the shares but the first are worked on by helper processes. What they read and write
lies in memory that all of them see; a few bytes through a pipe say what to do, and that it is done.

A helper is started as `python -m rnnlab.data_parallel MEMORY LAYOUT`, knows nothing but `fast_path`, and ends
when its pipe does, so that it never outlives its training, whatever ends that.
"""

from __future__ import annotations

import json
import mmap
import os
import select
import struct
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from rnnlab.cores import MOST_IN_SHARD
from rnnlab.distortion import PARAMETERS, are_distorted, distort
from rnnlab.fast_path import Pixels, Shard, row_weights, side_by_side
from rnnlab.parameters import stack_shape
from rnnlab.processes import HelperError, start_module
from rnnlab.reader import COLUMNS, ROWS, FloatArray

WATCH_SECONDS: Final = 0.005
"""How long a process that waits for another one watches its pipe before it goes to sleep."""

_GRADIENT: Final = b"g"
_READ: Final = b"r"
_COMMAND: Final = struct.Struct("<c?III")
_ANSWER: Final = struct.Struct("<d")

_STANDARD_INPUT: Final = 0
_STANDARD_OUTPUT: Final = 1
_CACHE_LINE: Final = 64
_ONE_THREAD: Final = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Layout:
    """What lies in the memory that the processes share.

    Attributes:
        neurons: Length of the hidden state.
        row_loss_mix: Share of the mean over all rows in the loss, 0 to 1; the rest is on the last row.
        images: How many there are to learn from and to test with.
        places: How many of them a command can name.
        distorted: How many of them a command can name that are distorted; fewer, for memory's sake.
        shares: How many processes work.
    """

    neurons: int
    row_loss_mix: float
    images: int
    places: int
    distorted: int
    shares: int


class _Arrays(NamedTuple):
    """Views of the shared memory.

    Attributes:
        stacked: S of `fast_path`.
        gradients: dS of every share.
        chosen: Which images a command is about, shape (places,).
        distortions: How these are distorted, shape (distorted, `distortion.PARAMETERS`).
        images: Shape (images, 28, 28).
        labels: Shape (images,).
    """

    stacked: FloatArray
    gradients: FloatArray
    chosen: NDArray[np.int32]
    distortions: FloatArray
    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def _fields(layout: Layout) -> list[tuple[tuple[int, ...], type[np.generic]]]:
    """Return shape and type of each of the `_Arrays`."""
    shape = stack_shape(layout.neurons)
    return [
        (shape, np.float32),
        ((layout.shares, *shape), np.float32),
        ((layout.places,), np.int32),
        ((layout.distorted, PARAMETERS), np.float32),
        ((layout.images, ROWS, COLUMNS), np.uint8),
        ((layout.images,), np.uint8),
    ]


def _offsets(layout: Layout) -> list[int]:
    """Return where each of the `_Arrays` starts and, last, where the memory ends, in bytes."""
    offsets = [0]
    for shape, dtype in _fields(layout):
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        offsets.append(offsets[-1] + -(-size // _CACHE_LINE) * _CACHE_LINE)
    return offsets


def _arrays(layout: Layout, memory: mmap.mmap) -> _Arrays:
    places = zip(_fields(layout), _offsets(layout), strict=False)
    return _Arrays(*(np.ndarray(shape, dtype, memory, offset) for (shape, dtype), offset in places))


def _open_memory(size: int) -> int:
    """Return the descriptor of memory that is gone with the last process that has it open."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("rnnlab")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor


class _Share:
    """What one process does: its share of a batch, in pieces that fit the caches."""

    def __init__(self, layout: Layout, arrays: _Arrays, index: int) -> None:
        self._layout, self._arrays = layout, arrays
        self._gradient = arrays.gradients[index]
        self._row_weights = row_weights(layout.row_loss_mix)
        self._shards: dict[int, Shard] = {}

    def do(self, what: bytes, distorted: bool, start: int, stop: int, whole: int) -> float:
        """Follow a command; return a loss or a number of images."""
        # A learning rate far too large makes infinite numbers: the training looks for them itself.
        with np.errstate(over="ignore", invalid="ignore"):
            if what == _GRADIENT:
                return self.gradient(distorted, start, stop, whole)
            return self.correct(distorted, start, stop)

    def gradient(self, distorted: bool, start: int, stop: int, whole: int) -> float:
        """Leave what the chosen images add to the mean gradient of the whole; return what to its loss."""
        self._gradient.fill(0)
        loss = 0.0
        for piece in self._pieces(start, stop):
            loss += self._shard(len(piece)).gradient(
                self._arrays.stacked,
                self._pixels(piece, distorted),
                self._arrays.labels[self._arrays.chosen[piece]],
                self._row_weights / np.float32(whole),
                self._gradient,
                last_row_only=are_distorted(self._arrays.distortions[piece]) if distorted else None,
            )
        return loss

    def correct(self, distorted: bool, start: int, stop: int) -> int:
        """Return how many of the chosen images are read correctly after their last row."""
        correct = 0
        for piece in self._pieces(start, stop):
            read = self._shard(len(piece)).read(self._arrays.stacked, self._pixels(piece, distorted))
            correct += int(np.count_nonzero(read == self._arrays.labels[self._arrays.chosen[piece]]))
        return correct

    def _pixels(self, places: NDArray[np.int64], distorted: bool) -> Pixels:
        """Return the images at some of the places side by side."""
        chosen = self._arrays.chosen[places]
        if distorted:
            return distort(self._arrays.images, chosen, self._arrays.distortions[places])
        return side_by_side(self._arrays.images[chosen])

    def _pieces(self, start: int, stop: int) -> list[NDArray[np.int64]]:
        """Return places in pieces that differ by at most one image."""
        pieces = -(-(stop - start) // MOST_IN_SHARD)
        return np.array_split(np.arange(start, stop), pieces) if pieces else []

    def _shard(self, images: int) -> Shard:
        """Return the memory for so many images; it is kept."""
        if images not in self._shards:
            self._shards[images] = Shard(images, self._layout.neurons)
        return self._shards[images]


class _Helper:
    """A helper process as its training sees it."""

    def __init__(self, layout: Layout, memory: int, index: int) -> None:
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        self._process = start_module(
            "rnnlab.data_parallel",
            str(memory),
            str(index),
            json.dumps(asdict(layout)),
            environment=_ONE_THREAD,
            pass_fds=(memory,),
            stdin=commands,
            stdout=answers,
        )
        os.close(commands)
        os.close(answers)
        os.set_blocking(self._answers, False)

    def command(self, what: bytes, distorted: bool, start: int, stop: int, whole: int) -> None:
        """Tell the process what to do with which of the chosen images, and how many these are together."""
        try:
            os.write(self._commands, _COMMAND.pack(what, distorted, start, stop, whole))
        except OSError as error:
            raise self._ended() from error

    def answer(self) -> float:
        """Wait for the process to be done; return its answer."""
        message = _receive(self._answers, _ANSWER.size)
        if not message:
            raise self._ended()
        return float(_ANSWER.unpack(message)[0])

    def _ended(self) -> HelperError:
        return HelperError(self._process.wait())

    def close(self) -> None:
        """End the process and wait until it has."""
        os.close(self._commands)
        self._process.wait()
        os.close(self._answers)


class DataParallel:
    """The gradients of batches and the number of images read correctly, by all cores together.

    To be closed, best by `with`: its processes end with it.

    Args:
        images: To learn from and to test with, `uint8` of shape (N, 28, 28).
        labels: Their digits, `uint8` of shape (N,).
        neurons: Length of the hidden state.
        row_loss_mix: Share of the mean over all rows in the loss, 0 to 1; the rest is on the last row.
        most: Images that one call names at most.
        most_distorted: Images that one call names at most where they are to be distorted.
        shares: Processes, this one included.

    Attributes:
        stacked: S of `fast_path`: to be filled in before a call.
    """

    def __init__(
        self,
        images: Iterable[NDArray[np.uint8]],
        labels: Iterable[NDArray[np.uint8]],
        *,
        neurons: int,
        row_loss_mix: float,
        most: int,
        shares: int,
        most_distorted: int = 0,
    ) -> None:
        images, labels = list(images), list(labels)
        layout = Layout(neurons, row_loss_mix, sum(map(len, images)), most, most_distorted, shares)
        size = _offsets(layout)[-1]
        memory = _open_memory(size)
        try:
            self._arrays = _arrays(layout, mmap.mmap(memory, size))
            np.concatenate(images, out=self._arrays.images)
            np.concatenate(labels, out=self._arrays.labels)
            self._helpers = [_Helper(layout, memory, index) for index in range(1, shares)]
        finally:
            os.close(memory)
        self._own = _Share(layout, self._arrays, 0)
        self._threads = threadpool_limits(limits=1, user_api="blas")
        self.stacked = self._arrays.stacked

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the helper processes."""
        for helper in self._helpers:
            helper.close()
        self._helpers = []
        self._threads.restore_original_limits()

    def gradient(
        self, chosen: NDArray[np.int32], distortions: FloatArray | None = None
    ) -> tuple[float, FloatArray]:
        """Return the mean loss of the chosen images, in nats, and dS, valid until the next call.

        Args:
            chosen: Indices of the images.
            distortions: Of each of them, as `distortion.draw_distortions` returns them, if any.
        """
        loss = self._together(_GRADIENT, chosen, distortions)
        total = self._arrays.gradients[0]
        for other in self._arrays.gradients[1:]:
            total += other
        return loss, total

    def correct(self, chosen: NDArray[np.int32], distortions: FloatArray | None = None) -> int:
        """Return how many of the chosen images are read correctly after their last row; see `gradient`."""
        return int(self._together(_READ, chosen, distortions))

    def _together(self, what: bytes, chosen: NDArray[np.int32], distortions: FloatArray | None) -> float:
        """Have every process do its share; return the sum of their answers."""
        self._arrays.chosen[: len(chosen)] = chosen
        distorted = distortions is not None
        if distortions is not None:
            self._arrays.distortions[: len(chosen)] = distortions
        shares = len(self._helpers) + 1
        ends = [len(chosen) * share // shares for share in range(shares + 1)]
        for helper, start, stop in zip(self._helpers, ends[1:-1], ends[2:], strict=True):
            helper.command(what, distorted, start, stop, len(chosen))
        total = self._own.do(what, distorted, 0, ends[1], len(chosen))
        return total + sum(helper.answer() for helper in self._helpers)


def _receive(descriptor: int, size: int) -> bytes:
    """Return the next message of a pipe that does not block, or nothing where it has ended.

    It is watched for a moment first: going to sleep and being woken up costs more than most waits are long.
    """
    until = time.perf_counter() + WATCH_SECONDS
    while time.perf_counter() < until:
        with suppress(BlockingIOError):
            return os.read(descriptor, size)
    select.select([descriptor], [], [])
    return os.read(descriptor, size)


def main(memory: str, index: str, layout: str) -> None:
    """Work as a helper until the pipe ends."""
    shared = Layout(**json.loads(layout))
    arrays = _arrays(shared, mmap.mmap(int(memory), _offsets(shared)[-1]))
    os.close(int(memory))
    share = _Share(shared, arrays, int(index))
    os.set_blocking(_STANDARD_INPUT, False)
    while message := _receive(_STANDARD_INPUT, _COMMAND.size):
        os.write(_STANDARD_OUTPUT, _ANSWER.pack(share.do(*_COMMAND.unpack(message))))


if __name__ == "__main__":
    main(*sys.argv[1:])
