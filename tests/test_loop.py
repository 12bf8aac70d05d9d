from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from rnnlab.config import HYPERPARAMETERS, Config
from rnnlab.data.datasets import Dataset, load
from rnnlab.model.reader import Reader
from rnnlab.model.weights import Weights
from rnnlab.presets import config_from
from rnnlab.runs import AccuracyPoint, RunState, TestPoint
from rnnlab.training.batches import Batch
from rnnlab.training.loop import (
    CONTINUE,
    Callback,
    Decision,
    TrainingState,
    is_tested,
    steps_between_tests,
    train,
)


class Recorder:
    """Records what a run reports."""

    def __init__(self) -> None:
        self.points: list[AccuracyPoint] = []
        self.tests: list[TestPoint] = []
        self.weights: list[Weights] = []
        self.tested: list[Weights] = []
        self.begun: list[int] = []
        self.reaches: dict[int, np.ndarray] = {}
        self.engines: list[str] = []
        self.remarks: list[str] = []

    def on_point(self, point: AccuracyPoint, weights: Weights) -> None:
        self.points.append(point)
        self.weights.append(weights)

    def on_error_reach(self, step: int, norms: np.ndarray) -> None:
        self.reaches[step] = norms

    def on_test(self, test: TestPoint, weights: Weights) -> None:
        self.tests.append(test)
        self.tested.append(weights)

    def on_begin(self, step: int, cores: int, engine: str) -> None:
        self.begun.append(step)
        assert cores >= 1
        self.engines.append(engine)

    def on_note(self, text: str) -> None:
        pass

    def on_remark(self, text: str) -> None:
        self.remarks.append(text)


def go_on(_: TrainingState) -> Decision:
    return CONTINUE


def stop_when(condition: Callable[[], bool]) -> Callback:
    return lambda _: Decision(RunState.STOPPED) if condition() else CONTINUE


SMALL = Config(neurons=16, batch_size=32, iterations=110, dataset="digits")


def test_a_point_comes_at_step_0_20_40_and_the_rest_is_trained_too(digits: Dataset) -> None:
    recorder = Recorder()
    outcome = train(SMALL, digits, recorder, go_on)
    assert [point.step for point in recorder.points] == [0, 20, 40, 60, 80, 100]
    assert (outcome.state, outcome.step) == (RunState.FINISHED, 110)
    assert all(0 <= p.accuracy <= 1 and p.loss > 0 for p in recorder.points)
    seconds = [point.seconds for point in recorder.points]
    assert seconds == sorted(seconds)


def test_the_test_accuracy_at_the_end_is_that_of_the_weights_handed_over(digits: Dataset) -> None:
    recorder = Recorder()
    outcome = train(SMALL, digits, recorder, go_on)
    assert outcome.weights is not None
    read = Reader(outcome.weights).read(digits.test_images).beliefs[:, -1].argmax(axis=1)
    assert outcome.test_accuracy == pytest.approx((read == digits.test_labels).mean())
    assert [(test.step, test.accuracy) for test in recorder.tests] == [(110, outcome.test_accuracy)]


def test_the_same_seed_gives_the_same_run_on_the_same_cores_and_about_the_same_on_others(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    for seed, cores in ((3, 1), (3, 1), (3, 2), (4, 1)):
        monkeypatch.setenv("RNNLAB_CORES", str(cores))
        recorder = Recorder()
        train(config_from({"seed": seed, "neurons": 16, "iterations": 41}), digits, recorder, go_on)
        runs.append([point.loss for point in recorder.points])
    assert runs[0] == runs[1]
    assert runs[0] == pytest.approx(runs[2], rel=1e-4)
    assert runs[0] != pytest.approx(runs[3], rel=1e-4)
    assert "same machine with the same number of cores" in HYPERPARAMETERS["seed"].help


def test_stop_ends_the_run_at_the_next_report_and_keeps_what_was_learned(digits: Dataset) -> None:
    recorder = Recorder()
    outcome = train(SMALL, digits, recorder, stop_when(lambda: len(recorder.points) == 3))
    assert (outcome.state, outcome.step) == (RunState.STOPPED, 41)
    assert recorder.tests[-1].step == 41
    assert outcome.weights is not None
    np.testing.assert_array_equal(
        outcome.weights.arrays["lstm_kernel"], recorder.weights[-1].arrays["lstm_kernel"]
    )


def test_a_run_that_diverges_ends_there_with_its_last_good_weights(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rnnlab.training.numpy_backend import NumpyNetwork

    learn = NumpyNetwork.train
    calls = []

    def explode_at_the_third_report(self: NumpyNetwork, batches: Sequence[Batch]) -> tuple[float, float]:
        calls.append(1)
        loss, accuracy = learn(self, batches)
        return (float("nan") if len(calls) == 3 else loss), accuracy

    monkeypatch.setattr(NumpyNetwork, "train", explode_at_the_third_report)
    recorder = Recorder()
    outcome = train(SMALL, digits, recorder, go_on)
    assert (outcome.state, outcome.step) == (RunState.DIVERGED, 41)
    assert [point.step for point in recorder.points] == [0, 20]
    assert outcome.weights is recorder.weights[-1]
    assert outcome.weights_step == 20
    assert outcome.test_accuracy is None


def test_a_run_that_diverges_after_its_last_report_keeps_its_last_good_weights(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rnnlab.training.numpy_backend import NumpyNetwork

    learn = NumpyNetwork.train

    def explode_at_the_end(self: NumpyNetwork, batches: Sequence[Batch]) -> tuple[float, float]:
        batches = list(batches)
        loss, accuracy = learn(self, batches)
        return (float("inf") if len(batches) == 9 else loss), accuracy

    monkeypatch.setattr(NumpyNetwork, "train", explode_at_the_end)
    recorder = Recorder()
    outcome = train(replace(SMALL, iterations=50), digits, recorder, go_on)
    assert (outcome.state, outcome.weights_step, outcome.checkpoint) == (RunState.DIVERGED, 40, None)
    assert outcome.weights is recorder.weights[-1]


@pytest.mark.parametrize(("batch_size", "steps"), [(128, 1000), (8, 16_000), (1024, 120)])
def test_the_test_set_is_read_after_about_as_many_images_whatever_the_batch(
    batch_size: int, steps: int
) -> None:
    assert steps_between_tests(batch_size) == steps


@pytest.mark.parametrize(
    ("batch_size", "expected"), [(64, [240, 500, 760, 1000, 2000, 4000]), (1024, [20, 40, 60, 120, 240])]
)
def test_the_first_tests_come_sooner(batch_size: int, expected: list[int]) -> None:
    tested = [
        step for step in range(0, 2 * steps_between_tests(batch_size) + 1, 20) if is_tested(step, batch_size)
    ]
    assert tested == expected


@pytest.mark.slow
@pytest.mark.usefixtures("mnist_folder")
def test_the_notebook_preset_learns_as_fast_as_the_notebook_did() -> None:
    """Means of 5 readings; the benchmark `learning` follows nine seeds further, to 98 %."""
    data = load("mnist")

    def means(seed: int, iterations: int) -> np.ndarray:
        recorder = Recorder()
        train(config_from({"seed": seed, "iterations": iterations}, "notebook"), data, recorder, go_on)
        return np.convolve([point.accuracy for point in recorder.points], np.full(5, 0.2), "valid")

    best = [means(seed, 221).max() for seed in range(2)]
    assert max(best) >= 0.85
