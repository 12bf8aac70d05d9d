"""Files in the working folder that are called like modules are nobody's modules."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import rnnlab
from rnnlab.runs import RunState
from rnnlab.store.store import Store
from rnnlab.system.processes import start_module
from tests.commands import add_trained_run
from tests.workers import SHORT

pytestmark = pytest.mark.slow

PACKAGE = Path(rnnlab.__file__).parent
NAMES = (
    "random",
    "json",
    "numpy",
    "sqlite3",
    "typing",
    "threading",
    "signal",
    "rich",
    "PIL",
    "torch",
    "_winapi",
)


@pytest.fixture
def working_folder(tmp_path: Path) -> Path:
    """Return a folder with files that say so when they are imported, and end the program."""
    folder = tmp_path / "work"
    folder.mkdir()
    for name in NAMES:
        (folder / f"{name}.py").write_text(f"raise SystemExit('{name} of the working folder was imported')")
    return folder


def run(folder: Path, *arguments: str, path: Path | None = None) -> None:
    """Run a command in a folder; it must succeed."""
    environment = os.environ | {"RNNLAB_CORES": "2"}
    environment.pop("PYTHONPATH", None)
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    command = [sys.executable, "-m", "rnnlab", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=240
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_command_does_not_import_them(working_folder: Path) -> None:
    run(working_folder, "runs", path=PACKAGE.parent)


def test_a_checkout_that_holds_them_trains_with_helper_processes(working_folder: Path, store: Store) -> None:
    trained = add_trained_run(store)
    shutil.copytree(PACKAGE, working_folder / "rnnlab", ignore=shutil.ignore_patterns("__pycache__"))
    train = ["train", "--dataset", "digits", "--neurons", "8", "--batch-size", "128", "--iterations", "20"]
    run(working_folder, *train, "--from", trained)


def test_a_worker_does_not_import_them(working_folder: Path, store: Store) -> None:
    run = store.create_run(SHORT)
    worker = store.workers.reserve(1)
    assert worker is not None
    process = start_module(
        "rnnlab.worker.main", str(store.home), worker, cwd=working_folder, stderr=subprocess.PIPE
    )
    _, said = process.communicate(timeout=240)
    assert (process.returncode, said) == (0, b"")
    assert store.run(run.id).state is RunState.FINISHED
