"""The command `bench`: prints what `benchmark` measures."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from rnnlab.cli.machine import machine
from rnnlab.cli.output import CommandError, print_json, print_line
from rnnlab.cli.pytorch import PYTORCH_HINT, has_torch
from rnnlab.config import Config
from rnnlab.data import datasets
from rnnlab.system.processes import stderr_to
from rnnlab.training.engine import has_tensorflow, lacks_tensorflow

GRID_BATCH_SIZES: Final = (32, 128, 512)
GRID_NEURONS: Final = (32, 64, 128, 256)


def bench(config: Config, what: str, rounds: int, seconds: float, *, as_json: bool) -> None:
    """Measure how fast networks train on this machine.

    Args:
        config: The hyperparameters.
        what: `one` network of this configuration, the `grid` of sizes, or the `growth` of a step's cost.
        rounds: Turns for each library.
        seconds: About how long a turn is.
        as_json: Whether to print one JSON object per line instead of tables.

    Raises:
        CommandError: TensorFlow is not installed.
    """
    benchmark, data = _prepare_bench(config, as_json=as_json)
    if what == "growth":
        from rnnlab.cli import step_growth

        for grown in step_growth.growth(data, seconds=seconds):
            _print_growth(grown, as_json=as_json)
        return
    if not as_json:
        print_line(_BENCH_HEAD)
    for batch_size in GRID_BATCH_SIZES if what == "grid" else (config.batch_size,):
        for neurons in GRID_NEURONS if what == "grid" else (config.neurons,):
            sized = replace(config, batch_size=batch_size, neurons=neurons)
            _print_comparison(benchmark.compare(sized, data, rounds=rounds, seconds=seconds), as_json=as_json)
    if not as_json and not has_torch():
        print_line(PYTORCH_HINT)


def bench_to(goals: list[float], config: Config, limit: float, *, as_json: bool) -> None:
    """Measure how many seconds it takes to read so many of the test digits.

    Args:
        goals: Percentages of the test digits.
        config: Its data set and seed count.
        limit: Seconds after which whoever trains is stopped.
        as_json: Whether to print one JSON object per line instead of a table.

    Raises:
        CommandError: TensorFlow is not installed.
    """
    _prepare_bench(config, as_json=as_json, speeds=False)
    from rnnlab.cli.time_to_accuracy import times_to_accuracy

    shares = [goal / 100 for goal in sorted(goals)]
    if not as_json:
        print_line(f"seconds until a test finds so many read{'':>5}" + "".join(f"{s:>10.1%}" for s in shares))
    for found in times_to_accuracy(shares, dataset=config.dataset, seed=config.seed, limit=limit):
        if as_json:
            print_json(
                name=found.name, seconds={f"{s:.4g}": t for s, t in found.seconds.items()}, best=found.best
            )
            continue
        times = "".join(f"{'-':>10}" if t is None else f"{t:>10.1f}" for t in found.seconds.values())
        print_line(f"{found.name:<44}{times}   best {found.best:.2%}")
    if not as_json and not has_torch():
        print_line(PYTORCH_HINT)


def _prepare_bench(config: Config, *, as_json: bool, speeds: bool = True) -> tuple[Any, datasets.Dataset]:
    """Start TensorFlow and load the data; print the machine and the data set.

    Raises:
        CommandError: TensorFlow is not installed.
    """
    if not has_tensorflow():
        raise CommandError(lacks_tensorflow("A comparison with Keras"))
    with stderr_to(Path(os.devnull)):
        from rnnlab.cli import benchmark
        from rnnlab.training import devices

        devices.initialize_devices()
    data = datasets.load(config.dataset)
    if not as_json:
        print_line(f"{machine()}; {data.description}")
        if not speeds:
            return benchmark, data
        fraction = f"{config.row_loss_mix:.0%} of the loss on the mean of all rows"
        print_line(f"training steps per second, float32, {fraction}")
    return benchmark, data


_BENCH_HEAD: Final = (
    "cell        layers  batch  neurons     numpy     keras   model.fit   PyTorch   multiply limit"
    "   times model.fit   times PyTorch"
)


def _print_comparison(comparison: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(**comparison.to_json())
        return
    ours, keras, keras_fit, torch = (
        "-" if speed is None else f"{speed:,.1f}" for speed in comparison.steps_per_second.values()
    )
    ratios = ("-" if r is None else f"{r:.2f}" for r in map(comparison.ratio, ("keras_fit", "torch")))
    config = comparison.config
    print_line(
        f"{config.cell:<12}{config.layers:>6}{config.batch_size:>7}{config.neurons:>9}"
        f"{ours:>10}{keras:>10}{keras_fit:>12}{torch:>10}"
        f"{comparison.limit:>17,.1f}{next(ratios):>18}{next(ratios):>16}",
    )


def _print_growth(grown: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(by=grown.by, milliseconds_per_step=grown.milliseconds)
        return
    print_line(f"\nmilliseconds per step by {grown.by}")
    for value, milliseconds in grown.milliseconds.items():
        print_line(f"{value:>12,}{milliseconds:>10.2f}")
