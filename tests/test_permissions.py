"""What an operator allows: limits, who controls which run, watching only."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from rnnlab.config import Config
from rnnlab.dashboard.app_state import AppState
from rnnlab.dashboard.caches import CurveCache, ErrorReachCache, EvaluationCache
from rnnlab.dashboard.permissions import Permissions, PermissionsError, RefusalError
from rnnlab.runs import AccuracyPoint, Run, RunState
from rnnlab.store.database import StoreError
from rnnlab.store.store import Store
from rnnlab.worker.launcher import LocalLauncher
from tests.pages import add_run, address, lab, shown

pytestmark = pytest.mark.usefixtures("no_workers")


def test_settings_come_from_the_environment_and_are_safe_without_any() -> None:
    assert Permissions.from_environment({}) == Permissions()
    given = {"RNNLAB_MAX_NEURONS": "64", "RNNLAB_READ_ONLY": " 1 ", "RNNLAB_TRAIN_AT_ONCE": "2"}
    permissions = Permissions.from_environment(given)
    assert (permissions.max_neurons, permissions.read_only, permissions.workers) == (64, 1, 2)
    assert Permissions().workers >= 1
    assert not Permissions().shared_control


@pytest.mark.parametrize("value", ["many", "-1", "1.5", "9" * 30, "<b>"])
def test_a_setting_that_is_no_number_is_named(value: str) -> None:
    with pytest.raises(PermissionsError, match="RNNLAB_MAX_QUEUE must be a whole number"):
        Permissions.from_environment({"RNNLAB_MAX_QUEUE": value})


def runs_of(store: Store, owner: str, count: int) -> list[Run]:
    return [store.create_run(Config(), owner=owner) for _ in range(count)]


def test_limits_refuse_in_a_sentence_and_name_what_is_allowed(store: Store) -> None:
    permissions = Permissions(
        max_neurons=64, max_layers=2, max_iterations=1000, max_queue=3, runs_per_visitor=2
    )
    small = Config(neurons=64, iterations=1000)
    assert permissions.refusal(small, store.active_runs(), "ann") == ""
    assert "at most 64 neurons, not 128" in permissions.refusal(Config(iterations=100), [], "ann")
    assert "at most 2 layers, not 3" in permissions.refusal(Config(neurons=8, layers=3), [], "ann")
    assert "at most 1,000 iterations" in permissions.refusal(Config(neurons=8), [], "ann")
    runs_of(store, "ann", 2)
    assert "2 runs of yours" in permissions.refusal(small, store.active_runs(), "ann")
    assert permissions.refusal(small, store.active_runs(), "bob") == ""
    runs_of(store, "bob", 1)
    assert "3 runs are waiting" in permissions.refusal(small, store.active_runs(), "eve")
    assert "watching only" in Permissions(read_only=1).refusal(small, [], "ann")


def test_of_many_who_start_at_once_only_as_many_get_a_run_as_may(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def long_enough_to_be_overtaken(*_: object, **__: object) -> str:
        time.sleep(0.05)  # between the check and the start: that is what this test is about
        return ""

    monkeypatch.setattr("rnnlab.dashboard.app_state.shortage", long_enough_to_be_overtaken)
    permissions = Permissions(runs_per_visitor=3)
    shared = AppState(
        store,
        LocalLauncher(store),
        CurveCache(store),
        ErrorReachCache(store),
        EvaluationCache(store),
        permissions,
    )
    together = threading.Barrier(12)

    def start(_: int) -> str:
        together.wait(30)
        try:
            return shared.start(Config(neurons=8), "ann").id
        except RefusalError as error:
            return str(error)

    with ThreadPoolExecutor(12) as pool:
        told = list(pool.map(start, range(12)))
    assert len(store.runs()) == 3
    assert sum("3 runs of yours" in text for text in told) == 9


def test_a_run_is_put_in_the_queue_and_on_show_also_where_no_worker_can_be_started(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: LocalLauncher) -> None:
        raise StoreError("No worker can be started.")

    for act in ("wake", "reap"):
        monkeypatch.setattr(LocalLauncher, act, fail)
    app = lab()
    app.button(key="start").click()
    shown(app.run())
    (run,) = store.queue()
    assert address(app)["run"] == run.id
    assert any("No worker can be started" in error.value for error in app.error)


def test_a_run_that_waits_again_counts_like_a_new_one(store: Store) -> None:
    permissions = Permissions(runs_per_visitor=1, max_queue=2)
    run = store.create_run(Config(), claimed=True, owner="ann")
    store.reports.add_point(run.id, AccuracyPoint(0, 0.1, 2.3, 0.0))
    store.reports.end_run(run.id, RunState.INTERRUPTED)
    assert permissions.queue_refusal(store.active_runs(), "ann") == ""
    store.requests.resume(run.id)
    assert "1 run of yours is" in permissions.queue_refusal(store.active_runs(), "ann")
    runs_of(store, "bob", 1)
    assert "2 runs are waiting" in permissions.queue_refusal(store.active_runs(), "eve")


def test_runs_that_have_ended_do_not_count(store: Store) -> None:
    for run in runs_of(store, "ann", 3):
        store.requests.stop(run.id)
    assert Permissions(runs_per_visitor=1).refusal(Config(), store.active_runs(), "ann") == ""


def test_a_run_is_controlled_by_who_started_it_unless_the_settings_say_otherwise(store: Store) -> None:
    (run,) = runs_of(store, "ann", 1)
    nobodys = store.create_run(Config())
    assert Permissions().may_change(run, "ann")
    assert not Permissions().may_change(run, "bob")
    assert Permissions(shared_control=1).may_change(run, "bob")
    assert Permissions().may_change(nobodys, "bob")
    assert not Permissions(read_only=1, shared_control=1).may_change(run, "ann")


def labels(app: object) -> list[str]:
    return [button.label for button in app.button]  # type: ignore[attr-defined]


@pytest.fixture
def fresh_app_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the limits be read anew for this test's home."""
    from rnnlab.dashboard import app_state

    app_state._app_state_of.cache_clear()


