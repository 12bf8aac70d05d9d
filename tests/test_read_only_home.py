"""A folder of runs that cannot be written to, such as a mounted archive, can be read from."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from PIL import Image

from rnnlab.store.store import Store
from tests import dashboard
from tests.pens import draw_digit

BOUND_BY_PERMISSIONS = """
import ctypes, os, sys
# Root may write everywhere by a capability (CAP_DAC_OVERRIDE), which what it starts from here on lacks.
ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)
os.execv(sys.executable, [sys.executable, "-m", "rnnlab", *sys.argv[1:]])
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, permissions bind root otherwise")


@pytest.fixture(params=["closed", "open"])
def archive(own_home: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Return a home with a run in it that cannot be written to; its database has a log if it is open."""
    dashboard.add_ended_run(own_home)
    with ExitStack() as stack:
        if request.param == "open":
            stack.enter_context(Store(own_home))
            assert (own_home / "runs.sqlite3-wal").exists()
        paths = [own_home, *own_home.rglob("*")]
        for path in paths:
            path.chmod(0o555 if path.is_dir() else 0o444)
        yield own_home
        for path in paths:
            if path.exists():
                path.chmod(0o755)


def run_bound(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", BOUND_BY_PERMISSIONS, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_its_runs_are_listed_read_with_and_evaluated_and_none_is_started(
    archive: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "seven.png"
    Image.fromarray(draw_digit("7")).save(picture)
    before = {path: path.stat().st_mtime_ns for path in archive.rglob("*")}
    listed = run_bound("runs", "--json")
    assert json.loads(listed.stdout)["state"] == "finished", listed.stderr
    assert "cannot be written to: its runs can be read" in listed.stderr
    assert len(listed.stderr.splitlines()) == 1
    evaluated = run_bound("evaluate", "latest", "--json")
    assert len(json.loads(evaluated.stdout)["accuracy_by_row"]) == 28, evaluated.stderr
    read = run_bound("read", "latest", str(picture), "--json")
    assert "digit" in json.loads(read.stdout), read.stderr
    refused = run_bound("train", "--dataset", "digits", "--neurons", "8", "--iterations", "20")
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert "no run can be started or changed" in refused.stderr.splitlines()[-1]
    assert {path: path.stat().st_mtime_ns for path in archive.rglob("*")} == before
