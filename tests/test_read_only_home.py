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
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""

WATCH = """
import sys
from pathlib import Path
from rnnlab.store.store import Store
with Store(Path(sys.argv[1])) as store:
    print(store.is_current, len(store.runs()), flush=True)
    input()
    print(store.is_current, len(store.runs()))
with Store(Path(sys.argv[1])) as store:
    print(store.is_current, len(store.runs()))
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
    command = [sys.executable, "-c", BOUND_BY_PERMISSIONS, "-m", "rnnlab", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_its_runs_are_listed(archive: Path) -> None:
    listed = run_bound("runs", "--json")
    assert json.loads(listed.stdout)["state"] == "finished", listed.stderr
    assert "cannot be written to: its runs can be read" in listed.stderr
    assert len(listed.stderr.splitlines()) == 1


@pytest.mark.parametrize("archive", ["closed"], indirect=True)
def test_its_runs_read_and_are_evaluated_and_none_is_started(archive: Path, tmp_path: Path) -> None:
    picture = tmp_path / "seven.png"
    Image.fromarray(draw_digit("7")).save(picture)
    before = {path: path.stat().st_mtime_ns for path in archive.rglob("*")}
    evaluated = run_bound("evaluate", "latest", "--json")
    assert len(json.loads(evaluated.stdout)["accuracy_by_row"]) == 28, evaluated.stderr
    read = run_bound("read", "latest", str(picture), "--json")
    assert "digit" in json.loads(read.stdout), read.stderr
    refused = run_bound("train", "--dataset", "digits", "--neurons", "8", "--iterations", "20")
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert "no run can be started or changed" in refused.stderr.splitlines()[-1]
    assert {path: path.stat().st_mtime_ns for path in archive.rglob("*")} == before


def test_who_watches_it_learns_that_others_have_written_to_it(archive: Path) -> None:
    command = [sys.executable, "-c", BOUND_BY_PERMISSIONS, "-c", WATCH, str(archive)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline() == "True 1\n"
        archive.chmod(0o755)
        dashboard.add_ended_run(archive)
        archive.chmod(0o555)
        seen, _ = watching.communicate("\n")
    assert seen == "False 1\nTrue 2\n"
