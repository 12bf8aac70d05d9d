"""Which engine trains a run: Keras or numpy, as asked for, as the machine has it, as its state is of."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnnlab.config_changes import Change
from rnnlab.data.datasets import Dataset
from rnnlab.presets import config_from
from rnnlab.runs import RunState
from rnnlab.store.store import Store
from rnnlab.training import backend, devices, engine
from rnnlab.training.keras_backend import KerasNetwork
from rnnlab.training.loop import Decision, Outcome, TrainingState, train
from rnnlab.training.numpy_backend import NumpyNetwork
from rnnlab.worker.job import execute
from tests.dashboard import ROOT
from tests.pages import lab
from tests.test_loop import Recorder, go_on

CONFIG = config_from({"dataset": "digits", "neurons": 8, "batch_size": 32, "iterations": 81})
MISSING = "The engine keras needs TensorFlow, which is not installed; install it (pip install tensorflow)"


@pytest.fixture
def no_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let TensorFlow not be installed."""
    find = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> Any:
        return None if name == "tensorflow" else find(name, package)

    monkeypatch.setattr(engine, "find_spec", without)


@pytest.mark.parametrize(
    ("asked", "gpu", "kind"),
    [
        ("auto", False, NumpyNetwork),
        ("auto", True, KerasNetwork),
        ("numpy", True, NumpyNetwork),
        ("keras", False, KerasNetwork),
        ("keras", True, KerasNetwork),
    ],
)
def test_a_new_run_gets_the_engine_asked_for(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch, asked: str, gpu: bool, kind: type
) -> None:
    for module in (engine, backend):
        monkeypatch.setattr(module, "may_have_gpu", lambda: gpu)
    monkeypatch.setattr(devices, "has_gpu", lambda: gpu)
    with backend.create_network(replace(CONFIG, engine=asked), digits) as network:
        assert type(network) is kind
        assert network.engine == ("keras" if kind is KerasNetwork else "numpy")


