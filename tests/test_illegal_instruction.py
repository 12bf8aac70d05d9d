"""A processor without the instructions that TensorFlow was built for, such as AVX."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from rnnlab.dashboard.app_state import AppState
from rnnlab.dashboard.caches import CurveCache, EvaluationCache
from rnnlab.dashboard.permissions import Permissions
from rnnlab.dashboard.text import plain
from rnnlab.runs import Run, RunState
from rnnlab.store.store import Store
from rnnlab.system.processes import is_illegal_instruction, start_module
from rnnlab.worker import launcher as launching
from rnnlab.worker.launcher import LocalLauncher
from tests.pages import lab
from tests.systems import needs_signals
from tests.waiting import wait_for
from tests.workers import SHORT, start, wait_until


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[subprocess.Popen[bytes]]:
    """Have a TensorFlow that this processor cannot run; return a list of the workers that are started."""
    package = tmp_path / "site" / "tensorflow"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGILL)")
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    processes = []

    def counted(*arguments: str, **options: object) -> subprocess.Popen[bytes]:
        process = start_module(*arguments, **options)  # type: ignore[arg-type]
        processes.append(process)
        return process

    monkeypatch.setattr(launching, "start_module", counted)
    return processes


def failed(store: Store, launcher: LocalLauncher, run: Run) -> Run:
    def ended() -> Run | None:
        launcher.reap()
        now = store.run(run.id)
        return now if now.state is RunState.FAILED else None

    return wait_for(ended, "the run to fail")


@needs_signals
def test_a_worker_that_dies_of_it_is_named_so_and_is_not_started_again_and_again(
    store: Store, launcher: LocalLauncher, started: list[subprocess.Popen[bytes]]
) -> None:
    runs = [store.create_run(SHORT) for _ in range(3)]
    launcher.wake()
    for run in runs:
        message = failed(store, launcher, run).message
        assert "processor lacks instructions" in message
        assert "TensorFlow" in message
        assert len(message.splitlines()) == 1
    for _ in range(3):
        launcher.reap()
        launcher.warm()
    assert len(started) == 1


@needs_signals
def test_a_worker_that_dies_of_it_before_the_first_run_is_told_on_the_page(
    store: Store,
    launcher: LocalLauncher,
    started: list[subprocess.Popen[bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RNNLAB_WARM_WORKER", "1")
    monkeypatch.setenv("RNNLAB_WORKER_IDLE_SECONDS", "120")
    monkeypatch.setattr(launching, "available_megabytes", lambda: 1e6)
    page = AppState(store, launcher, CurveCache(store), EvaluationCache(store), Permissions())
    page.warm()
    assert page.trouble == ""
    (worker,) = started
    worker.wait()
    page.reap()
    assert "processor lacks instructions" in page.trouble
    page.warm()
    assert len(started) == 1


@pytest.mark.usefixtures("no_workers")
def test_it_is_said_once_on_the_page(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    said = launching._LACKS_INSTRUCTIONS
    run = store.create_run(SHORT, claimed=True)
    store.reports.end_run(run.id, RunState.FAILED, message=said)
    assert [error.value for error in lab(run=run.id).error] == [plain(said)]
    monkeypatch.setattr(AppState, "trouble", said)
    assert [error.value for error in lab(run=run.id).error] == [plain(said)]


@needs_signals
def test_what_needs_no_tensorflow_is_trained_all_the_same(
    store: Store, launcher: LocalLauncher, started: list[subprocess.Popen[bytes]]
) -> None:
    dead = store.create_run(SHORT)
    launcher.wake()
    failed(store, launcher, dead)
    run = start(store, launcher, SHORT)
    wait_until(store, run, RunState.FINISHED)
    for worker in started:
        worker.wait()
    launcher.reap()
    assert launcher.trouble == ""


def test_on_windows_it_has_a_number_of_its_own(
    store: Store, launcher: LocalLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ended:
        pid, returncode = os.getpid(), 0xC000001D

        def poll(self) -> int:
            return self.returncode

    monkeypatch.setattr(launching, "start_module", lambda *_, **__: Ended())
    run = store.create_run(SHORT)
    launcher.wake()
    assert "processor lacks instructions" in failed(store, launcher, run).message


@pytest.mark.parametrize(("status", "expected"), [(-1073741795, True), (0, False), (1, False), (-9, False)])
def test_other_ends_are_no_illegal_instruction(status: int, expected: bool) -> None:
    assert is_illegal_instruction(status) is expected


@needs_signals
def test_a_worker_that_is_ended_by_any_fault_before_it_begins_is_not_started_again_and_again(
    store: Store, launcher: LocalLauncher, started: list[subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        "if 'rnnlab.worker.main' in sys.orig_argv: os.kill(os.getpid(), signal.SIGSEGV)"
    )
    run = store.create_run(SHORT)
    launcher.wake()
    assert "worker.log" in failed(store, launcher, run).message
    assert len(started) == 1
