"""How well networks read: `python -m tests.benchmarks.best`; `--measures` shows what each measure brings.

Without options it trains `best` with three seeds and `default` once, each a run in the store like any other,
and prints for each what the README states: time, test accuracy, how well its confidence matches its accuracy,
and how it reads the pen drawings (`tests/benchmarks/hands.py`). `--run NAME` measures runs that exist already
instead of training.

With `--measures` it trains shorter runs on MNIST's validation split, adding one measure after the other.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from rnnlab.config import UNCHANGED_DIGITS, Config
from rnnlab.data.datasets import load_test
from rnnlab.model.evaluation import evaluate
from rnnlab.model.reader import Reader
from rnnlab.model.weights import Weights
from rnnlab.presets import PRESETS, config_from
from rnnlab.runs import Run, RunState
from rnnlab.store.store import Store, default_home
from rnnlab.worker.job import execute
from tests.benchmarks.hands import Doubt, doubt, folder, pictures

FIRST_ROW = 1
HALF = 14


def trained(store: Store, config: Config, name: str) -> Run:
    """Train a run in the foreground and print how long it took."""
    start = time.perf_counter()
    run = store.create_run(config, claimed=True)
    if execute(store, run) is not RunState.FINISHED:
        raise SystemExit(f"{name}: {store.run(run.id).message}")
    run = store.run(run.id)
    print(
        f"{name}: {run.id}, {run.step:,} steps in {run.seconds:.0f} s of training, "
        f"{time.perf_counter() - start:.0f} s in all",
        flush=True,
    )
    return run


def measure(store: Store, run: Run) -> None:
    """Print how a run reads the test set and the pen drawings."""
    reader = Reader(Weights.load(store.files(run.id).weights)[0])
    test = load_test(run.data_name or run.config.dataset)
    found = evaluate(reader, test.images, test.labels)
    gap = (found.confidence_by_row - found.accuracy_by_row)[FIRST_ROW - 1 :]
    worst = int(np.abs(gap).argmax())
    accuracy, confidence = found.accuracy_by_row[HALF - 1], found.confidence_by_row[HALF - 1]
    print(
        f"  {test.title}: {found.test_accuracy:.2%}; row {HALF}: {accuracy:.1%}, {confidence:.1%} sure; "
        f"largest difference of confidence and accuracy from row {FIRST_ROW} on: {gap[worst]:+.3f} at row "
        f"{worst + FIRST_ROW}; largest calibration error: "
        f"{found.calibration_error_by_row[FIRST_ROW - 1 :].max():.3f}"
    )
    if folder().exists():
        print(f"  pen drawings: {words(doubt(reader, *pictures()))}", flush=True)


def words(found: Doubt) -> str:
    """Return accuracy and error in words."""
    sure = f"{found.error_of_the_sure:.2%} without the least sure 2 %"
    return f"{found.accuracy:.2%}; error {found.error:.2%}, {sure}"


def presets(store: Store) -> None:
    """Train and measure `best` with three seeds and `default`."""
    for name, seeds in (("best", (0, 1, 2)), ("default", (0,))):
        for seed in seeds:
            config = replace(PRESETS[name], seed=seed)
            measure(store, trained(store, config, f"{name}, seed {seed}"))


def measures(store: Store, iterations: int) -> None:
    """Add one measure after the other; train with them on the validation split and measure each network."""
    best = PRESETS["best"]
    distortion = {
        name: getattr(best, name)
        for name in ("rotation", "slant", "scaling", "shift", "bending", "thickness", "distorted_share")
    }
    steps = {"learning_rate": best.learning_rate, "schedule": best.schedule, "warm_up": best.warm_up}
    base = {"dataset": "validation", "schedule": "constant", "nonsense": 0.0, **UNCHANGED_DIGITS}
    config = config_from({"iterations": iterations, **base})
    for name, values in (
        ("plain", {}),
        ("+ schedule and clipping", {**steps, "clip_norm": best.clip_norm}),
        ("+ distortion", distortion),
        ("+ bundled digits", {"extra_digits": "bundled"}),
        ("+ digits drawn by rule", {"extra_digits": "forms"}),
        ("+ nonsense", {"nonsense": best.nonsense}),
        ("+ larger batches", {"batch_size": best.batch_size}),
    ):
        config = replace(config, **values)
        run = trained(store, config, name)
        measure(store, run)
        if folder().exists():
            reader = Reader(Weights.load(store.files(run.id).weights)[0])
            plain = doubt(reader, *pictures(bring_strokes_to_width=False))
            print(f"  pen drawings, strokes as thick as they were drawn: {words(plain)}", flush=True)


def main() -> None:
    """Do what the options say."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, default=default_home(), help="folder of runs")
    parser.add_argument("--run", action="append", default=[], help="measure this run (repeatable)")
    parser.add_argument("--measures", action="store_true", help="what each measure brings")
    parser.add_argument("--iterations", type=int, default=6_000, help="steps of each of `--measures`")
    arguments = parser.parse_args()
    with Store(arguments.home) as store:
        if arguments.measures:
            measures(store, arguments.iterations)
        elif arguments.run:
            for name in arguments.run:
                run = store.find(name)
                print(f"{run.id}: {run.step:,} steps in {run.seconds:.0f} s")
                measure(store, run)
        else:
            presets(store)


if __name__ == "__main__":
    main()