def test_a_machine_that_only_seems_to_have_a_gpu_trains_with_numpy(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (engine, backend):
        monkeypatch.setattr(module, "may_have_gpu", lambda: True)
    monkeypatch.setattr(devices, "has_gpu", lambda: False)
    with backend.create_network(CONFIG, digits) as network:
        assert type(network) is NumpyNetwork


@pytest.mark.parametrize(
    ("system", "found", "expected"),
    [
        ("linux", ["/dev/nvidiactl"], True),
        ("linux", [], False),
        ("darwin", ["tensorflow-plugins"], True),
        ("darwin", [], False),
        ("win32", ["/dev/nvidiactl", "tensorflow-plugins"], False),
    ],
)
def test_tensorflow_is_asked_for_a_gpu_only_where_it_could_use_one(
    monkeypatch: pytest.MonkeyPatch, system: str, found: list[str], expected: bool
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(Path, "exists", lambda path: str(path) in found)
    known = ["tensorflow", "keras", *found]
    monkeypatch.setattr(engine, "find_spec", lambda name: name if name in known else None)
    assert engine.may_have_gpu() is expected


@pytest.mark.slow
def test_both_engines_take_the_same_course_from_the_same_seed(digits: Dataset) -> None:
    courses = {}
    for asked in ("keras", "numpy"):
        recorder = Recorder()
        train(replace(CONFIG, engine=asked), digits, recorder, go_on)
        assert recorder.engines == [asked]
        courses[asked] = [point.loss for point in recorder.points]
    assert courses["numpy"] == pytest.approx(courses["keras"], rel=1e-3)


def ended_at(step: int) -> Callable[[TrainingState], Decision]:
    """Return a callback that pauses at a step."""
    return lambda state: Decision(RunState.PAUSED) if state.step > step else Decision()


@pytest.mark.slow
@pytest.mark.parametrize(
    "values",
    [
        {"engine": "keras", "cell": "gru", "layers": 2, "reading_order": "left"},
        {"engine": "numpy", "cell": "gru", "layers": 2, "reading_order": "right"},
        {"engine": "numpy", "cell": "simple_rnn", "layers": 3, "reading_order": "shuffled"},
    ],
)
def test_every_network_pauses_changes_and_resumes_exactly(digits: Dataset, values: dict[str, Any]) -> None:
    config = replace(CONFIG, schedule="constant", averaging=20, **values)
    changes = [Change(21, "learning_rate", 0.003), Change(41, "batch_size", 16)]

    def trained(recorder: Recorder, before: Outcome | None = None, pause: int = 1000) -> Outcome:
        checkpoint = before.checkpoint if before else None
        return train(config, digits, recorder, ended_at(pause), changes=changes, checkpoint=checkpoint)

    whole, parts = Recorder(), Recorder()
    expected = trained(whole)
    paused = trained(parts, pause=40)
    assert (paused.state, paused.step) == (RunState.PAUSED, 41)
    outcome = trained(parts, paused)
    assert outcome.step == expected.step == 81
    assert [(p.step, p.loss) for p in parts.points] == [(p.step, p.loss) for p in whole.points]
    assert outcome.weights is not None
    assert expected.weights is not None
    for name, array in expected.weights.arrays.items():
        np.testing.assert_array_equal(outcome.weights.arrays[name], array)


def test_the_list_of_runs_remembers_which_engine_trained(store: Store) -> None:
    run = store.create_run(replace(CONFIG, iterations=20), claimed=True)
    assert run.engine == ""
    assert execute(store, run) is RunState.FINISHED
    assert store.run(run.id).engine == "numpy"
    assert "trains with numpy on" in store.files(run.id).log.read_text(encoding="utf-8")


@pytest.mark.usefixtures("no_tensorflow")
def test_without_tensorflow_a_run_trains_with_numpy_and_one_that_needs_keras_says_so(store: Store) -> None:
    run = store.create_run(replace(CONFIG, iterations=20), claimed=True)
    assert execute(store, run) is RunState.FINISHED
    run = store.create_run(replace(CONFIG, engine="keras"), claimed=True)
    assert execute(store, run) is RunState.FAILED
    assert store.run(run.id).message == f"{MISSING}, or choose the engine numpy."


@pytest.mark.usefixtures("no_tensorflow")
def test_without_tensorflow_a_run_of_keras_cannot_go_on_and_its_weights_can(store: Store) -> None:
    state = {"keras_0": np.zeros(1, np.float32)}
    assert engine.problem_of(CONFIG, state) == f"{MISSING}, or start a new run from its weights."
    assert engine.problem_of(CONFIG, {"parameters": np.zeros(1, np.float32)}) == ""


@pytest.mark.usefixtures("no_tensorflow", "no_workers")
def test_without_tensorflow_the_page_refuses_keras_before_it_starts(store: Store) -> None:
    app = lab(engine="keras")
    app.button(key="start").click().run()
    assert [warning.value.replace("\\", "") for warning in app.warning] == [
        f"{MISSING}, or choose the engine numpy."
    ]
    assert store.runs() == []


@pytest.mark.slow
def test_an_environment_without_tensorflow_trains_reads_and_shows(tmp_path: Path, own_home: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "from importlib.machinery import PathFinder\n"
        "find = PathFinder.find_spec\n"
        "missing = ('tensorflow', 'keras')\n"
        "PathFinder.find_spec = lambda name, *rest: None if name in missing else find(name, *rest)\n",
        encoding="utf-8",
    )

    def rnnlab(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "rnnlab", *arguments],
            cwd=ROOT,
            env=dict(os.environ) | {"PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )

    options = ["--dataset", "digits", "--neurons", "8", "--iterations", "40"]
    trained = rnnlab("train", *options)
    assert trained.returncode == 0, trained.stderr
    assert rnnlab("evaluate", "latest").returncode == 0
    for command in (
        ["train", *options, "--engine", "keras"],
        ["export", "latest", str(tmp_path / "a.keras")],
    ):
        refused = rnnlab(*command)
        assert refused.returncode == 1
        assert "needs TensorFlow, which is not installed" in refused.stderr
        assert len(refused.stderr.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "rmsprop"])
def test_every_optimizer_takes_the_same_course_with_both_engines_and_resumes_exactly(
    digits: Dataset, optimizer: str
) -> None:
    rate = {"sgd": 0.1, "momentum": 0.03, "rmsprop": 0.003}[optimizer]
    config = replace(CONFIG, optimizer=optimizer, learning_rate=rate, clip_norm=1.0)
    courses = {}
    for asked in ("keras", "numpy"):
        recorder = Recorder()
        paused = train(replace(config, engine=asked), digits, recorder, ended_at(40))
        assert paused.step == 41
        train(replace(config, engine=asked), digits, recorder, go_on, checkpoint=paused.checkpoint)
        courses[asked] = [point.loss for point in recorder.points]
    assert len(courses["numpy"]) == 5
    assert courses["numpy"] == pytest.approx(courses["keras"], rel=1e-3)
