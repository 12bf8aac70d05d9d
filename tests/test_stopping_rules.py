"""Runs that end before their last step: at a test accuracy, for want of a better test, after some minutes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from rnnlab.config import Config
from rnnlab.config_changes import Change
from rnnlab.data.datasets import Dataset
from rnnlab.model.reader import Reader
from rnnlab.runs import RunState, TestPoint
from rnnlab.training import loop
from rnnlab.training.loop import CONTINUE, Decision, Outcome, TrainingState, train
from rnnlab.training.stopping import Stop, count_since_best, due_stop
from tests.test_loop import Recorder, go_on

SMALL = Config(neurons=16, batch_size=32, iterations=2_000, dataset="digits", schedule="constant")
FLAT = replace(SMALL, learning_rate=1e-5, iterations=400)
"""It learns so slowly that its tests soon get no better."""


@pytest.fixture(autouse=True)
def often_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the test set be read after every 20 steps of 32."""
    monkeypatch.setattr(loop, "IMAGES_BETWEEN_TESTS", 640)


def points(*accuracies: float) -> list[TestPoint]:
    return [TestPoint(1000 * (at + 1), accuracy) for at, accuracy in enumerate(accuracies)]


def ended(outcome: Outcome) -> Stop:
    assert outcome.state is RunState.FINISHED
    assert outcome.stop is not None
    return outcome.stop


def test_a_run_ends_at_the_first_test_that_reaches_its_goal(digits: Dataset) -> None:
    recorder = Recorder()
    outcome = train(replace(SMALL, stop_at=0.5), digits, recorder, go_on)
    *before, at_report, at_end = recorder.tests
    assert all(test.accuracy < 0.5 for test in before)
    assert at_report.accuracy == at_end.accuracy == outcome.test_accuracy
    assert (at_end.step, outcome.step) == (at_report.step + 1,) * 2
    stop = ended(outcome)
    assert stop.rule == "stop_at"
    assert f"at step {outcome.step:,}: it reads {at_end.accuracy * 100:.2f} %" in stop.reason
    assert "was to stop at 50 %" in stop.reason
    assert outcome.weights is not None
    read = Reader(outcome.weights).read(digits.test_images).beliefs[:, -1].argmax(axis=1)
    assert at_end.accuracy == pytest.approx((read == digits.test_labels).mean())


def test_each_test_comes_with_the_weights_that_it_was_measured_with(digits: Dataset) -> None:
    recorder = Recorder()
    train(replace(SMALL, iterations=61, averaging=20), digits, recorder, go_on)
    assert [test.step for test in recorder.tests] == [20, 40, 60, 61]
    for test, weights in zip(recorder.tests, recorder.tested, strict=True):
        read = Reader(weights).read(digits.test_images).beliefs[:, -1].argmax(axis=1)
        assert test.accuracy == pytest.approx((read == digits.test_labels).mean())


def test_a_run_ends_once_its_patience_is_over(digits: Dataset) -> None:
    recorder = Recorder()
    stop = ended(train(replace(FLAT, patience=3), digits, recorder, go_on))
    *tests, _ = recorder.tests
    assert stop.rule == "patience"
    assert count_since_best(tests) == 3
    assert all(count_since_best(tests[:count]) < 3 for count in range(len(tests)))
    best = tests[-4]
    assert f"3 tests in a row were no better than that of step {best.step:,}" in stop.reason


@pytest.mark.parametrize("paused_at", [61, 121])
def test_what_patience_has_counted_outlasts_a_pause(digits: Dataset, paused_at: int) -> None:
    config, whole = replace(FLAT, patience=4), Recorder()
    expected = train(config, digits, whole, go_on)

    def pause(state: TrainingState) -> Decision:
        return Decision(RunState.PAUSED) if state.step >= paused_at else CONTINUE

    first, second = Recorder(), Recorder()
    paused = train(config, digits, first, pause)
    assert (paused.state, paused.stop) == (RunState.PAUSED, None)
    resumed = train(config, digits, second, go_on, checkpoint=paused.checkpoint, tests=first.tests)
    assert first.tests + second.tests == whole.tests
    assert (resumed.step, resumed.stop) == (expected.step, expected.stop)


