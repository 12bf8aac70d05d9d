"""Cores that share a batch: real helper processes, real signals."""

from __future__ import annotations

import os
import subprocess
import sys

import joblib
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from rnnlab.data.datasets import Dataset
from rnnlab.model.reader import Reader
from rnnlab.system.cores import partitions_for, usable_cores
from rnnlab.system.processes import SIGKILL, HelperError
from rnnlab.training import data_parallel
from rnnlab.training.data_parallel import DataParallel, Team
from rnnlab.training.parameters import Parameters
from tests.systems import needs_helpers
from tests.waiting import wait_for
from tests.weights import clear, random_weights

pytestmark = needs_helpers

WEIGHTS = random_weights(16, scale=0.2)


def last_beliefs(digits: Dataset, chosen: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return the beliefs of the network of these tests about training images after the last row."""
    return Reader(WEIGHTS).read(digits.train_images[chosen]).beliefs[:, -1]


def started(
    digits: Dataset, partitions: int, max_images: int = 200, mix: float = 0.5, team: Team | None = None
) -> DataParallel:
    parallel = DataParallel(
        (digits.train_images, digits.test_images),
        (digits.train_labels, digits.test_labels),
        architecture=WEIGHTS.architecture,
        row_loss_mix=mix,
        max_images=max_images,
        partitions=partitions,
        team=team,
    )
    parameters = Parameters(WEIGHTS.architecture)
    parameters.set(WEIGHTS)
    parameters.stack(parallel.stacks)
    return parallel


def helpers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if is_helper(child)]


def is_helper(child: psutil.Process) -> bool:
    """Return whether a process is a helper: one of an earlier test may have ended, or not be buried yet."""
    try:
        return "rnnlab.training.data_parallel" in child.cmdline()
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("partitions", [2, 3])
def test_gradients_are_the_same_however_many_cores_share_the_batch(digits: Dataset, partitions: int) -> None:
    chosen = np.arange(50, 183, dtype=np.int32)
    with started(digits, 1) as alone, started(digits, partitions) as together:
        expected_loss, expected = alone.gradient(chosen)
        loss, gradient = together.gradient(chosen)
        assert len(helpers()) == partitions - 1
        assert loss == pytest.approx(expected_loss, rel=1e-5)
        np.testing.assert_allclose(gradient[0], expected[0], atol=1e-5)
        sure = chosen[clear(last_beliefs(digits, chosen))]
        assert len(sure) > 100
        assert alone.correct(sure) == together.correct(sure)


@pytest.mark.parametrize("early", [0, 1, 3])
def test_helpers_that_were_started_early_are_as_many_as_are_needed_and_end_with_the_others(
    digits: Dataset, early: int
) -> None:
    chosen = np.arange(50, 183, dtype=np.int32)
    with started(digits, 1) as alone, Team(early) as team, started(digits, 2, team=team) as together:
        np.testing.assert_allclose(together.gradient(chosen)[1], alone.gradient(chosen)[1], atol=1e-5)
        assert len(helpers()) == 1
    assert helpers() == []


def test_helpers_that_are_not_needed_after_all_end_with_their_team() -> None:
    with Team(2):
        wait_for(lambda: len(helpers()) == 2, "the helpers")
    assert helpers() == []


def test_a_share_larger_than_a_shard_is_worked_on_in_pieces(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = np.arange(101, dtype=np.int32)
    with started(digits, 1) as whole:
        expected_loss, expected = whole.gradient(chosen)
        monkeypatch.setattr(data_parallel, "MAX_IMAGES_AT_ONCE", 17)
        loss, gradient = whole.gradient(chosen)
        assert loss == pytest.approx(expected_loss, rel=1e-5)
        np.testing.assert_allclose(gradient[0], expected[0], atol=1e-5)


def test_helpers_end_with_their_training(digits: Dataset) -> None:
    with started(digits, 3):
        started_helpers = helpers()
    assert len(started_helpers) == 2
    assert helpers() == []


def all_are_ready(parallel: DataParallel) -> bool:
    return all(helper.is_ready() for helper in parallel._helpers)


def test_the_work_of_helpers_that_still_start_is_done_without_them_and_comes_out_the_same(
    digits: Dataset,
) -> None:
    chosen = np.arange(50, 183, dtype=np.int32)
    with started(digits, 3) as parallel:
        wait_for(lambda: len(helpers()) == 2, "the helpers")
        for helper in helpers():
            helper.suspend()
        assert not all_are_ready(parallel)
        loss, gradient = parallel.gradient(chosen)
        alone = gradient[0].copy(), parallel.correct(chosen)
        for helper in helpers():
            helper.resume()
        wait_for(lambda: all_are_ready(parallel), "the helpers")
        assert parallel.gradient(chosen)[0] == loss
        np.testing.assert_array_equal(parallel.gradient(chosen)[1][0], alone[0])
        assert parallel.correct(chosen) == alone[1]


@pytest.mark.parametrize("when", ["it still starts", "it works"])
def test_a_killed_helper_is_an_error_and_not_a_wait_without_end(digits: Dataset, when: str) -> None:
    chosen = np.arange(64, dtype=np.int32)
    with started(digits, 2) as parallel:
        if when == "it works":
            wait_for(lambda: all_are_ready(parallel), "the helper")
        (helper,) = wait_for(helpers, "the helper")
        helper.kill()
        wait_for(lambda: helper.status() == psutil.STATUS_ZOMBIE, "its end")
        with pytest.raises(HelperError, match=f"exit status -{SIGKILL}"):
            parallel.gradient(chosen)


@pytest.mark.slow
def test_helpers_end_when_their_training_is_killed() -> None:
    program = (
        "import numpy as np, time; from rnnlab.training.data_parallel import DataParallel;"
        "from rnnlab.model.architecture import Architecture as A;"
        "images, labels = np.zeros((64, 28, 28), np.uint8), np.zeros(64, np.uint8);"
        "p = DataParallel([images], [labels], architecture=A(neurons=8), row_loss_mix=0.5, max_images=64,"
        "partitions=2);"
        "p.gradient(np.arange(64, dtype=np.int32)); print('ready', flush=True); time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "ready\n"
        (helper,) = psutil.Process(process.pid).children()
        process.kill()
        process.wait()
    wait_for(lambda: not helper.is_running(), "the helper's end")


def test_ctrl_c_does_not_reach_the_helpers(digits: Dataset) -> None:
    with started(digits, 2):
        (helper,) = helpers()
        assert os.getpgid(helper.pid) != os.getpgid(0)


@pytest.mark.parametrize(
    ("batch_size", "cores", "partitions"), [(8, 2, 1), (128, 2, 2), (128, 1, 1), (1024, 64, 8), (40, 8, 2)]
)
def test_a_batch_is_cut_by_cores_but_not_into_crumbs(batch_size: int, cores: int, partitions: int) -> None:
    assert partitions_for(batch_size, cores) == partitions


@pytest.mark.usefixtures("every_core")
@pytest.mark.parametrize(("spare", "used"), [("", 4), ("0", 4), ("1", 3), ("9", 1), ("-1", 4), ("one", 4)])
def test_a_setting_leaves_cores_to_others(monkeypatch: pytest.MonkeyPatch, spare: str, used: int) -> None:
    monkeypatch.setattr(joblib, "cpu_count", lambda: 4)
    monkeypatch.setenv("RNNLAB_SPARE_CORES", spare)
    assert usable_cores() == used


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot bind processes to cores")
def test_cores_that_a_process_may_not_use_are_not_counted() -> None:
    program = (
        "import os; from rnnlab.system.cores import usable_cores;"
        "os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1]); print(usable_cores())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


def test_one_blas_thread_a_process_while_training_and_as_many_as_before_afterwards(digits: Dataset) -> None:
    from threadpoolctl import threadpool_info

    def threads() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    before = threads()
    with started(digits, 1):
        assert set(threads()) == {1}
    assert threads() == before