@pytest.mark.usefixtures("fresh_app_state")
def test_another_visitors_run_is_shown_without_its_buttons(store: Store) -> None:
    run = store.create_run(Config(), claimed=True, owner="somebody else")
    store.reports.add_point(run.id, AccuracyPoint(0, 0.1, 2.3, 0.0))
    app = lab(run=run.id)
    assert not {"Pause", "Stop"} & set(labels(app))
    assert "Start" in labels(app)
    assert any("somebody else" in caption.value for caption in app.caption)


@pytest.mark.usefixtures("fresh_app_state")
def test_a_page_for_watching_only_starts_and_changes_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RNNLAB_READ_ONLY", "1")
    add_run(store)
    app = lab()
    assert not {"Start", "Pause", "Stop", "Step"} & set(labels(app))
    assert len(app.metric) == 2


@pytest.mark.usefixtures("fresh_app_state")
def test_a_start_beyond_the_limits_starts_nothing_and_says_why(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RNNLAB_MAX_NEURONS", "64")
    app = lab()
    app.button(key="start").click()
    shown(app.run())
    assert any("at most 64 neurons" in warning.value for warning in app.warning)
    assert store.runs() == []


@pytest.mark.usefixtures("fresh_app_state")
def test_a_setting_that_cannot_be_used_is_said_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RNNLAB_MAX_NEURONS", "lots")
    app = lab()
    assert any("RNNLAB_MAX_NEURONS must be" in error.value.replace("\\", "") for error in app.error)


def test_states_of_active_runs_are_those_that_wait_train_or_pause(store: Store) -> None:
    run = store.create_run(Config(), claimed=True)
    assert [each.id for each in store.active_runs()] == [run.id]
    store.reports.end_run(run.id, RunState.FINISHED)
    assert store.active_runs() == []
    with pytest.raises(StoreError):
        store.run("nobody")


@pytest.mark.usefixtures("fresh_app_state")
@pytest.mark.parametrize("read_only", [False, True])
def test_settings_in_the_address_wait_for_start_unless_nothing_can_be_started(
    store: Store, monkeypatch: pytest.MonkeyPatch, read_only: bool
) -> None:
    monkeypatch.setenv("RNNLAB_READ_ONLY", str(int(read_only)))
    run = add_run(store)
    assert address(lab(neurons="64")).get("run") == (run.id if read_only else None)


@pytest.mark.usefixtures("fresh_app_state")
def test_whoever_presses_start_twice_is_told_twice_why_nothing_starts(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RNNLAB_MAX_NEURONS", "64")
    app = lab()
    for _ in range(2):
        shown(app.button(key="start").click().run())
        assert [warning.value for warning in app.warning if "at most 64 neurons" in warning.value]
    assert store.runs() == []
