"""How the cost of a training step grows with the batch, the network, the rows and the length of a run."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
from threadpoolctl import threadpool_limits

from rnnlab.cli.benchmark import MAX_ITERATIONS, our_turns, stopping_at
from rnnlab.config import Config
from rnnlab.data.datasets import Dataset
from rnnlab.digits import COLUMNS, DIGITS
from rnnlab.model.architecture import Architecture
from rnnlab.presets import config_from
from rnnlab.store.store import Store
from rnnlab.training import loop
from rnnlab.training.loss import row_loss_weights
from rnnlab.training.numpy_network import Workspace
from rnnlab.training.parameters import stack_size, stacks_in
from rnnlab.worker.reporting import StoreReporter


@dataclass(frozen=True)
class Growth:
    """How the cost of a step grows with one quantity; everything else keeps its default.

    Attributes:
        by: The quantity that grows.
        milliseconds: Milliseconds per step for each value of it.
    """

    by: str
    milliseconds: dict[int, float] = field(default_factory=dict)


def growth(
    data: Dataset,
    *,
    seconds: float,
    batch_sizes: Sequence[int] = (16, 32, 64, 128, 256, 512, 1024),
    neurons: Sequence[int] = (16, 32, 64, 128, 256),
    rows: Sequence[int] = (7, 14, 28, 56),
) -> list[Growth]:
    """Measure the cost of a step over batch size, neurons and rows, and over the length of a run.

    Args:
        data: Digits to train on.
        seconds: About how long each measurement takes; the long run takes thirty times as long.
        batch_sizes: Images per batch, each value measured.
        neurons: Network sizes, each measured.
        rows: Rows per image, each value measured.
    """
    grown = []
    for name, values in (("batch_size", batch_sizes), ("neurons", neurons)):
        costs = {}
        for value in values:
            with our_turns(config_from({name: value}), data) as turn:
                costs[value] = 1000 / turn(seconds)
        grown.append(Growth(name, costs))
    costs = {count: _cost_of_rows(count, seconds) for count in rows}
    return [*grown, Growth("rows (64 images, one core)", costs), _long_run(data, 30 * seconds)]


def _cost_of_rows(rows: int, seconds: float) -> float:
    """Return the milliseconds that loss and gradients take for 64 images with this many rows."""
    config = Config()
    architecture = Architecture.of(config)
    workspace = Workspace(architecture, 64, rows=rows)
    generator = np.random.default_rng(0)
    vector = generator.normal(scale=0.05, size=stack_size(architecture)).astype(np.float32)
    stacks, gradients = stacks_in(vector, architecture), stacks_in(np.zeros_like(vector), architecture)
    pixels = generator.integers(0, 256, (rows, COLUMNS, 64), dtype=np.uint8)
    labels = generator.integers(0, DIGITS, 64, dtype=np.uint8)
    weights = row_loss_weights(config.row_loss_mix, rows)
    times: list[float] = []
    until = time.perf_counter() + seconds
    with threadpool_limits(limits=1, user_api="blas"):
        while len(times) < 3 or time.perf_counter() < until:
            start = time.perf_counter()
            workspace.gradient(stacks, pixels, labels, weights, gradients)
            times.append(time.perf_counter() - start)
    return 1000 * median(times)


def _long_run(data: Dataset, seconds: float) -> Growth:
    """Return the milliseconds a step takes in each tenth of a run of a small network, by its last step.

    If the run reports fewer than eleven points, the parts are those between its points.
    """
    config = Config(neurons=32, batch_size=32, iterations=MAX_ITERATIONS)
    with tempfile.TemporaryDirectory() as home, Store(Path(home)) as store:
        run = store.create_run(config, claimed=True)
        until = time.perf_counter() + seconds
        loop.train(config, data, StoreReporter(store, run), stopping_at(until))
        points = store.points(run.id)
    parts = min(10, len(points) - 1)
    costs = {}
    for part in range(parts):
        first, last = (points[(len(points) - 1) * (part + end) // parts] for end in (0, 1))
        costs[last.step] = 1000 * (last.seconds - first.seconds) / (last.step - first.step)
    return Growth("step of a run (batch size 32, 32 neurons)", costs)
