"""Data parallelism on processor cores: each core works on its own partition of the batch.

Threads would wait for Python's interpreter lock, which the many small operations of `numpy_layer` hold half
of the time. So this process works on the first partition, and helper processes work on the others. What they
read and write is in shared memory. A few bytes through a pipe tell a helper what to do, and a few bytes
through another one say that it is done.

A helper is started as `python -m rnnlab.training.data_parallel MEMORY INDEX`, and is told the layout of the
memory first. It needs little more than `numpy_network`, and it ends when its pipe is closed, so that it never
outlives its run, however that ends.
"""

from __future__ import annotations

import json
import mmap
import os
import select
import struct
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from itertools import pairwise
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from rnnlab.data.augmentation import are_distorted, distort
from rnnlab.data.reading_order import as_read
from rnnlab.digits import FloatArray
from rnnlab.model.architecture import Architecture
from rnnlab.system.cores import MAX_IMAGES_AT_ONCE
from rnnlab.system.processes import HelperError, start_module
from rnnlab.training.loss import row_loss_weights
from rnnlab.training.numpy_network import Pixels, Workspace, to_columns
from rnnlab.training.parameters import stacks_in
from rnnlab.training.shared_memory import Arrays, Layout, arrays_in, memory_size, open_memory

WATCH_SECONDS: Final = 0.005
"""How many seconds a waiting process watches its pipe before it goes to sleep."""

_GRADIENT: Final = b"g"
_READ: Final = b"r"
_COMMAND: Final = struct.Struct("<c?III")
_ANSWER: Final = struct.Struct("<d")
_LENGTH: Final = struct.Struct("<I")

_READY: Final = b"r"
"""What a helper writes once it can do something."""

_STANDARD_INPUT: Final = 0
_STANDARD_OUTPUT: Final = 1
_ONE_THREAD: Final = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")


class _Command(NamedTuple):
    """What a process must do with its partition of a batch.

    Attributes:
        what: `_GRADIENT` or `_READ`.
        distorted: Whether to distort the images first.
        start: Place of the first of the chosen images that it works on.
        stop: Place after the last of them.
        whole: Number of chosen images, for all processes together.
    """

    what: bytes
    distorted: bool
    start: int
    stop: int
    whole: int


