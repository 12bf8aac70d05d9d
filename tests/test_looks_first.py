"""Every command looks whether workers live before it shows or uses the state of a run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from rnnlab.__main__ import main
from rnnlab.presets import config_from
from rnnlab.runs import RunState
from rnnlab.store.heartbeats import HEARTBEAT_GRACE
from rnnlab.store.store import Store
from tests.elsewhere import Clock, another_machine
from tests.systems import needs_signals
from tests.test_commands import long_training
from tests.weights import random_weights

TAKE_AND_DIE = """
import os, sys
from pathlib import Path
from rnnlab.store.store import Store
store = Store(Path(sys.argv[1]))
assert store.reports.claim() is not None
os._exit(0)
"""


@pytest.fixture
def dead(own_home: Path) -> str:
    """Return a run with weights whose worker has died without a word."""
    with Store(own_home) as store:
        run = store.create_run(config_from({"dataset": "digits", "neurons": 8})).id
        random_weights(8).save(store.files(run).weights, 20)
    subprocess.run([sys.executable, "-c", TAKE_AND_DIE, str(own_home)], check=True)
    with Store(own_home) as store:
        assert store.run(run).state is RunState.PREPARING
    return run


def test_runs_lists_a_run_whose_worker_has_died_as_interrupted(
    dead: str, own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert (listed["run"], listed["state"]) == (dead, "interrupted")
    assert json.loads((own_home / dead / "run.json").read_text())["state"] == "interrupted"


@pytest.mark.parametrize(
    "command", [["read", "latest", "missing.png"], ["export", "no-run-0000", "a.keras"], ["evaluate", "none"]]
)
def test_every_command_looks_before_it_does_anything(dead: str, own_home: Path, command: list[str]) -> None:
    with suppress(SystemExit):
        assert main(command) == 1
    with Store(own_home) as store:
        assert store.run(dead).state is RunState.INTERRUPTED


def test_a_run_of_another_machine_is_left_as_it_is(
    own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with another_machine(), Store(own_home, Clock(1000.0)) as store:
        store.create_run(config_from({}), claimed=True)
    assert main(["runs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "preparing"


@needs_signals
@pytest.mark.slow
def test_a_training_that_stood_still_and_was_replaced_says_who_has_the_run(own_home: Path) -> None:
    import signal

    with long_training() as training:
        assert training.stdout is not None
        run = json.loads(training.stdout.readline())["run"]
        json.loads(training.stdout.readline())  # it trains
        training.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, training.pid, os.WSTOPPED | os.WNOWAIT)
        steady = Clock()
        with another_machine(), Store(own_home, steady=steady) as store:
            assert store.reports.mark_interrupted() == []
            steady.now += HEARTBEAT_GRACE + 1
            assert store.reports.mark_interrupted() == [run]
            store.requests.resume(run)
            assert store.reports.claim(run) is not None
            training.send_signal(signal.SIGCONT)
            lines = training.stdout.read().splitlines()
            assert training.wait() == 1
            end = json.loads(lines[-1])
            assert (end["event"], end["state"]) == ("end", "interrupted")
            assert store.run(run).state is RunState.PREPARING
