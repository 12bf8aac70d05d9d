"""Homes written by an earlier version can be opened and read, and their runs can be continued.

`homes/0.1.0` was written by RNN Lab 0.1.0, with networks of 8 neurons: a run of each kind, labelled drawings,
a checkpoint with and one without an average of the weights.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rnnlab.config_changes import Change
from rnnlab.data.datasets import bundled_digits
from rnnlab.model.reader import Reader
from rnnlab.model.weights import Weights
from rnnlab.runs import RunState
from rnnlab.store.store import Store
from rnnlab.worker.job import execute
from tests.pages import lab, shown, texts

OLD_HOME = Path(__file__).parent / "homes" / "0.1.0"

FINISHED, TAUGHT, PAUSED = "warm-falcon-2bde", "mellow-lark-5d24", "smart-raven-53f6"
STOPPED, INTERRUPTED, QUEUED = "quick-panda-8a72", "plucky-hawk-4b93", "calm-jay-67f8"


@pytest.fixture
def store(own_home: Path) -> Iterator[Store]:
    shutil.copytree(OLD_HOME, own_home)
    with Store(own_home) as opened:
        yield opened


def test_every_run_of_the_version_before_is_there_as_it_was(store: Store) -> None:
    assert {run.id: (run.state, run.step) for run in store.runs()} == {
        FINISHED: (RunState.FINISHED, 60),
        TAUGHT: (RunState.FINISHED, 40),
        PAUSED: (RunState.PAUSED, 21),
        STOPPED: (RunState.STOPPED, 41),
        INTERRUPTED: (RunState.INTERRUPTED, 41),
        QUEUED: (RunState.QUEUED, 0),
    }
    finished = store.run(FINISHED)
    assert finished.changes == (Change(21, "learning_rate", 0.002),)
    assert finished.owner == "somebody"
    assert store.run(TAUGHT).parent == FINISHED
    assert [point.step for point in store.points(FINISHED)] == [0, 20, 40]
    assert store.tests(FINISHED)[-1].accuracy == finished.test_accuracy


def test_its_weights_read_as_they_did(store: Store) -> None:
    finished = store.run(FINISHED)
    weights, step = Weights.load(store.files(FINISHED).weights)
    digits = bundled_digits()
    read = Reader(weights).read(digits.test_images).beliefs[:, -1].argmax(axis=1)
    assert step == 60
    assert np.mean(read == digits.test_labels) == pytest.approx(finished.test_accuracy, abs=0.006)
    assert sorted(store.files(FINISHED).history().paths()) == [0, 20, 40]


def test_its_labelled_drawings_are_there(store: Store) -> None:
    drawings = store.labelled_drawings().drawings()
    assert sorted(drawing.label for drawing in drawings) == [1, 7]


@pytest.mark.parametrize("name", [PAUSED, INTERRUPTED])
def test_its_runs_go_on_from_their_checkpoints(store: Store, name: str) -> None:
    before = store.points(name)
    store.requests.resume(name)
    run = store.reports.claim(name)
    assert run is not None
    assert execute(store, run) is RunState.FINISHED
    points = store.points(name)
    assert points[: len(before)] == before
    assert [point.step for point in points] == list(range(0, 100, 20))


@pytest.mark.parametrize("name", [FINISHED, TAUGHT, STOPPED])
def test_its_ended_runs_are_trained_further(store: Store, name: str) -> None:
    ended = store.run(name)
    store.requests.train_further(name, 40)
    run = store.reports.claim(name)
    assert run is not None
    assert execute(store, run) is RunState.FINISHED
    assert store.run(name).step == ended.step + 40


@pytest.mark.usefixtures("no_workers", "store")
def test_the_page_shows_its_runs() -> None:
    assert FINISHED in texts(shown(lab(run=FINISHED))).replace("\\", "")
