"""What people ask of active runs, as the store saves it for the workers."""

from __future__ import annotations

import os

import pytest

from rnnlab.config import Config
from rnnlab.config_changes import Change, from_json, to_json, with_changes
from rnnlab.hyperparameter import ConfigError
from rnnlab.runs import AccuracyPoint, Run, RunState
from rnnlab.store.database import StoreError
from rnnlab.store.store import Store
from rnnlab.system.process_identity import identify
from tests.elsewhere import another_machine


def training(store: Store, step: int = 100) -> Run:
    run = store.create_run(Config(), claimed=True)
    store.reports.add_point(run.id, AccuracyPoint(step, 0.5, 1.0, 1.0))
    return store.run(run.id)


def left_by_its_worker(store: Store, run: Run) -> None:
    """Make it look as if the process that has the run were gone."""
    gone = str(identify(os.getpid())._replace(began=0.0))
    store._database.execute("UPDATE runs SET process_identity = ? WHERE id = ?", (gone, run.id))


def test_pause_is_a_wish_until_the_worker_has_followed_it(store: Store) -> None:
    run = training(store)
    store.requests.pause(run.id)
    assert store.run(run.id).is_pausing
    assert store.reports.pending_requests(run.id).pause_at == 0
    store.reports.set_paused(run.id)
    paused = store.run(run.id)
    assert (paused.state, paused.is_pausing, paused.state.is_active) == (RunState.PAUSED, False, True)


def test_resume_goes_to_the_worker_that_waits_with_the_run(store: Store) -> None:
    run = training(store)
    store.requests.pause(run.id)
    store.reports.set_paused(run.id)
    store.requests.resume(run.id)
    assert store.reports.pending_requests(run.id).pause_at is None
    assert store.run(run.id).state is RunState.PAUSED  # until its worker says otherwise
    assert store.queue() == []


def test_resume_queues_a_run_whose_worker_has_parted_from_it(store: Store) -> None:
    run = training(store)
    store.requests.pause(run.id)
    store.reports.set_paused(run.id)
    assert store.reports.release(run.id, run.step)
    store.requests.resume(run.id)
    assert [waiting.id for waiting in store.queue()] == [run.id]
    claimed = store.reports.claim()
    assert claimed
    assert (claimed.id, claimed.step) == (run.id, 101)


def test_a_worker_cannot_part_from_a_run_that_is_to_go_on_or_to_end(store: Store) -> None:
    run = training(store)
    for wish in (store.requests.resume, store.requests.stop):
        store.requests.pause(run.id)
        store.reports.set_paused(run.id)
        wish(run.id)
        assert not store.reports.release(run.id, run.step)


def test_a_paused_run_whose_worker_has_died_can_still_be_resumed_and_stopped(store: Store) -> None:
    for wish, state in ((store.requests.resume, RunState.QUEUED), (store.requests.stop, RunState.STOPPED)):
        run = training(store)
        store.requests.pause(run.id)
        store.reports.set_paused(run.id)
        left_by_its_worker(store, run)
        wish(run.id)
        assert store.run(run.id).state is state


def test_a_paused_run_is_freed_of_a_dead_worker_and_follows_what_it_was_told_last(store: Store) -> None:
    pending_requests = {"nothing": RunState.PAUSED, "resume": RunState.QUEUED, "stop": RunState.STOPPED}
    for wish, state in pending_requests.items():
        run = training(store)
        store.requests.pause(run.id)
        store.reports.set_paused(run.id)
        if wish != "nothing":
            getattr(store.requests, wish)(run.id)
        left_by_its_worker(store, run)
        assert store.reports.mark_interrupted() == []
        freed = store.run(run.id)
        assert (freed.state, freed.stop_requested) == (state, False)


def test_a_wish_to_stop_does_not_outlive_the_worker_that_should_have_followed_it(store: Store) -> None:
    run = training(store)
    store.requests.stop(run.id)
    left_by_its_worker(store, run)
    assert store.reports.mark_interrupted() == [run.id]
    assert not store.run(run.id).stop_requested


def test_a_step_asked_for_at_the_last_moment_keeps_the_worker(store: Store) -> None:
    run = training(store)
    store.requests.pause(run.id)
    store.reports.set_paused(run.id)
    store.requests.step(run.id)
    assert not store.reports.release(run.id, run.step)


def test_a_change_can_be_taken_back_before_it_is_made(store: Store) -> None:
    run = training(store)
    store.requests.change(run.id, {"learning_rate": 0.01, "batch_size": 64})
    store.requests.change(run.id, {"learning_rate": run.config.learning_rate})
    assert store.run(run.id).requested == {"batch_size": 64}


def test_a_change_made_before_another_one_that_is_to_come_again_is_in_its_place(store: Store) -> None:
    run = training(store)
    store.requests.change(run.id, {"learning_rate": 0.01, "batch_size": 64})
    store.reports.take_changes(run.id, 141)
    store.requests.change(run.id, {"batch_size": 32})  # and the run goes on from before
    store.reports.take_changes(run.id, 101)
    assert store.run(run.id).changes == (Change(101, "batch_size", 32), Change(141, "learning_rate", 0.01))


