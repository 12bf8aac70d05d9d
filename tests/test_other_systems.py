"""What Windows and macOS lack: taken away here, from real processes if possible."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from rnnlab.model.weights import Weights
from rnnlab.runs import RunState
from rnnlab.store.store import Store
from rnnlab.store.weight_history import MIN_SNAPSHOTS, WeightHistory
from rnnlab.system import array_files, atomic_files, memory, processes
from rnnlab.system.atomic_files import atomic_write
from rnnlab.system.regular_files import read_regular_file
from rnnlab.worker.launcher import LocalLauncher
from tests.waiting import wait_for
from tests.weights import random_weights
from tests.workers import LONG, SHORT, start, wait_for_points, wait_until, workers_of

LACKING = {
    "os": (
        *("nice", "fork", "forkpty", "getpriority", "setpriority", "getsid", "setsid", "waitid", "killpg"),
        *("memfd_create", "set_blocking", "getuid", "geteuid", "getloadavg", "sched_getaffinity"),
    ),
    "signal": ("SIGKILL", "SIGSTOP", "SIGCONT", "SIGHUP", "SIGUSR1", "SIGQUIT", "SIGCHLD", "sigwait"),
}
"""What modules have here, and lack on Windows with one Python or another."""

TAKE_AWAY = f"""
import os, signal
for module in (os, signal):
    for name in {LACKING!r}[module.__name__]:
        vars(module).pop(name, None)
kill = os.kill
def kill_with_a_signal(process, number):
    assert number != 0, "signal 0 interrupts on Windows"
    kill(process, number)
os.kill = kill_with_a_signal
"""


@pytest.fixture
def lacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what Windows lacks, from this process and from all that begin during the test."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(TAKE_AWAY)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    for module in (os, signal):
        for name in LACKING[module.__name__]:
            monkeypatch.delattr(module, name, raising=False)
    # On Windows it does not send signals.
    monkeypatch.setattr(psutil, "pid_exists", lambda number: number in psutil.pids())


@pytest.mark.usefixtures("lacking")
def test_a_worker_trains_is_stopped_and_is_known_as_dead(store: Store, launcher: LocalLauncher) -> None:
    run = start(store, launcher, SHORT)
    wait_until(store, run, RunState.FINISHED)
    stopped = start(store, launcher, LONG)
    wait_for_points(store, stopped, 1)
    store.requests.stop(stopped.id)
    wait_until(store, stopped, RunState.STOPPED)
    killed = start(store, launcher, LONG)
    wait_for_points(store, killed, 1)
    for worker in workers_of(store.home):
        worker.terminate() if sys.platform == "win32" else worker.send_signal(9)

    def known() -> bool:
        launcher.reap()
        return store.run(killed.id).state is RunState.INTERRUPTED

    wait_for(known, "the dead worker to be known as dead")


@pytest.mark.slow
@pytest.mark.usefixtures("lacking")
def test_the_command_line_trains_and_lists_its_run(own_home: Path) -> None:
    train = ["train", "--dataset", "digits", "--neurons", "8", "--batch-size", "8", "--iterations", "20"]
    for arguments in (train, ["runs"]):
        command = [sys.executable, "-m", "rnnlab", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert "finished" in done.stdout


def in_use(times: int, act: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that is refused a number of times, as for a file that somebody reads on Windows."""
    left = [times]

    def refused_at_first(*arguments: object) -> Any:
        if left[0]:
            left[0] -= 1
            raise PermissionError(13, "The process cannot access the file because it is being used")
        return act(*arguments)

    return refused_at_first


def test_a_file_that_somebody_reads_is_replaced_as_soon_as_that_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "replace", in_use(3, os.replace))
    weights = random_weights(8)
    weights.save(tmp_path / "weights.npz", 20)
    assert Weights.load(tmp_path / "weights.npz")[1] == 20
    assert [path.name for path in tmp_path.iterdir()] == ["weights.npz"]


def test_a_file_that_cannot_be_replaced_at_all_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic_files, "_REPLACE_PATIENCE", 0.05)
    monkeypatch.setattr(os, "replace", in_use(10**6, os.replace))
    path = tmp_path / "file"
    path.write_bytes(b"before")
    with pytest.raises(PermissionError), atomic_write(path) as file:
        file.write(b"after")
    assert path.read_bytes() == b"before"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_file_that_is_just_being_replaced_is_read_a_moment_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic_files, "_READ_PATIENCE", 60.0)
    path = tmp_path / "weights.npz"
    random_weights(8).save(path, 20)
    monkeypatch.setattr(array_files, "read_regular_file", in_use(3, read_regular_file))
    assert Weights.load(path)[1] == 20


def test_many_write_and_read_the_same_file_as_on_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, weights, readers, replace = tmp_path / "weights.npz", random_weights(8), [0], os.replace
    weights.save(path, 0)

    def replace_unless_read(*arguments: Any) -> None:
        if readers[0]:
            raise PermissionError
        replace(*arguments)

    monkeypatch.setattr(os, "replace", replace_unless_read)
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            readers[0] += 1
            Weights.load(path)
            readers[0] -= 1
            over.wait(0.001)

    reader = threading.Thread(target=read)
    reader.start()
    for step in range(1, 30):
        weights.save(path, step)
    over.set()
    reader.join()
    assert Weights.load(path)[1] == 29


def test_a_snapshot_that_somebody_reads_does_not_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "unlink", refused)
    history = WeightHistory(tmp_path, budget=1)
    for step in range(0, 20 * 3 * MIN_SNAPSHOTS, 20):
        history._folder.mkdir(exist_ok=True)
        monkeypatch.setattr(Weights, "save", lambda _, path, __: path.write_bytes(b"weights"))
        history.maybe_snapshot(random_weights(8), step)
    assert len(history.paths()) > MIN_SNAPSHOTS


def test_a_process_gives_way_where_there_is_no_nice(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    monkeypatch.delattr(os, "nice")
    monkeypatch.setattr(psutil, "BELOW_NORMAL_PRIORITY_CLASS", 16384, raising=False)
    monkeypatch.setattr(psutil, "Process", lambda: SimpleNamespace(nice=given.append))
    processes.give_way()
    assert given == [16384]


def test_on_windows_a_worker_is_the_process_that_was_started_and_has_no_part_in_the_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[tuple[list[str], dict[str, Any]]] = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, **options: started.append((command, options)))
    monkeypatch.setattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 512, raising=False)
    monkeypatch.setattr(subprocess, "CREATE_NO_WINDOW", 0x08000000, raising=False)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(sys, "executable", r"C:\lab\.venv\Scripts\python.exe")
    monkeypatch.setattr(sys, "_base_executable", r"C:\Python313\python.exe", raising=False)
    processes.start_module("rnnlab.worker.main", "home")
    ((command, options),) = started
    assert command[0] == r"C:\Python313\python.exe"
    assert options["env"]["__PYVENV_LAUNCHER__"] == r"C:\lab\.venv\Scripts\python.exe"
    assert options["creationflags"] == 512 + 0x08000000


def test_free_memory_is_known_where_there_is_no_list_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_GROUPS", ())
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=300e6))
    assert memory.available_megabytes() == 300
