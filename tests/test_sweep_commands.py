"""The command `sweep`: real workers train what a strategy chooses, and nothing is lost if it is cut short."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from rnnlab.__main__ import main
from rnnlab.config import Config
from rnnlab.data.datasets import load_test
from rnnlab.model.evaluation import evaluate
from rnnlab.model.reader import Reader
from rnnlab.model.weights import Weights
from rnnlab.presets import config_from
from rnnlab.runs import RunState
from rnnlab.store.store import Store
from rnnlab.sweep.estimate import estimate_seconds
from rnnlab.sweep.sweep_files import create_sweep
from tests.commands import start_command
from tests.sweeps import plan
from tests.systems import needs_signals
from tests.waiting import wait_for
from tests.workers import workers_of

SWEEP = [
    "sweep",
    "--dataset",
    "digits",
    "--neurons",
    "8",
    "--batch-size",
    "16",
    "--strategy",
    "random",
    "--json",
]
RATES = ["--vary", "learning_rate=0.003:0.03"]


@pytest.fixture(autouse=True)
def no_workers_left(store: Store) -> Iterator[None]:
    yield
    for worker in workers_of(store.home):
        worker.kill()
        worker.wait()


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def result_of(command: subprocess.Popen[str]) -> list[dict[str, Any]]:
    """Wait for a command that ends well; return what it has printed."""
    output, errors = command.communicate(timeout=120)
    assert (command.returncode, errors) == (0, "")
    return events(output)


def values_of(printed: list[dict[str, Any]]) -> dict[int, float]:
    """Return how good each trial was, by its number."""
    return {each["number"]: each["value"] for each in printed if each["event"] == "trial"}


@pytest.mark.slow
def test_a_sweep_prints_a_line_for_each_trial_and_the_best_at_the_end(store: Store) -> None:
    asked = [*SWEEP, *RATES, "--vary", "cell=lstm,simple_rnn", "--trials", "3", "--iterations", "60"]
    first, *trials, end = result_of(start_command(*asked, "--target", "row:20"))
    assert first["event"] == "sweep"
    assert first["trials"] == 3
    assert first["estimated_seconds"] >= 1
    runs = {run.id: run for run in store.runs()}
    assert len(trials) == len(runs) == 3
    for number, trial in enumerate(trials):
        run = runs[trial["run"]]
        assert (trial["event"], trial["number"], trial["state"]) == ("trial", number, "finished")
        assert run.state is RunState.FINISHED
        assert run.trial == f"{first['sweep']}/{number}/0"
        assert config_from(trial["config"]) == run.config
        assert run.config.dataset == "digits_validation"
        assert trial["data"] == run.data
        assert "239" in run.data
        test = load_test("digits_validation")
        reader = Reader(Weights.load(store.files(run.id).weights)[0])
        assert trial["value"] == evaluate(reader, test.images, test.labels).accuracy_by_row[19]
    best = max(trials, key=lambda trial: trial["value"])
    assert end["event"] == "end"
    assert end["best"] == {name: best[name] for name in best if name != "event"}
    assert (end["state"], end["trials"], end["finished"]) == ("finished", 3, 3)
    assert (end["pruned"], end["failed"]) == (0, 0)


@needs_signals
@pytest.mark.slow
def test_ctrl_c_leaves_a_sweep_that_goes_on_with_resume_and_makes_every_trial_once(store: Store) -> None:
    asked = [*SWEEP, *RATES, "--trials", "4", "--iterations", "400"]
    command = start_command(*asked)
    assert command.stdout is not None
    begun = [json.loads(command.stdout.readline()) for _ in range(2)]
    command.send_signal(signal.SIGINT)
    rest = result_of(command)
    assert (rest[-1]["event"], rest[-1]["state"]) == ("end", "interrupted")
    wait_for(lambda: all(run.state is not RunState.TRAINING for run in store.active_runs()), "the pause")
    assert not store.queue()
    assert sum(each["event"] == "trial" for each in rest) < 3
    ended = result_of(start_command("sweep", "--resume", begun[0]["sweep"], "--json"))
    assert (ended[-1]["state"], ended[-1]["trials"], ended[-1]["finished"]) == ("finished", 4, 4)
    told = [each["number"] for each in [*begun, *rest, *ended] if each["event"] == "trial"]
    assert sorted(told) == [0, 1, 2, 3]
    assert {run.state for run in store.runs()} == {RunState.FINISHED}
    assert len(store.runs()) == 4


@needs_signals
@pytest.mark.slow
def test_a_sweep_whose_process_and_worker_are_killed_goes_on_with_the_same_trajectories(store: Store) -> None:
    asked = [*SWEEP, *RATES, "--trials", "2", "--iterations", "300"]
    undisturbed = values_of(result_of(start_command(*asked)))
    command = start_command(*asked)
    assert command.stdout is not None
    name = json.loads(command.stdout.readline())["sweep"]
    wait_for(lambda: any(run.step > 100 and run.trial.startswith(name) for run in store.runs()), "its steps")
    command.kill()
    command.communicate()
    for worker in workers_of(store.home):
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
    ended = result_of(start_command("sweep", "--resume", name[:-2], "--json"))
    assert values_of(ended) == undisturbed
    assert ended[-1]["finished"] == 2
    assert len(store.runs()) == 4


def test_a_sweep_that_another_process_leads_is_left_to_it(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    files = create_sweep(store.home, plan("neurons=8,16"))
    lock = files.take_control()
    assert lock is not None
    with lock:
        assert main(["sweep", "--resume", files.name]) == 1
    assert "is led by another process" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said", "status"),
    [
        ([], "A sweep needs something to vary", 2),
        (["--vary", "neurons=64:32"], "The range of neurons is empty", 2),
        (["--vary", "neurons=8,16", "--target", "fame"], "The target of a sweep must be", 2),
        (["--vary", "neurons=8,16", "--strategy", "luck"], "The strategy of a sweep must be", 2),
        (
            ["--vary", "neurons=8:512:60", "--vary", "layers=1,2", "--strategy", "grid", "--trials", "9"],
            "120",
            2,
        ),
        (["--resume", "latest", "--vary", "neurons=8,16"], "leave --vary out", 2),
        (["--resume", "latest", "--prune"], "leave --prune out", 2),
        (["--resume", "latest", "--preset", "best"], "leave --preset out", 2),
        (["--resume", "latest", "--neurons", "16"], "leave --neurons out", 2),
        (["--resume", "nobody"], "There is no sweep called 'nobody'", 1),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence_and_nothing_is_started(
    store: Store, capsys: pytest.CaptureFixture[str], options: list[str], said: str, status: int
) -> None:
    try:
        ended = main(["sweep", *options])
    except SystemExit as left:
        ended = int(str(left.code))
    assert ended == status
    said_in_all = capsys.readouterr().err
    assert said in said_in_all
    assert said_in_all.count("\n") == 1
    assert store.runs() == []


def add_ended_run(store: Store, config: Config, seconds: float) -> None:
    run = store.create_run(config, claimed=True)
    store.reports.set_begun(run.id, 0, 1, "numpy")
    store.reports.end_run(run.id, RunState.FINISHED, step=config.iterations, seconds=seconds)


def test_a_longer_sweep_is_expected_to_take_longer(store: Store) -> None:
    vary = ("neurons=64,128",)
    config = config_from({"dataset": "digits", "iterations": 1000})
    add_ended_run(store, config, 20.0)
    once = estimate_seconds(plan(*vary, config=config, trials=4), store, together=1)
    for longer in (
        plan(*vary, config=config, trials=8),
        plan(*vary, config=config, trials=4, seeds=2),
        plan("neurons=256,512", config=config, trials=4),
    ):
        assert estimate_seconds(longer, store, together=1) > once


def test_the_estimate_follows_the_speed_of_the_runs_before(store: Store) -> None:
    config = Config(dataset="digits", iterations=1000)
    specification = plan("learning_rate=0.001:0.1", config=config, trials=10)
    expected = []
    for seconds in (20.0, 200.0):
        add_ended_run(store, config, seconds)
        expected.append(estimate_seconds(specification, store, together=1))
    assert expected[0] < expected[1]