def test_a_single_step_is_twenty_iterations(store: Store) -> None:
    run = training(store)
    store.requests.pause(run.id)
    store.reports.set_paused(run.id)
    store.requests.step(run.id)
    assert store.reports.pending_requests(run.id).pause_at == run.step + 20


def test_steps_asked_for_while_one_is_made_are_added_and_none_without_a_pause(store: Store) -> None:
    run = training(store)
    store.requests.step(run.id)
    assert store.reports.pending_requests(run.id).pause_at is None
    store.requests.pause(run.id)
    store.reports.set_paused(run.id)
    for asked in (1, 2):
        store.requests.step(run.id)
        store.reports.set_resumed(run.id)
        assert store.reports.pending_requests(run.id).pause_at == run.step + 20 * asked
    store.requests.resume(run.id)
    assert store.reports.pending_requests(run.id).pause_at is None


def test_an_interrupted_run_waits_again_and_keeps_its_points(store: Store) -> None:
    run = training(store)
    left_by_its_worker(store, run)
    assert store.reports.mark_interrupted() == [run.id]
    store.requests.resume(run.id)
    again = store.run(run.id)
    assert (again.state, again.ended, again.message) == (RunState.QUEUED, None, "")
    assert [point.step for point in store.points(run.id)] == [100]


def test_training_further_is_for_runs_that_ended_in_order_and_has_a_limit(store: Store) -> None:
    run = training(store)
    store.requests.train_further(run.id, 500)
    assert store.run(run.id).state is RunState.TRAINING
    store.reports.end_run(run.id, RunState.FINISHED, step=20_000)
    with pytest.raises(ConfigError, match="ask for 1 to 180,000 more"):
        store.requests.train_further(run.id, 180_001)
    assert store.run(run.id).state is RunState.FINISHED
    store.requests.train_further(run.id, 500)
    again = store.run(run.id)
    assert (again.state, again.iterations, again.config.iterations) == (RunState.QUEUED, 20_500, 20_000)


def test_changes_are_wishes_until_they_are_taken_and_then_belong_to_the_run(store: Store) -> None:
    run = training(store)
    store.requests.change(run.id, {"learning_rate": "0.01", "batch_size": 64})
    store.requests.change(run.id, {"learning_rate": 0.02})
    assert store.run(run.id).requested == {"learning_rate": 0.02, "batch_size": 64}
    assert store.reports.pending_requests(run.id).changes
    taken = store.reports.take_changes(run.id, 121)
    assert taken == (Change(121, "learning_rate", 0.02), Change(121, "batch_size", 64))
    now = store.run(run.id)
    assert (now.changes, now.requested) == (taken, {})
    assert (now.config_now.learning_rate, now.config.learning_rate) == (0.02, 0.001)
    assert not store.reports.pending_requests(run.id).changes


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"learning_rate": 5}, "learning rate must be"),
        ({"batch_size": "many"}, "batch size must be"),
        ({"neurons": 64}, "neurons cannot be changed"),
        ({"<b>": 1}, "cannot be changed"),
    ],
)
def test_a_change_that_cannot_be_is_refused_whole(
    store: Store, values: dict[str, object], complaint: str
) -> None:
    run = training(store)
    with pytest.raises(ConfigError, match=complaint):
        store.requests.change(run.id, {"learning_rate": 0.01, **values})
    assert store.run(run.id).requested == {}


def test_wishes_for_a_run_that_is_not_there_are_refused(store: Store) -> None:
    for wish in (store.requests.stop, store.requests.resume, store.requests.step):
        with pytest.raises(StoreError, match="There is no run"):
            wish("../../etc")


def test_the_queue_is_in_the_order_of_asking_and_a_resumed_run_joins_at_its_end(store: Store) -> None:
    run = training(store)
    waiting = [store.create_run(Config()) for _ in range(3)]
    store.reports.end_run(run.id, RunState.INTERRUPTED)
    store.requests.resume(run.id)
    store.requests.stop(waiting[1].id)
    assert [each.id for each in store.queue()] == [waiting[0].id, waiting[2].id, run.id]
    assert store.reports.has_queued_runs()


def test_a_worker_taken_for_dead_cannot_go_on_with_a_run_that_another_one_has(store: Store) -> None:
    run = training(store)
    store.reports.end_run(run.id, RunState.INTERRUPTED)
    store.requests.resume(run.id)
    with another_machine():
        assert store.reports.claim()
    with pytest.raises(StoreError, match="not this worker's any more"):
        store.reports.add_point(run.id, AccuracyPoint(120, 0.5, 1.0, 1.0))


def test_changes_survive_being_written_down() -> None:
    made = (Change(21, "learning_rate", 0.25), Change(41, "batch_size", 64), Change(41, "iterations", 300))
    assert from_json(to_json(made)) == made
    config = with_changes(Config(), made)
    assert (config.learning_rate, config.batch_size, config.iterations) == (0.25, 64, 300)
