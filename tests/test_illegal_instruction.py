"""A processor without the instructions that TensorFlow was built for, such as AVX."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from rnnlab.runs import Run, RunState
from rnnlab.store.store import Store
from rnnlab.system.processes import is_illegal_instruction, start_module
from rnnlab.worker import launcher as launching
from rnnlab.worker.launcher import LocalLauncher
from tests.systems import needs_signals
from tests.waiting import wait_for
from tests.workers import SHORT, wait_until


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
def test_a_run_that_ends_a_worker_by_it_says_so_and_the_next_ones_are_trained(
    store: Store, launcher: LocalLauncher, started: list[subprocess.Popen[bytes]]
) -> None:
    runs = [store.create_run(replace(SHORT, engine=engine)) for engine in ("keras", "keras", "numpy")]
    launcher.wake()
    for run in runs[:2]:
        message = failed(store, launcher, run).message
        assert "processor lacks instructions" in message
        assert "choose the engine numpy" in message
        assert len(message.splitlines()) == 1
    wait_until(store, runs[2], RunState.FINISHED)
    assert len(started) == 3


@pytest.mark.parametrize(
    ("status", "expected"), [(0xC000001D, True), (-1073741795, True), (0, False), (1, False), (-9, False)]
)
def test_other_ends_are_no_illegal_instruction(status: int, expected: bool) -> None:
    assert is_illegal_instruction(status) is expected


@needs_signals
@pytest.mark.parametrize("fault", ["SIGSEGV", "SIGILL"])
def test_a_worker_that_is_ended_by_any_fault_before_it_begins_is_not_started_again_and_again(
    store: Store, launcher: LocalLauncher, started: list[subprocess.Popen[bytes]], tmp_path: Path, fault: str
) -> None:
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        f"if 'rnnlab.worker.main' in sys.orig_argv: os.kill(os.getpid(), signal.{fault})"
    )
    run = store.create_run(SHORT)
    launcher.wake()
    assert "worker.log" in failed(store, launcher, run).message
    assert len(started) == 1
