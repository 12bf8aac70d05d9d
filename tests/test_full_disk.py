"""A disk that is full is called full, with exit status 1."""

from __future__ import annotations

import errno
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from rnnlab.store.store import Store
from rnnlab.system.file_errors import reason_of
from tests.commands import TRAIN, add_trained_run

pytestmark = pytest.mark.slow


def on_a_small_disk(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script with a disk of its own of 1 MB in a folder; skip if this machine lends none."""
    mount = f"mount -t tmpfs -o size=1m none {shlex.quote(str(folder))}"
    alone = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    try:
        subprocess.run([*alone, mount], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"this machine lends no small disk: {error}")
    command = [*alone, f"{mount}\n{script}"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)


def test_a_home_on_a_full_disk_is_said_to_be_that(own_home: Path) -> None:
    own_home.mkdir()
    fill = f"dd if=/dev/zero of={own_home}/fill bs=1k 2> /dev/null"
    done = on_a_small_disk(own_home, f"{fill}\n{sys.executable} -m rnnlab runs")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("cannot be opened: the disk is full; free some space.\n")
    assert done.stderr.count("\n") == 1


def test_a_training_that_fills_the_disk_ends_in_one_sentence(own_home: Path, tmp_path: Path) -> None:
    with Store(tmp_path / "before") as store:
        trained = add_trained_run(store)
    own_home.mkdir()
    train = f"{sys.executable} -m rnnlab {shlex.join([*TRAIN, '--json', '--from', trained])}"
    fill = f"head -c 500000 /dev/zero > {own_home}/fill"
    copy = f"cp -r {tmp_path}/before/* {own_home}/"
    done = on_a_small_disk(own_home, f"{copy}\n{fill}\n{train} > {tmp_path}/out")
    assert done.returncode == 1
    assert "the disk is full" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_and_a_quota_are_full(number: int) -> None:
    assert reason_of(OSError(number, "No space left on device")) == "the disk is full"


def test_other_reasons_are_said_as_the_system_says_them() -> None:
    assert reason_of(PermissionError(errno.EACCES, "Permission denied")) == "Permission denied"
    assert reason_of(OSError("odd")) == "odd"
