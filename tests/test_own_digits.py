"""A run on somebody's own digits in MNIST's form, from Start to its evaluation."""

from __future__ import annotations

from pathlib import Path

import pytest

from rnnlab.__main__ import main
from rnnlab.dashboard.caches import EvaluationCache
from rnnlab.data.errors import DatasetError
from rnnlab.presets import config_from
from rnnlab.runs import Run, RunState
from rnnlab.store.store import Store
from rnnlab.worker.launcher import LocalLauncher
from tests.mnist import few_digits, write_idx_files
from tests.pages import lab, shown, texts
from tests.test_evaluation_page import evaluation_page
from tests.waiting import wait_for
from tests.workers import start, wait_until, workers_of

CONFIG = config_from({"neurons": 8, "batch_size": 8, "iterations": 40})


@pytest.fixture
def trained(store: Store, launcher: LocalLauncher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Train a run on digits of one's own, in a worker."""
    monkeypatch.setenv("RNNLAB_MNIST_DIR", str(write_idx_files(tmp_path / "own", few_digits(), dotted=True)))
    run = wait_until(store, start(store, launcher, CONFIG), RunState.FINISHED)
    wait_for(lambda: not workers_of(store.home), "the worker to leave")
    return run


def test_run_page_command_line_and_evaluation_call_them_your_own_digits(
    trained: Run, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trained.data == "your own digits, 60"
    assert trained.data_name.startswith("own-")
    assert "your own digits, 60" in store.files(trained.id).log.read_text(encoding="utf-8")
    assert "Data: your own digits, 60" in texts(lab(run=trained.id))
    assert "20 test images of your own digits." in texts(shown(evaluation_page(run=trained.id)))
    assert main(["evaluate", trained.id]) == 0
    assert "data: your own digits, 60\n" in capsys.readouterr().out


def test_other_digits_in_their_place_neither_evaluate_the_run_nor_train_it_further(
    trained: Run,
    store: Store,
    launcher: LocalLauncher,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_idx_files(store.home / "others", few_digits(seed=1))
    monkeypatch.setenv("RNNLAB_MNIST_DIR", str(store.home / "others"))
    assert main(["evaluate", trained.id]) == 1
    assert "was trained on your own digits, 60, which is not available now" in capsys.readouterr().err
    with pytest.raises(DatasetError, match="holds other digits than this run has learned from"):
        EvaluationCache(store).newest(trained)
    store.requests.train_further(trained.id, 20)
    launcher.wake()
    ended = wait_until(store, trained, RunState.FAILED)
    assert "The run was trained on your own digits, 60, which is not available now" in ended.message
    assert ended.step == 40
