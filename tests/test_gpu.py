"""A GPU shared with others.

No machine of the tests has one. So the list of devices and the errors of a full card are made up here,
TensorFlow computes on the processor instead, and everything else is real.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tensorflow as tf

from rnnlab.data.datasets import Dataset
from rnnlab.presets import config_from
from rnnlab.runs import RunState
from rnnlab.store.store import Store
from rnnlab.system.cores import usable_cores
from rnnlab.training import backend, devices, engine, keras_backend
from rnnlab.training.keras_backend import KerasNetwork
from rnnlab.training.loop import train
from rnnlab.training.numpy_backend import NumpyNetwork
from rnnlab.worker import main as worker_main
from rnnlab.worker.job import execute
from rnnlab.worker.launcher import LocalLauncher
from tests.dashboard import ROOT
from tests.test_loop import Recorder, go_on
from tests.waiting import wait_for
from tests.workers import SHORT, give_weights, start, wait_until, workers_of

CONFIG = config_from({"dataset": "digits", "neurons": 8, "batch_size": 32, "iterations": 81})
FULL = "The memory of the GPU is full, so this run trains on the processor."


def out_of_memory(*_: object, **__: object) -> Any:
    raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor with shape[512,2048]")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let TensorFlow's processor count as a GPU."""
    monkeypatch.setattr(backend, "may_have_gpu", lambda: True)
    monkeypatch.setattr(engine, "may_have_gpu", lambda: True)
    monkeypatch.setattr(devices, "has_gpu", lambda: True)


class TwoGpus:
    """What TensorFlow offers about devices, as on a machine with two GPUs.

    Attributes:
        asked: What it was asked to do with them.
        error: The error with which starting them fails, if it does.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.error: Exception | None = None
        self.experimental = self.threading = self

    def list_physical_devices(self, _: str) -> list[str]:
        return ["first", "second"]

    def set_visible_devices(self, chosen: list[str], _: str) -> None:
        self.asked.append(("use", chosen))

    def set_intra_op_parallelism_threads(self, threads: int) -> None:
        assert threads == usable_cores()

    def set_memory_growth(self, device: str, enable: bool) -> None:
        self.asked.append(("grow", device, enable))

    def list_logical_devices(self, _: str | None = None) -> list[str]:
        hidden = ("use", []) in self.asked
        if self.error is not None and not hidden:
            raise self.error
        self.asked.append(("start",))
        return [] if hidden else ["GPU:0"]


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> Iterator[TwoGpus]:
    """Let TensorFlow have two GPUs and nothing started yet."""
    config = TwoGpus()
    monkeypatch.setattr(backend, "may_have_gpu", lambda: True)
    monkeypatch.setattr(engine, "may_have_gpu", lambda: True)
    monkeypatch.setattr(devices, "tf", SimpleNamespace(config=config, errors=tf.errors))
    devices.initialize_devices.cache_clear()
    yield config
    devices.initialize_devices.cache_clear()


def test_a_run_takes_one_gpu_and_only_the_memory_that_it_needs(two_gpus: TwoGpus) -> None:
    assert not devices.holds_gpu()
    assert two_gpus.asked == []
    assert devices.has_gpu()
    assert two_gpus.asked[:3] == [("use", ["first"]), ("grow", "first", True), ("start",)]
    assert devices.holds_gpu()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (tf.errors.InternalError(None, None, "failed call to cuDevicePrimaryCtxRetain: out of memory"), FULL),
        (
            RuntimeError("CUDA driver is too old\nand more"),
            "The GPU cannot be used (CUDA driver is too old), so this run trains on the processor.",
        ),
    ],
)
def test_a_gpu_that_cannot_be_started_is_left_alone_and_it_is_said(
    two_gpus: TwoGpus, digits: Dataset, error: Exception, said: str
) -> None:
    two_gpus.error = error
    remarks: list[str] = []
    for _ in range(2):
        with backend.create_network(CONFIG, digits, on_remark=remarks.append) as network:
            assert isinstance(network, NumpyNetwork)
    assert remarks == [said, said]
    assert two_gpus.asked[-2:] == [("use", []), ("start",)]
    assert not devices.holds_gpu()


@pytest.mark.usefixtures("gpu")
def test_on_a_full_card_a_new_run_trains_on_the_processor(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    remarks: list[str] = []
    with backend.create_network(CONFIG, digits, on_remark=remarks.append) as network:
        assert isinstance(network, KerasNetwork)
    monkeypatch.setattr(keras_backend, "row_loss", out_of_memory)
    with backend.create_network(CONFIG, digits, on_remark=remarks.append) as network:
        assert isinstance(network, NumpyNetwork)
    assert remarks == [FULL]


@pytest.mark.usefixtures("gpu")
def test_the_reason_stands_in_the_note_and_the_log_of_the_run(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras_backend, "row_loss", out_of_memory)
    run = store.create_run(SHORT)
    give_weights(store, run)
    claimed = store.reports.claim(run.id)
    assert claimed is not None
    assert execute(store, claimed) is RunState.FINISHED
    assert store.run(run.id).data_note == FULL
    assert FULL in store.files(run.id).log.read_text(encoding="utf-8")


class FillingUp:
    """Lets the card be full from some call of the compiled steps on, in the middle of the steps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, calls: int) -> None:
        self.calls = calls
        compiled = KerasNetwork._compiled

        def filling_up(network: KerasNetwork, function: Callable[..., Any]) -> Callable[..., Any]:
            step = compiled(network, function)

            def limited(*arguments: Any) -> Any:
                result = step(*arguments)
                self.calls -= 1
                return out_of_memory() if network._on_gpu and self.calls < 0 else result

            return limited

        monkeypatch.setattr(KerasNetwork, "_compiled", filling_up)


