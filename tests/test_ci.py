"""What CI makes of failing tests: each is run once more, alone, and only what fails again stops a landing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

RERUN = Path(__file__).parents[1] / ".ci" / "rerun.py"

UNSTABLE = """
from pathlib import Path

def test_passes_the_second_time():
    seen = Path(__file__).with_name("seen")
    first = not seen.exists()
    seen.touch()
    assert not first

def test_passes():
    pass
"""

BROKEN = "def test_fails():\n    assert False\n"


def fail_and_rerun(folder: Path, content: str) -> subprocess.CompletedProcess[str]:
    """Run a file of tests as CI does, then what has failed once more."""
    (folder / "test_it.py").write_text(content)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *command],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    first = run("-m", "pytest", "-q", "test_it.py")
    assert first.returncode == 1
    return run(str(RERUN))


def test_a_test_that_passes_alone_is_named_as_unstable_and_stops_nothing(tmp_path: Path) -> None:
    again = fail_and_rerun(tmp_path, UNSTABLE)
    assert again.returncode == 0
    assert "unstable: test_it.py::test_passes_the_second_time" in again.stdout
    assert "test_passes\n" not in again.stdout


def test_a_test_that_fails_again_stops_the_landing(tmp_path: Path) -> None:
    again = fail_and_rerun(tmp_path, BROKEN + UNSTABLE)
    assert again.returncode == 1
    assert "failed twice: test_it.py::test_fails" in again.stdout
    assert "unstable: test_it.py::test_passes_the_second_time" in again.stdout


@pytest.mark.parametrize("content", ["", "{}"])
def test_without_a_word_on_what_failed_nothing_lands(tmp_path: Path, content: str) -> None:
    if content:
        cache = tmp_path / ".pytest_cache" / "v" / "cache"
        cache.mkdir(parents=True)
        (cache / "lastfailed").write_text(content)
    done = subprocess.run(
        [sys.executable, str(RERUN)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "could not be run" in done.stdout
