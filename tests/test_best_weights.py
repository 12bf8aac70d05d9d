"""The weights of the best test of a run are kept beside its newest ones, whatever happens to the run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from rnnlab.__main__ import main
from rnnlab.config import Config
from rnnlab.data.datasets import bundled_digits
from rnnlab.data.preprocessing import encode_png
from rnnlab.model.reader import Reader
from rnnlab.model.weights import Weights
from rnnlab.runs import AccuracyPoint, Run, RunState, TestPoint
from rnnlab.store.best_weights import BestWeights
from rnnlab.store.store import Store
from rnnlab.training import loop
from rnnlab.worker.job import execute
from rnnlab.worker.reporting import StoreReporter
from tests.pages import add_run
from tests.weights import random_weights

CONFIG = Config(neurons=16, batch_size=32, iterations=200, dataset="digits")
RISING_AND_FALLING = replace(CONFIG, learning_rate=0.3, schedule="constant", optimizer="sgd", patience=2)


def files_of(store: Store, run: Run) -> list[str]:
    return sorted(path.name for path in store.files(run.id).folder.glob("best*"))


def reporter(store: Store, config: Config = CONFIG, step: int = 0) -> tuple[Run, StoreReporter]:
    run = store.create_run(config, claimed=True)
    store.files(run.id).make_folder()
    made = StoreReporter(store, run)
    made.on_begin(step, 1, "numpy")
    return run, made


def test_the_best_weights_are_those_of_the_best_test(store: Store) -> None:
    run, reports = reporter(store)
    for step, accuracy in ((1000, 0.8), (2000, 0.9), (3000, 0.85)):
        reports.on_test(TestPoint(step, accuracy), random_weights(16, seed=step))
    found = store.files(run.id).best.newest()
    assert found is not None
    weights, step = Weights.load(found[0])
    assert (step, found[1]) == (2000, 2000)
    assert (weights.arrays["lstm_kernel"] == random_weights(16, seed=2000).arrays["lstm_kernel"]).all()


def test_of_equally_good_weights_the_last_ones_are_kept(store: Store) -> None:
    run, reports = reporter(store)
    for step in (1000, 2000):
        reports.on_test(TestPoint(step, 0.9), random_weights(16))
    store.files(run.id).best.delete_older()
    assert files_of(store, run) == ["best_000002000.npz"]


def test_a_best_one_of_steps_that_are_forgotten_gives_way_to_the_one_before(store: Store) -> None:
    run, reports = reporter(store)
    reports.on_test(TestPoint(1000, 0.8), random_weights(16))
    store.files(run.id).best.delete_older()  # a checkpoint was saved
    reports.on_test(TestPoint(2000, 0.9), random_weights(16))
    reports.on_begin(1500, 1, "numpy")  # the worker was killed
    assert files_of(store, run) == ["best_000001000.npz"]
    reports.on_test(TestPoint(2000, 0.79), random_weights(16))
    assert files_of(store, run) == ["best_000001000.npz"]
    reports.on_test(TestPoint(3000, 0.81), random_weights(16))
    assert files_of(store, run) == ["best_000001000.npz", "best_000003000.npz"]


def test_another_worker_knows_how_good_the_best_ones_are(store: Store) -> None:
    run, reports = reporter(store)
    reports.on_test(TestPoint(1000, 0.9), random_weights(16))
    again = StoreReporter(store, run)
    again.on_begin(1001, 1, "numpy")
    again.on_test(TestPoint(2000, 0.89), random_weights(16))
    assert files_of(store, run) == ["best_000001000.npz"]


def test_what_is_no_file_of_best_weights_is_passed_over(tmp_path: Path) -> None:
    best = BestWeights(tmp_path / "run")
    assert best.newest() is None
    best.save(random_weights(8), 20)
    (tmp_path / "run" / "best_000000040.npz").mkdir()
    (tmp_path / "run" / "best_1.npz").touch()
    best.save(random_weights(8), 40)
    found = best.newest()
    assert found is not None
    assert found[1] == 20
    best.discard_after(0)
    assert best.newest() is None


@pytest.fixture
def falling(store: Store, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a run that got worse after its best test, trained in this process."""
    monkeypatch.setattr(loop, "IMAGES_BETWEEN_TESTS", 640)
    run = store.create_run(RISING_AND_FALLING, claimed=True)
    execute(store, run)
    return store.run(run.id)