@pytest.mark.slow
@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("calls", [0, 2, 5])
def test_a_card_that_others_fill_during_a_run_means_the_processor_from_there_on(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    undisturbed, disturbed = Recorder(), Recorder()
    train(CONFIG, digits, undisturbed, go_on)
    FillingUp(monkeypatch, calls)
    outcome = train(CONFIG, digits, disturbed, go_on)
    assert (outcome.state, outcome.step) == (RunState.FINISHED, 81)
    assert disturbed.remarks == [FULL]
    assert len(disturbed.begun) == 2
    losses = [[(point.step, point.loss) for point in each.points] for each in (undisturbed, disturbed)]
    assert [step for step, _ in losses[1]] == [0, 20, 40, 60, 80]
    assert [loss for _, loss in losses[1]] == pytest.approx([loss for _, loss in losses[0]], rel=1e-3)


@pytest.mark.slow
def test_a_run_goes_on_whether_or_not_it_finds_the_gpu_that_it_began_with(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    with NumpyNetwork(CONFIG, digits, None) as fast, KerasNetwork(CONFIG, digits) as keras:
        states = {NumpyNetwork: fast.state(), KerasNetwork: keras.state()}
    for may_have_gpu in (False, True):
        monkeypatch.setattr(backend, "may_have_gpu", lambda may=may_have_gpu: may)
        monkeypatch.setattr(engine, "may_have_gpu", lambda may=may_have_gpu: may)
        monkeypatch.setattr(devices, "has_gpu", lambda: True)
        for kind, state in states.items():
            with backend.create_network(CONFIG, digits, state=state) as network:
                assert type(network) is kind


def test_a_worker_gives_back_the_gpu_after_a_run_by_beginning_anew(
    store: Store, launcher: LocalLauncher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "from rnnlab.training import backend\nbackend.holds_gpu = lambda: True\n", encoding="utf-8"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), str(ROOT)]))
    monkeypatch.setenv("RNNLAB_WORKER_IDLE_SECONDS", "120")
    run = start(store, launcher, SHORT)
    wait_until(store, run, RunState.FINISHED)

    def begun_anew() -> bool:
        # A process that is just beginning anew has no command line for a moment.
        return [process.cmdline()[-1:] for process in workers_of(store.home)] == [[worker_main.ANEW]]

    wait_for(begun_anew, "the worker to begin anew")
    (worker,) = workers_of(store.home)
    nice = worker.nice()
    run = start(store, launcher, SHORT)
    wait_until(store, run, RunState.FINISHED)
    wait_for(begun_anew, "the worker to begin anew")
    wait_for(lambda: workers_of(store.home) == [worker], "the same process")  # see above
    assert worker.nice() == nice
    launcher.reap()
    assert store.run(run.id).state is RunState.FINISHED
