"""Stop, Ctrl-C and SIGTERM are heard before a run has learned anything, such as while MNIST is downloaded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rnnlab.config import Config
from rnnlab.data import mnist_download
from rnnlab.presets import config_from
from rnnlab.runs import Run, RunState
from rnnlab.store.store import Store
from rnnlab.worker.job import execute
from tests.pages import lab, texts
from tests.servers import closed_port, say_nothing, tcp_server
from tests.waiting import wait_for
from tests.weights import random_weights
from tests.workers import LONG, give_weights

TRAIN = """
import sys
from rnnlab.data import mnist_download
from rnnlab.__main__ import main
mnist_download.PATIENCE = 100_000.0
mnist_download.ARCHIVE_FOLDER = sys.argv[1]
sys.exit(main(["train", "--from", "latest", "--neurons", "8", "--json"]))
"""


@pytest.fixture(autouse=True)
def stalling(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Let MNIST be downloaded from a server that says nothing, with all the patience in the world."""
    for name in ("http_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY", "RNNLAB_MNIST_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(mnist_download, "PATIENCE", 100_000.0)
    with tcp_server(say_nothing) as port:
        address = f"http://127.0.0.1:{port}/"
        monkeypatch.setattr(mnist_download, "ARCHIVE_FOLDER", address)
        yield address


def claimed(store: Store, config: Config) -> Run:
    """Return a run that this process has taken, with weights to start from: TensorFlow is not needed."""
    run = store.create_run(config)
    give_weights(store, run)
    taken = store.reports.claim(run.id)
    assert taken is not None
    return taken


def when_downloading(store: Store, run: Run, act: Callable[[], object]) -> threading.Thread:
    """Do something as soon as a run downloads MNIST, in a thread."""

    def wait_and_act() -> None:
        wait_for(lambda: store.run(run.id).message.startswith("Downloading MNIST"), "the download")
        act()

    thread = threading.Thread(target=wait_and_act)
    thread.start()
    return thread


def test_stop_ends_a_run_that_downloads(store: Store) -> None:
    run = claimed(store, config_from({"neurons": 8}))
    thread = when_downloading(store, run, lambda: store.requests.stop(run.id))
    assert execute(store, run) is RunState.STOPPED
    thread.join()
    ended = store.run(run.id)
    assert (ended.state, ended.step, ended.data) == (RunState.STOPPED, 0, "")
    assert ended.message == "Stopped before it began."
    assert not ended.stop_requested
    assert "stopped while it was prepared" in store.files(run.id).log.read_text(encoding="utf-8")
    assert "Stopped before it began." in texts(lab(run=run.id)).replace("\\", "")


def test_a_worker_that_is_to_end_leaves_the_download(store: Store) -> None:
    run, stop = claimed(store, config_from({"neurons": 8})), threading.Event()
    thread = when_downloading(store, run, stop.set)
    assert execute(store, run, stop=stop) is RunState.STOPPED
    thread.join()
    assert store.run(run.id).step == 0


def test_a_run_that_was_stopped_before_its_data_was_loaded_learns_nothing(store: Store) -> None:
    run = claimed(store, LONG)
    store.requests.stop(run.id)
    assert execute(store, run) is RunState.STOPPED
    assert store.run(run.id).step == 0
    assert not store.points(run.id)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_a_foreground_run_that_downloads(
    store: Store, stalling: str, number: signal.Signals
) -> None:
    parent = store.create_run(config_from({"neurons": 8}))
    random_weights(8).save(store.files(parent.id).make_folder() / "weights.npz", 20)
    process = subprocess.Popen([sys.executable, "-c", TRAIN, stalling], stdout=subprocess.PIPE, text=True)
    with process:
        run = wait_for(lambda: next((r for r in store.runs() if r.parent), None), "the run")
        wait_for(lambda: store.run(run.id).message.startswith("Downloading MNIST"), "the download")
        process.send_signal(number)
        assert process.wait(60) == 0
    assert (store.run(run.id).state, store.run(run.id).step) == (RunState.STOPPED, 0)
    assert not list(Path(os.environ["KERAS_HOME"]).glob("datasets/*"))


def test_why_there_is_no_mnist_stands_in_the_note_and_in_the_log(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist_download, "ARCHIVE_FOLDER", f"http://127.0.0.1:{closed_port()}/")
    run = claimed(store, config_from({"neurons": 8, "batch_size": 8, "iterations": 20}))
    assert execute(store, run) is RunState.FINISHED
    note = store.run(run.id).data_note
    assert note.startswith(
        "MNIST could not be downloaded: there is no connection to 127.0.0.1 (Connection ref"
    )
    log = store.files(run.id).log.read_text(encoding="utf-8")
    assert note in log
    assert "The download of MNIST has failed: ConnectionError(" in log
    assert "Connection refused" in texts(lab(run=run.id)).replace("\\", "")
