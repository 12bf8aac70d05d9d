"""A sweep from its first trial to its last: seeds, hopeless trials, pauses, accidents.

The test is the worker: it takes the runs from the queue, and says how they end.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from rnnlab.runs import Run, RunState, TestPoint
from rnnlab.store.database import StoreError
from rnnlab.store.store import Store
from rnnlab.sweep import controller
from rnnlab.sweep.study import Study
from rnnlab.sweep.sweep_files import Wanted, create_sweep
from rnnlab.sweep.trials import SweepState, TrialState, best_of
from tests.sweeps import begin, claim, finish, finish_all, led, plan
from tests.waiting import wait_for

NEURONS = "neurons=8,16,24,32"


def test_every_trial_is_a_run_with_the_values_that_were_chosen_and_the_best_is_found(store: Store) -> None:
    with led(store.home, plan(NEURONS, strategy="grid")) as sweep:
        runs = finish_all(store, [0.7, 0.9, 0.8, 0.9])
        result = sweep.result()
    assert result.state is SweepState.FINISHED
    assert [trial.runs for trial in result.trials] == [(run.id,) for run in runs]
    assert [trial.value for trial in result.trials] == [0.7, 0.9, 0.8, 0.9]
    assert [trial.params["neurons"] for trial in result.trials] == [run.config.neurons for run in runs]
    assert sorted(run.config.neurons for run in runs) == [8, 16, 24, 32]
    assert {run.config.dataset for run in runs} == {"digits_validation"}
    assert [run.trial for run in runs] == [f"{sweep.files.name}/{number}/0" for number in range(4)]
    assert best_of(result.trials, is_minimized=False) == result.trials[1]


def test_the_value_of_a_trial_is_the_mean_over_its_seeds_with_their_spread(store: Store) -> None:
    with led(store.home, plan(NEURONS, trials=2, seeds=3)) as sweep:
        runs = finish_all(store, [0.5, 0.5, 0.6, 0.6, 0.7, 0.7])
        result = sweep.result()
    assert [trial.value for trial in result.trials] == [pytest.approx(0.6)] * 2
    assert [trial.spread for trial in result.trials] == [pytest.approx(0.1)] * 2
    assert sorted((run.trial[-3:], run.config.seed) for run in runs) == [
        (f"{trial}/{seed}", seed) for trial in range(2) for seed in range(3)
    ]


def test_a_trial_that_most_others_have_outdone_is_ended_early_and_the_others_are_not(store: Store) -> None:
    def halfway(run: Run, accuracy: float) -> None:
        begin(store, run)
        store.reports.add_test(run.id, TestPoint(500, accuracy))

    with led(store.home, plan(NEURONS, trials=7, prune=True)) as sweep:
        good = finish_all(store, [0.9] * 5, of=lambda run: halfway(run, 0.8))
        hopeless, fair = claim(store), claim(store)
        for run, accuracy in ((hopeless, 0.2), (fair, 0.85)):
            halfway(run, accuracy)
        wait_for(lambda: store.run(hopeless.id).stop_requested, "the hopeless run to be stopped")
        store.reports.end_run(hopeless.id, RunState.STOPPED)
        assert not store.run(fair.id).stop_requested
        finish(store, fair, 0.95)
        result = sweep.result()
    states = {trial.runs[0]: trial.state for trial in result.trials}
    assert states == {run.id: TrialState.FINISHED for run in [*good, fair]} | {hopeless.id: TrialState.PRUNED}


@pytest.mark.parametrize(
    ("state", "message", "said"),
    [
        (RunState.DIVERGED, "", "diverged"),
        (RunState.FAILED, "There is not enough memory.", "There is not enough memory."),
        (RunState.STOPPED, "", "stopped"),
    ],
)
def test_a_run_that_does_not_end_well_fails_its_trial_alone(
    store: Store, state: RunState, message: str, said: str
) -> None:
    with led(store.home, plan(NEURONS, trials=3)) as sweep:
        store.reports.end_run(claim(store).id, state, message=message)
        finish_all(store, [0.7, 0.8])
        result = sweep.result()
    assert result.state is SweepState.FINISHED
    assert [(trial.state.value, trial.message) for trial in result.trials] == [
        ("failed", said),
        ("finished", ""),
        ("finished", ""),
    ]


def test_a_run_whose_worker_dies_goes_on_and_is_given_up_if_it_kills_each_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controller, "MAX_INTERRUPTIONS", 2)
    with led(store.home, plan(NEURONS, trials=2)) as sweep:
        unlucky = claim(store)
        store.reports.end_run(unlucky.id, RunState.INTERRUPTED)
        wait_for(lambda: store.run(unlucky.id).state is RunState.QUEUED, "the run in the queue again")
        other = claim(store)  # which has waited for longer
        finish(store, other, 0.5)
        assert claim(store).id == unlucky.id
        finish(store, unlucky, 0.8)
        assert [trial.value for trial in sweep.result().trials] == [0.8, 0.5]
    with led(store.home, plan(NEURONS, trials=1)) as sweep:
        for _ in range(3):
            deadly = claim(store)
            store.reports.end_run(deadly.id, RunState.INTERRUPTED)
        (trial,) = sweep.result().trials
    assert (trial.state, trial.message) == (TrialState.FAILED, "its worker died 3 times")


def test_a_sweep_after_seconds_values_what_a_run_took_and_no_run_that_never_got_there(store: Store) -> None:
    with led(store.home, plan(NEURONS, trials=3, target="seconds:97")) as sweep:
        for seconds, rule in ((12.0, "stop_at"), (9.0, "stop_at"), (99.0, "")):
            run = claim(store)
            assert run.config.stop_at == 0.97
            store.reports.end_run(run.id, RunState.FINISHED, seconds=seconds, ended_by=rule)
        result = sweep.result()
    assert [(trial.state, trial.value) for trial in result.trials] == [
        (TrialState.FINISHED, 12.0),
        (TrialState.FINISHED, 9.0),
        (TrialState.FINISHED, None),
    ]
    best = best_of(result.trials, is_minimized=True)
    assert best is not None
    assert best.number == 1


def test_pause_holds_every_run_of_a_sweep_and_resume_lets_them_go_on(store: Store) -> None:
    with led(store.home, plan(NEURONS, trials=3)) as sweep:
        training = claim(store)
        begin(store, training)
        wait_for(store.queue, "another run in the queue")
        sweep.files.want(Wanted.PAUSE)
        wait_for(lambda: store.run(training.id).pause_at is not None, "the request to pause")
        wait_for(lambda: not store.queue(), "an empty queue")
        wait_for(lambda: sweep.files.progress().state is SweepState.PAUSED, "the state of the sweep")
        store.reports.set_paused(training.id)
        sweep.files.want(Wanted.RUN)
        wait_for(lambda: store.run(training.id).pause_at is None, "the run to go on")
        store.reports.set_resumed(training.id)
        finish(store, training, 0.6)
        finish_all(store, [0.7, 0.8])
        assert [trial.value for trial in sweep.result().trials] == [0.6, 0.7, 0.8]


def test_stop_ends_the_sweep_and_its_runs_and_no_others(store: Store) -> None:
    other = store.create_run(plan(NEURONS).config)
    with led(store.home, plan(NEURONS, trials=9)) as sweep:
        wait_for(lambda: len(store.queue()) > 1, "the runs of the sweep")
        sweep.files.want(Wanted.STOP)
        result = sweep.result()
    assert result.state is sweep.files.progress().state is SweepState.STOPPED
    assert {trial.message for trial in result.trials} == {"stopped"}
    assert [run.id for run in store.active_runs()] == [other.id]


def test_a_sweep_that_was_interrupted_goes_on_where_it_was(store: Store) -> None:
    specification = plan(NEURONS, "learning_rate=0.001:0.1", trials=5)
    with led(store.home, specification) as sweep:
        finish_all(store, [0.5, 0.6])
        training = claim(store)
        wait_for(store.queue, "another run in the queue")
    assert sweep.results[0].state is SweepState.INTERRUPTED
    assert not store.queue()
    assert store.run(training.id).pause_at is not None
    finish(store, training, 0.7)  # it had made its last step
    with led(store.home, specification, sweep.files) as again:
        finish_all(store, [0.8, 0.9])
        result = again.result()
    assert [trial.value for trial in result.trials] == [0.5, 0.6, 0.7, 0.8, 0.9]
    assert len(store.runs()) == 5


@pytest.mark.parametrize("killed_before", ["the run", "the values"])
def test_a_trial_that_was_just_being_begun_is_neither_lost_nor_counted_twice(
    store: Store, killed_before: str
) -> None:
    specification = plan(NEURONS, "learning_rate=0.001:0.1", trials=2)
    files = create_sweep(store.home, specification)
    study = Study(files.study, files.name, specification)
    study.ask()
    if killed_before == "the values":
        with sqlite3.connect(files.study) as file:
            file.execute("DELETE FROM trial_params WHERE param_name = 'learning_rate'")
        file.close()
    with led(store.home, specification, files) as sweep:
        finish_all(store, [0.5, 0.6])
        result = sweep.result()
    assert [(trial.number, trial.value) for trial in result.trials] == [(0, 0.5), (1, 0.6)]
    assert all(set(trial.params) == {"neurons", "learning_rate"} for trial in result.trials)
    assert len(store.runs()) == 2


def test_a_trial_whose_run_was_begun_but_not_noted_has_that_one_run(store: Store) -> None:
    specification = plan(NEURONS, trials=1)
    files = create_sweep(store.home, specification)
    begun = Study(files.study, files.name, specification).ask()
    run = store.create_run(specification.config_of(begun.params, 0), trial=f"{files.name}/0/0")
    with led(store.home, specification, files) as sweep:
        assert [each.id for each in finish_all(store, [0.5])] == [run.id]
        assert [trial.runs for trial in sweep.result().trials] == [(run.id,)]
    assert len(store.runs()) == 1


def test_a_run_of_a_pruned_trial_that_was_not_stopped_any_more_is_stopped_by_the_next_controller(
    store: Store,
) -> None:
    specification = plan(NEURONS, trials=1)
    files = create_sweep(store.home, specification)
    study = Study(files.study, files.name, specification)
    run = store.create_run(specification.config, trial=f"{files.name}/0/0")
    study.tell(replace(study.ask(), state=TrialState.PRUNED, runs=(run.id,)))
    with led(store.home, specification, files) as sweep:
        assert [trial.state for trial in sweep.result().trials] == [TrialState.PRUNED]
    assert store.run(run.id).state is RunState.STOPPED


def test_the_study_opens_in_optuna_with_the_values_of_every_trial(store: Store) -> None:
    with led(store.home, plan(NEURONS, trials=3)) as sweep:
        finish_all(store, [0.5, 0.9, 0.7])
        sweep.result()
    study = optuna.load_study(study_name=sweep.files.name, storage=f"sqlite:///{sweep.files.study}")
    assert (study.best_trial.number, study.best_value) == (1, 0.9)
    assert [trial.value for trial in study.trials] == [0.5, 0.9, 0.7]


def test_a_folder_of_runs_may_have_any_name(tmp_path: Path) -> None:
    home = tmp_path / "what? 50% #1 {runs}"
    specification = plan(NEURONS)
    files = create_sweep(home, specification)
    for trials in range(1, 3):
        study = Study(files.study, files.name, specification)
        study.ask()
        assert len(study.trials()) == trials
    assert files.study.exists()


def test_the_same_seed_asks_for_the_same_trials(store: Store) -> None:
    chosen = []
    for seed in (0, 0, 1):
        config = plan(NEURONS).config
        specification = plan("learning_rate=0.001:0.1", trials=2, config=replace(config, seed=seed))
        files = create_sweep(store.home, specification)
        study = Study(files.study, files.name, specification)
        chosen.append([study.ask().params["learning_rate"] for _ in range(2)])
    assert chosen[0] == chosen[1] != chosen[2]


def test_a_damaged_study_is_named_in_a_sentence_and_left_as_it_is(store: Store) -> None:
    specification = plan(NEURONS)
    files = create_sweep(store.home, specification)
    files.study.write_bytes(b"no database at all, but long enough to be taken for one" * 50)
    before = files.study.read_bytes()
    with pytest.raises(StoreError, match=r"The study of this sweep cannot be used .*begin another sweep"):
        Study(files.study, files.name, specification)
    assert files.study.read_bytes() == before


def test_progress_that_cannot_be_read_is_that_of_a_sweep_which_has_only_been_created(store: Store) -> None:
    files = create_sweep(store.home, plan(NEURONS))
    for text in ("", "{", "[1]", json.dumps({"state": "happy", "trials": []})):
        (files.folder / "progress.json").write_text(text)
        assert files.progress().state is SweepState.INTERRUPTED
        assert files.progress().trials == ()


def test_a_folder_that_cannot_be_written_is_named_in_a_sentence(store: Store) -> None:
    files = create_sweep(store.home, plan(NEURONS))
    shutil.rmtree(files.folder)
    files.folder.write_text("no folder")
    for attempt in (lambda: files.want(Wanted.STOP), files.take_control):
        with pytest.raises(StoreError, match=rf"The sweep {files.name} cannot .* \(.*\)"):
            attempt()
    assert not files.is_controlled()


def test_one_process_leads_a_sweep(store: Store) -> None:
    files = create_sweep(store.home, plan(NEURONS))
    lock = files.take_control()
    assert lock is not None
    other = type(files)(store.home, files.name)
    assert other.take_control() is None
    assert other.is_controlled()
    lock.release()
    assert not other.is_controlled()