def test_the_test_at_the_end_of_a_stopped_run_does_not_use_up_patience(digits: Dataset) -> None:
    config, whole = replace(FLAT, patience=4), Recorder()
    expected = train(config, digits, whole, go_on)

    def stop(state: TrainingState) -> Decision:
        return Decision(RunState.STOPPED) if state.step >= 81 else CONTINUE

    first = Recorder()
    stopped = train(config, digits, first, stop)
    assert [test.step for test in first.tests] == [20, 40, 60, 80, 81]
    resumed = train(config, digits, Recorder(), go_on, checkpoint=stopped.checkpoint, tests=first.tests)
    assert (resumed.step, resumed.stop) == (expected.step, expected.stop)


def test_a_run_ends_at_its_first_report_after_its_minutes(digits: Dataset) -> None:
    recorder = Recorder()
    outcome = train(replace(SMALL, iterations=200_000, minutes=0.01), digits, recorder, go_on)
    assert ended(outcome).rule == "minutes"
    assert "it has trained for 0.01 minutes" in ended(outcome).reason
    assert [point for point in recorder.points[:-1] if point.seconds >= 0.7] == []
    assert outcome.seconds >= 0.6


def test_minutes_of_before_a_pause_count_and_those_of_the_pause_do_not(digits: Dataset) -> None:
    config = replace(SMALL, iterations=200_000, minutes=5)
    paused = train(config, digits, Recorder(), lambda _: Decision(RunState.PAUSED))
    assert paused.checkpoint is not None
    for seconds, expected in ((200.0, RunState.STOPPED), (299.9999, RunState.FINISHED)):
        outcome = train(
            config,
            digits,
            Recorder(),
            lambda _: Decision(RunState.STOPPED),
            checkpoint=replace(paused.checkpoint, seconds=seconds),
        )
        assert outcome.state is expected


def test_a_rule_that_is_lifted_during_a_run_does_not_end_it(digits: Dataset) -> None:
    lifted = [Change(1, "stop_at", 0.0)]
    outcome = train(replace(SMALL, stop_at=0.2, iterations=300), digits, Recorder(), go_on, changes=lifted)
    assert (outcome.state, outcome.step, outcome.stop) == (RunState.FINISHED, 300, None)


def test_a_run_without_rules_is_not_changed_by_them(digits: Dataset) -> None:
    short = replace(SMALL, iterations=100)
    plain, ruled = (
        train(config, digits, Recorder(), go_on).weights
        for config in (short, replace(short, stop_at=1.0, patience=1000, minutes=1000))
    )
    assert plain is not None
    assert ruled is not None
    np.testing.assert_array_equal(plain.arrays["lstm_kernel"], ruled.arrays["lstm_kernel"])


@pytest.mark.parametrize(
    ("tests", "count"),
    [((), 0), ((0.9,), 0), ((0.9, 0.9), 1), ((0.8, 0.9, 0.85, 0.9), 2), ((0.9, 0.8, 0.91), 0)],
)
def test_only_a_better_test_starts_the_count_again(tests: Sequence[float], count: int) -> None:
    assert count_since_best(points(*tests)) == count


def test_if_several_rules_are_due_the_goal_comes_first() -> None:
    config = Config(stop_at=0.9, patience=1, minutes=1)
    due = [
        due_stop(config, points(*accuracies), 3001, seconds)
        for accuracies, seconds in (((0.95, 0.9), 60), ((0.8, 0.8), 60), ((0.7, 0.8), 60), ((0.7, 0.8), 59))
    ]
    assert [stop.rule if stop else None for stop in due] == ["stop_at", "patience", "minutes", None]
    assert due[1] == Stop(
        "patience",
        "Ended early, at step 3,001: a test was no better than that of step 1,000, 80.00 %, "
        "and its patience was 1.",
    )


def test_a_rule_that_is_due_at_the_last_step_has_ended_nothing(digits: Dataset) -> None:
    outcome = train(replace(SMALL, iterations=21, stop_at=0.01), digits, Recorder(), go_on)
    assert (outcome.state, outcome.step, outcome.stop) == (RunState.FINISHED, 21, None)