class _Partition:
    """The work on one partition of a batch, in pieces that fit into the caches.

    Args:
        layout: That of the shared memory.
        arrays: What is in it.
        index: Number of the partition.
        workspaces: Memory for a number of images; partitions that one process works on share it.
    """

    def __init__(self, layout: Layout, arrays: Arrays, index: int, workspaces: dict[int, Workspace]) -> None:
        self._layout, self._arrays = layout, arrays
        self._gradient = arrays.gradients[index]
        self._stacks = stacks_in(arrays.stacked, layout.architecture)
        self._gradients = stacks_in(self._gradient, layout.architecture)
        self._row_weights = row_loss_weights(layout.row_loss_mix)
        self._workspaces = workspaces

    def do(self, command: _Command) -> float:
        """Follow a command; return a loss or a number of images."""
        # A learning rate that is far too large makes infinite numbers: the loop looks for them itself.
        with np.errstate(over="ignore", invalid="ignore"):
            return self.gradient(command) if command.what == _GRADIENT else self.correct(command)

    def gradient(self, command: _Command) -> float:
        """Write its images' share of the mean gradient of all chosen ones; return their share of the loss."""
        self._gradient.fill(0)
        loss = 0.0
        for piece in self._pieces(command):
            loss += self._workspace(len(piece)).gradient(
                self._stacks,
                self._pixels(piece, command.distorted),
                self._arrays.labels[self._arrays.chosen[piece]],
                self._row_weights / np.float32(command.whole),
                self._gradients,
                last_row_only=are_distorted(self._arrays.distortions[piece]) if command.distorted else None,
            )
        return loss

    def correct(self, command: _Command) -> int:
        """Return how many of its images are read correctly after their last row."""
        correct = 0
        for piece in self._pieces(command):
            read = self._workspace(len(piece)).read(self._stacks, self._pixels(piece, command.distorted))
            correct += int(np.count_nonzero(read == self._arrays.labels[self._arrays.chosen[piece]]))
        return correct

    def _pixels(self, places: NDArray[np.int64], distorted: bool) -> Pixels:
        """Return the images at some places, side by side."""
        chosen = self._arrays.chosen[places]
        if distorted:
            pixels: Pixels = distort(self._arrays.images, chosen, self._arrays.distortions[places])
        else:
            pixels = to_columns(self._arrays.images[chosen])
        return as_read(pixels, self._layout.reading_order, axis=0)

    def _pieces(self, command: _Command) -> list[NDArray[np.int64]]:
        """Return the places in pieces whose sizes differ by at most one image."""
        places = np.arange(command.start, command.stop)
        pieces = -(-len(places) // MAX_IMAGES_AT_ONCE)
        return np.array_split(places, pieces) if pieces else []

    def _workspace(self, images: int) -> Workspace:
        """Return the memory for a number of images; it is cached."""
        if images not in self._workspaces:
            self._workspaces[images] = Workspace(self._layout.architecture, images)
        return self._workspaces[images]


class _Helper:
    """A helper process, seen from the process that started it."""

    def __init__(self, memory: int, index: int) -> None:
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        self._process = start_module(
            "rnnlab.training.data_parallel",
            str(memory),
            str(index),
            environment=_ONE_THREAD,
            pass_fds=(memory,),
            stdin=commands,
            stdout=answers,
        )
        os.close(commands)
        os.close(answers)
        os.set_blocking(self._answers, False)
        self._is_ready = False

    def is_ready(self) -> bool:
        """Return whether the process has started, and can do something."""
        if not self._is_ready:
            with suppress(BlockingIOError):
                if not os.read(self._answers, len(_READY)):
                    raise self._ended()
                self._is_ready = True
        return self._is_ready

    def begin(self, layout: Layout) -> None:
        """Tell the process how the memory is laid out, before anything else."""
        text = json.dumps(asdict(layout)).encode("ascii")
        self._send(_LENGTH.pack(len(text)) + text)

    def send(self, command: _Command) -> None:
        """Tell the process what to do."""
        self._send(_COMMAND.pack(*command))

    def _send(self, message: bytes) -> None:
        try:
            os.write(self._commands, message)
        except OSError as error:
            raise self._ended() from error

    def answer(self) -> float:
        """Wait until the process is done; return its answer."""
        message = _receive(self._answers, _ANSWER.size)
        if not message:
            raise self._ended()
        return float(_ANSWER.unpack(message)[0])

    def _ended(self) -> HelperError:
        return HelperError(self._process.wait())

    def close(self) -> None:
        """End the process and wait until it has ended."""
        os.close(self._commands)
        self._process.wait()
        os.close(self._answers)


class Team:
    """Helper processes, and the memory that they share with this one.

    They take some time to start, so they may be started before it is known what they work on. Use a team in a
    `with` block: its processes end with the block.

    Args:
        helpers: How many to start; 0 or more.
    """

    def __init__(self, helpers: int) -> None:
        self._memory = open_memory()
        self._helpers: list[_Helper] = []
        self._start(helpers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self, helpers: int) -> None:
        """Start helpers until there are so many."""
        while len(self._helpers) < helpers:
            self._helpers.append(_Helper(self._memory, len(self._helpers) + 1))

    def begin(self, layout: Layout) -> tuple[list[_Helper], mmap.mmap]:
        """Give the memory its size; return it, and a helper for each partition but the first."""
        wanted, size = layout.partitions - 1, memory_size(layout)
        os.ftruncate(self._memory, size)
        self._start(wanted)
        for helper in self._helpers[wanted:]:
            helper.close()
        del self._helpers[wanted:]
        for helper in self._helpers:
            helper.begin(layout)
        return self._helpers, mmap.mmap(self._memory, size)

    def close(self) -> None:
        """End the processes; what is mapped of the memory stays until nobody uses it any more."""
        for helper in self._helpers:
            helper.close()
        self._helpers = []
        if self._memory >= 0:
            os.close(self._memory)
            self._memory = -1


class DataParallel:
    """Computes gradients of batches and counts images read correctly, on all cores together.

    Use it in a `with` block: its processes end with the block.

    Args:
        images: Training and test images, `uint8` arrays of shape (N, 28, 28).
        labels: Their digits or `NO_DIGIT`, `uint8` arrays of shape (N,).
        architecture: Which network.
        row_loss_mix: Share of the mean over all rows in the loss, 0 to 1; the rest is on the last row.
        max_images: Largest number of images in one call.
        partitions: Number of processes, this one included.
        max_distorted: Largest number of images in one call that distorts them.
        team: Helpers that have been started already, if any; they end with these.

    Attributes:
        stacks: S of each layer; fill them in before a call.
    """

    def __init__(
        self,
        images: Iterable[NDArray[np.uint8]],
        labels: Iterable[NDArray[np.uint8]],
        *,
        architecture: Architecture,
        row_loss_mix: float,
        max_images: int,
        partitions: int,
        max_distorted: int = 0,
        team: Team | None = None,
    ) -> None:
        images, labels = list(images), list(labels)
        layout = Layout(
            **asdict(architecture),
            row_loss_mix=row_loss_mix,
            images=sum(map(len, images)),
            places=max_images,
            distorted=max_distorted,
            partitions=partitions,
        )
        self._team = team or Team(partitions - 1)
        try:
            self._helpers, memory = self._team.begin(layout)
            self._arrays = arrays_in(memory, layout)
            np.concatenate(images, out=self._arrays.images)
            np.concatenate(labels, out=self._arrays.labels)
        except BaseException:
            self._team.close()
            raise
        workspaces: dict[int, Workspace] = {}
        self._partitions = [_Partition(layout, self._arrays, i, workspaces) for i in range(partitions)]
        self._threads = threadpool_limits(limits=1, user_api="blas")
        self.stacks = stacks_in(self._arrays.stacked, architecture)
        self._totals = stacks_in(self._arrays.gradients[0], architecture)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the helper processes."""
        self._helpers = []
        self._team.close()
        self._threads.restore_original_limits()

    def gradient(
        self, chosen: NDArray[np.int32], distortions: FloatArray | None = None
    ) -> tuple[float, list[FloatArray]]:
        """Return the mean loss of the chosen images, in nats, and dS of all layers until the next call.

        Args:
            chosen: Indices of the images, shape (N,).
            distortions: One for each image, as `sample_distortions` returns them; `None` to distort none.
        """
        loss = self._together(_GRADIENT, chosen, distortions)
        total = self._arrays.gradients[0]
        for other in self._arrays.gradients[1:]:
            total += other
        return loss, self._totals

    def correct(self, chosen: NDArray[np.int32], distortions: FloatArray | None = None) -> int:
        """Return how many of the chosen images are read correctly after their last row; see `gradient`."""
        return int(self._together(_READ, chosen, distortions))

    def _together(self, what: bytes, chosen: NDArray[np.int32], distortions: FloatArray | None) -> float:
        """Let every process work on its partition; return the sum of their answers."""
        self._arrays.chosen[: len(chosen)] = chosen
        distorted = distortions is not None
        if distortions is not None:
            self._arrays.distortions[: len(chosen)] = distortions
        count = len(self._partitions)
        ends = [len(chosen) * partition // count for partition in range(count + 1)]
        commands = [_Command(what, distorted, start, stop, len(chosen)) for start, stop in pairwise(ends)]
        # A helper that still starts is not waited for: its work is done here, with the same result.
        ready = [index for index, helper in enumerate(self._helpers, 1) if helper.is_ready()]
        for index in ready:
            self._helpers[index - 1].send(commands[index])
        answers = {
            index: partition.do(commands[index])
            for index, partition in enumerate(self._partitions)
            if index not in ready
        }
        answers |= {index: self._helpers[index - 1].answer() for index in ready}
        return sum(answers[index] for index in range(count))


def _receive(descriptor: int, size: int) -> bytes:
    """Return the next message of a pipe that does not block, or nothing if it was closed.

    The pipe is watched for a moment first: going to sleep and waking up takes longer than most waits.
    """
    deadline = time.perf_counter() + WATCH_SECONDS
    while time.perf_counter() < deadline:
        with suppress(BlockingIOError):
            return os.read(descriptor, size)
    select.select([descriptor], [], [])
    return os.read(descriptor, size)


def main(memory: str, index: str) -> None:
    """Work as a helper until the pipe is closed.

    Args:
        memory: File descriptor of the shared memory.
        index: Number of the partition to work on; 0 is that of the process that starts the helpers.
    """
    length = os.read(_STANDARD_INPUT, _LENGTH.size)
    if not length:  # there was nothing to do
        return
    shared = Layout(**json.loads(os.read(_STANDARD_INPUT, *_LENGTH.unpack(length))))
    arrays = arrays_in(mmap.mmap(int(memory), memory_size(shared)), shared)
    os.close(int(memory))
    partition = _Partition(shared, arrays, int(index), {})
    os.set_blocking(_STANDARD_INPUT, False)
    os.write(_STANDARD_OUTPUT, _READY)
    while message := _receive(_STANDARD_INPUT, _COMMAND.size):
        os.write(_STANDARD_OUTPUT, _ANSWER.pack(partition.do(_Command(*_COMMAND.unpack(message)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