def test_a_run_that_gets_worse_keeps_one_file_with_the_weights_that_read_best(
    store: Store, falling: Run
) -> None:
    assert falling.state is RunState.FINISHED
    assert falling.ended_by == "patience"
    tests = store.tests(falling.id)
    best = max(tests, key=lambda test: (test.accuracy, test.step))
    assert best.step < falling.step
    assert files_of(store, falling) == [f"best_{best.step:09d}.npz"]
    found = store.files(falling.id).best.newest()
    assert found is not None
    digits = bundled_digits()
    read = Reader(Weights.load(found[0])[0]).read(digits.test_images).beliefs[:, -1].argmax(axis=1)
    assert (read == digits.test_labels).mean() == pytest.approx(best.accuracy)


def test_a_run_of_an_earlier_version_keeps_none_until_a_test_is_better_than_all_before(store: Store) -> None:
    run, reports = reporter(store)
    store.reports.add_point(run.id, AccuracyPoint(1000, 0.5, 1.0, 1.0))
    store.reports.add_test(run.id, TestPoint(1000, 0.9))
    reports.on_begin(1001, 1, "numpy")
    reports.on_test(TestPoint(2000, 0.8), random_weights(16))
    assert store.files(run.id).best.newest() is None
    reports.on_test(TestPoint(3000, 0.95), random_weights(16))
    assert files_of(store, run) == ["best_000003000.npz"]


def test_the_command_line_reads_with_the_best_weights_if_told_so(
    store: Store, falling: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    best = max(store.tests(falling.id), key=lambda test: (test.accuracy, test.step))
    found = {}
    for which in ("last", "best"):
        assert main(["evaluate", falling.id, "--weights", which, "--json"]) == 0
        found[which] = json.loads(capsys.readouterr().out)
    assert found["last"]["step"] == falling.step
    assert found["last"]["test_accuracy"] == pytest.approx(falling.test_accuracy)
    assert found["best"]["step"] == best.step
    assert found["best"]["test_accuracy"] == pytest.approx(best.accuracy)
    assert main(["evaluate", falling.id]) == 0
    assert f"at step {falling.step:,}" in capsys.readouterr().out


def test_pictures_are_read_with_the_best_weights_if_told_so(
    store: Store, falling: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "seven.png"
    picture.write_bytes(encode_png(bundled_digits().test_images[0]))
    beliefs = {}
    for which in ("last", "best"):
        assert main(["read", falling.id, str(picture), "--weights", which, "--json"]) == 0
        beliefs[which] = json.loads(capsys.readouterr().out)["beliefs"]
    assert beliefs["last"] != beliefs["best"]


@pytest.mark.parametrize("command", [["evaluate"], ["read", "seven.png"], ["export", "network.keras"]])
def test_a_run_without_best_weights_says_so(
    store: Store, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    run = add_run(store)
    name, *rest = command
    assert main([name, run.id, *rest, "--weights", "best"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert f"{run.id} has kept no best weights" in err
    assert err.count("\n") == 1


def test_a_step_and_the_best_weights_exclude_each_other(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    run = add_run(store)
    with pytest.raises(SystemExit) as caught:
        main(["read", run.id, "seven.png", "--weights", "best", "--step", "20"])
    assert caught.value.code == 2
    assert "--step" in capsys.readouterr().err


@pytest.mark.slow
def test_the_best_weights_are_exported_if_told_so(
    store: Store, falling: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    best = max(store.tests(falling.id), key=lambda test: (test.accuracy, test.step))
    path = str(tmp_path / "best.keras")
    assert main(["export", falling.id, path, "--weights", "best", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"run": falling.id, "step": best.step, "path": path}
