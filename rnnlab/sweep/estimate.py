"""How long a sweep will take, roughly: known before it begins."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean, median
from typing import Final

import numpy as np

from rnnlab.config import Config
from rnnlab.hyperparameter import Value
from rnnlab.runs import Run
from rnnlab.store.store import Store
from rnnlab.sweep.specification import Specification
from rnnlab.system.cores import usable_cores
from rnnlab.training.step_cost import multiplications, multiplications_per_second

LONG: Final = 30 * 60.0
"""Seconds beyond which people are warned."""

_SHARE_OF_MULTIPLICATIONS: Final = 0.55
"""Which part of a step multiplies, as measured for networks of usual size."""

_OF_A_STEP: Final = 0.001
"""Seconds that a step of the smallest network takes."""

_OF_A_RUN: Final = 1.5
"""Seconds that a run takes before its first step, and for its tests."""

_SAMPLES: Final = 200
"""How many trials are drawn to find what one costs on average."""

_LONG_ENOUGH: Final = 3.0
"""Seconds that a run must have trained to say how fast this machine is."""


def estimate_seconds(specification: Specification, store: Store, together: int) -> float:
    """Return about how many seconds a sweep will take, if none of its trials ends early.

    The speed is that of the newest runs on this machine or, before there are any, of its multiplications.

    Args:
        specification: What the sweep is to do.
        store: Has the runs of before.
        together: How many runs train at the same time.
    """
    of_a_core = _speed_of(store.runs()) or (
        multiplications_per_second(repeats=1) * _SHARE_OF_MULTIPLICATIONS / usable_cores()
    )
    speed = of_a_core * max(1, usable_cores() // together)
    configs = [specification.config_of(params, 0) for params in _samples(specification)]
    of_a_run = fmean(_OF_A_RUN + config.iterations * _seconds_of_step(config, speed) for config in configs)
    rounds = -(-specification.trials * specification.seeds // together)
    return rounds * of_a_run


def _seconds_of_step(config: Config, speed: float) -> float:
    return _OF_A_STEP + multiplications(config) / speed


def _samples(specification: Specification) -> Iterator[dict[str, Value]]:
    """Yield values as trials would have them, drawn with equal probability."""
    chance = np.random.default_rng(0)
    grids = {dimension.name: dimension.grid() for dimension in specification.dimensions}
    for _ in range(_SAMPLES):
        yield {name: values[int(chance.integers(len(values)))] for name, values in grids.items()}


def _speed_of(runs: list[Run]) -> float | None:
    """Return the multiplications per second and core of the newest runs, their other work included."""
    speeds = [
        multiplications(run.config_now) * run.step / (run.seconds - _OF_A_STEP * run.step) / run.cores
        for run in runs
        if run.cores and run.seconds >= max(_LONG_ENOUGH, 2 * _OF_A_STEP * run.step)
    ]
    return median(speeds[:5]) if speeds else None
