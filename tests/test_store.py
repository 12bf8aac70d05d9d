from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from rnnlab.config import Config
from rnnlab.runs import AccuracyPoint, RunState, TestPoint
from rnnlab.store.database import StoreError
from rnnlab.store.reports import RunLostError
from rnnlab.store.store import Store
from tests.elsewhere import another_machine


def test_a_run_begins_queued_and_is_found_by_id_beginning_or_latest(store: Store) -> None:
    first, second = store.create_run(Config()), store.create_run(Config(neurons=8))
    assert first.state is RunState.QUEUED
    assert store.find("latest") == second
    assert store.find(first.id) == first
    assert store.find(first.id[:-1]) == first
    assert [run.id for run in store.runs()] == [second.id, first.id]


@pytest.mark.parametrize("name", ["", "nope", "../..", "a' OR '1'='1", "x" * 10_000, "\x00"])
def test_an_unknown_run_is_refused_in_one_short_sentence(store: Store, name: str) -> None:
    store.create_run(Config())
    with pytest.raises(StoreError) as caught:
        store.find(name)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("column", "damaged"),
    [
        ("config", "{"),
        ("config", '{"neurons": "many"}'),
        ("state", "asleep"),
        ("changes", "[1]"),
        ("requested", "[]"),
    ],
)
def test_a_damaged_entry_takes_no_other_run_with_it(store: Store, column: str, damaged: str) -> None:
    broken, whole = store.create_run(Config()), store.create_run(Config())
    store._database.execute(f"UPDATE runs SET {column} = ? WHERE id = ?", (damaged, broken.id))  # noqa: S608
    assert [run.id for run in store.runs()] == [whole.id]
    assert [run.id for run in store.queue()] == [whole.id]
    assert store.current_run() == whole
    with pytest.raises(StoreError, match=r"is damaged .*; choose another run"):
        store.run(broken.id)
    claimed = store.reports.claim() or store.reports.claim()
    assert claimed is not None
    assert claimed.id == whole.id
    assert store.reports.claim() is None


def test_a_store_knows_when_its_list_of_runs_was_removed_or_replaced(store: Store, own_home: Path) -> None:
    path, elsewhere = own_home / "runs.sqlite3", own_home / "elsewhere"
    current = [store.is_current]
    path.rename(elsewhere)
    current.append(store.is_current)
    path.write_bytes(elsewhere.read_bytes())
    current.append(store.is_current)
    assert current == [True, False, False]


def test_a_beginning_of_two_names_is_refused(store: Store) -> None:
    names = [store.create_run(Config()).id for _ in range(30)]
    letter = next(name[0] for name in names if sum(other[0] == name[0] for other in names) > 1)
    with pytest.raises(StoreError, match="give more of the name"):
        store.find(letter)


def test_latest_of_nothing_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="no run yet"):
        store.find("latest")
    assert store.current_run() is None


def test_a_run_that_trains_is_current_even_if_newer_ones_wait_or_have_ended(store: Store) -> None:
    first = store.create_run(Config())
    store.reports.claim()
    second = store.create_run(Config())
    current = store.current_run()
    assert current is not None
    assert current.id == first.id
    store.reports.end_run(first.id, RunState.FINISHED)
    current = store.current_run()
    assert current is not None
    assert current.id == second.id


def test_reports_are_seen_by_another_opening_of_the_store(store: Store, own_home: Path) -> None:
    run = store.create_run(Config())
    store.reports.claim()
    store.reports.add_point(run.id, AccuracyPoint(0, 0.1, 2.3, 0.0))
    store.reports.add_point(run.id, AccuracyPoint(20, 0.5, 1.3, 0.4))
    store.reports.add_test(run.id, TestPoint(20, 0.45))
    with Store(own_home) as other:
        seen = other.run(run.id)
        assert (seen.state, seen.step, seen.seconds) == (RunState.TRAINING, 21, 0.4)
        assert (seen.batch_accuracy, seen.test_accuracy) == (0.3, 0.45)
        assert other.points(run.id) == [AccuracyPoint(0, 0.1, 2.3, 0.0), AccuracyPoint(20, 0.5, 1.3, 0.4)]
        assert other.points(run.id, after=0) == [AccuracyPoint(20, 0.5, 1.3, 0.4)]
        assert other.tests(run.id) == [TestPoint(20, 0.45)]


def test_a_point_reported_again_counts_once(store: Store) -> None:
    run = store.create_run(Config(), claimed=True)
    for step in (0, 20, 0, 20, 40):  # killed after 20, then started again from the beginning
        store.reports.add_point(run.id, AccuracyPoint(step, 0.1, 2.3, 0.0))
        store.reports.add_test(run.id, TestPoint(step, 0.1))
    assert [point.step for point in store.points(run.id)] == [0, 20, 40]
    assert [test.step for test in store.tests(run.id)] == [0, 20, 40]


def test_the_batch_accuracy_is_the_mean_of_the_five_newest_readings(own_home: Path) -> None:
    with Store(own_home) as store:
        run = store.create_run(Config(), claimed=True)
        for index in range(8):
            store.reports.add_point(run.id, AccuracyPoint(20 * index, index / 10, 1.0, 0.1))
        assert store.run(run.id).batch_accuracy == pytest.approx(0.5)
        store.reports.set_begun(run.id, 61, 1, "numpy")  # it goes on from there
        assert store.run(run.id).batch_accuracy == pytest.approx(0.15)
    connection = sqlite3.connect(own_home / "runs.sqlite3")
    connection.execute("UPDATE runs SET batch_accuracy = 0.3")  # as before version 7
    take_columns_away(connection, SINCE_VERSION_8)
    connection.execute("PRAGMA user_version = 6")
    connection.commit()
    connection.close()
    with Store(own_home) as store:
        assert store.run(run.id).batch_accuracy == pytest.approx(0.15)


def test_a_worker_that_has_lost_its_run_cannot_report_on_it(store: Store) -> None:
    run = store.create_run(Config())
    with pytest.raises(RunLostError):
        store.reports.add_point(run.id, AccuracyPoint(0, 0.1, 2.3, 0.0))
    assert store.points(run.id) == []
    assert store.run(run.id).state is RunState.QUEUED


@pytest.mark.slow
def test_no_run_is_handed_out_twice(own_home: Path) -> None:
    with Store(own_home) as store:
        created = {store.create_run(Config()).id for _ in range(20)}
    code = (
        "import sys; from pathlib import Path; from rnnlab.store.store import Store\n"
        "store = Store(Path(sys.argv[1]))\n"
        "while run := store.reports.claim(): print(run.id)\n"
    )
    workers = [
        subprocess.Popen([sys.executable, "-c", code, str(own_home)], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    claimed = [name for worker in workers for name in worker.communicate()[0].split()]
    assert sorted(claimed) == sorted(created)


def test_runs_are_claimed_in_the_order_they_were_started(store: Store) -> None:
    created = [store.create_run(Config()).id for _ in range(3)]
    claimed = [run.id for run in iter(store.reports.claim, None)]
    assert claimed == created


def test_stopping_a_waiting_run_ends_it_and_no_worker_gets_it(store: Store) -> None:
    run = store.create_run(Config())
    store.requests.stop(run.id)
    assert store.run(run.id).state is RunState.STOPPED
    assert store.reports.claim() is None


def test_stopping_a_training_run_is_a_request_and_an_ended_run_stays_as_it_is(store: Store) -> None:
    run = store.create_run(Config())
    store.reports.claim()
    store.requests.stop(run.id)
    assert store.reports.pending_requests(run.id).stop
    assert store.run(run.id).state is RunState.PREPARING
    store.reports.end_run(run.id, RunState.FINISHED)
    store.requests.stop(run.id)
    assert store.run(run.id).state is RunState.FINISHED


def test_a_run_whose_process_is_gone_is_interrupted_at_once(own_home: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from rnnlab.store.store import Store\n"
        "Store(Path(sys.argv[1])).reports.claim()"
    )
    with Store(own_home) as store:
        run = store.create_run(Config())
        subprocess.run([sys.executable, "-c", code, str(own_home)], check=True)
        assert store.reports.mark_interrupted() == [run.id]


def test_a_run_of_the_command_line_is_never_seen_waiting(store: Store) -> None:
    run = store.create_run(Config(), claimed=True)
    assert run.state is RunState.PREPARING
    assert store.reports.claim() is None
    assert store.reports.mark_interrupted() == []


@pytest.mark.slow
def test_a_new_home_can_be_opened_by_many_at_once(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from rnnlab.store.store import Store; Store(pathlib.Path(sys.argv[1])).runs()"
    )
    for attempt in range(3):
        home = str(tmp_path / f"home-{attempt}")
        openers = [subprocess.Popen([sys.executable, "-c", code, home]) for _ in range(6)]
        assert [opener.wait() for opener in openers] == [0] * 6


def test_no_name_from_outside_becomes_a_folder(store: Store, own_home: Path) -> None:
    for name in ("../outside", "/outside", "nope", ""):
        with pytest.raises(StoreError):
            store.files(name).make_folder()
    assert [path.name for path in own_home.parent.iterdir()] == ["home"]


def test_a_home_that_cannot_be_opened_is_refused_in_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("not a folder")
    with pytest.raises(StoreError, match="cannot be opened"):
        Store(file)


@pytest.mark.parametrize(("version", "age"), [(1, "an older"), (99, "a newer")])
def test_a_home_of_another_version_is_left_alone(own_home: Path, version: int, age: str) -> None:
    Store(own_home).close()
    connection = sqlite3.connect(own_home / "runs.sqlite3")
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    with pytest.raises(StoreError, match=f"written by {age} RNN Lab"):
        Store(own_home)


SINCE_VERSION_10 = ["trial"]
SINCE_VERSION_9 = ["ended_by", *SINCE_VERSION_10]
SINCE_VERSION_8 = ["engine", *SINCE_VERSION_9]
OF_VERSION_6 = ["process_identity", *SINCE_VERSION_8]
OF_VERSION_5 = ["pause_at", "changes", "requested", "queued", "owner", "branches", *OF_VERSION_6]


def take_columns_away(connection: sqlite3.Connection, columns: Sequence[str]) -> None:
    connection.execute("DROP INDEX runs_by_trial")
    for column in columns:
        connection.execute(f"ALTER TABLE runs DROP COLUMN {column}")


@pytest.mark.parametrize(
    ("version", "columns"),
    [
        (3, ["parent", *OF_VERSION_5]),
        (4, OF_VERSION_5),
        (5, OF_VERSION_6),
        (7, SINCE_VERSION_8),
        (8, SINCE_VERSION_9),
        (9, SINCE_VERSION_10),
    ],
)
def test_a_home_of_an_older_version_is_brought_up_to_date_with_its_runs(
    own_home: Path, version: int, columns: list[str]
) -> None:
    with Store(own_home) as store:
        run = store.create_run(Config(neurons=24))
    connection = sqlite3.connect(own_home / "runs.sqlite3")
    take_columns_away(connection, columns)
    if version < 6:
        connection.execute("ALTER TABLE workers DROP COLUMN process_identity")
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    with Store(own_home) as store:
        assert store.run(run.id) == run
    with Store(own_home) as store:
        assert store.runs() == [run]
        worker = store.workers.reserve(1)
        assert worker
        store.workers.beat(worker)
        assert store.reports.claim() is not None
        assert store.reports.mark_interrupted() == []


def test_a_run_can_start_from_the_newest_weights_of_another(store: Store) -> None:
    parent = store.create_run(Config())
    with pytest.raises(StoreError, match="choose a run that has learned"):
        store.create_run(Config(), parent=parent.id)
    assert [run.id for run in store.runs()] == [parent.id]
    store.files(parent.id).make_folder()
    store.files(parent.id).weights.write_bytes(b"weights of step 40")
    child = store.create_run(Config(), parent=parent.id)
    store.files(parent.id).weights.write_bytes(b"weights of step 60")
    assert child.parent == parent.id
    assert store.files(child.id).start.read_bytes() == b"weights of step 40"


def test_a_run_that_goes_on_forgets_what_was_reported_beyond_its_step(store: Store) -> None:
    run = store.create_run(Config(), claimed=True)
    for step in range(0, 81, 20):
        store.reports.add_point(run.id, AccuracyPoint(step, 0.5, 1.0, 0.1))
    for step in (21, 81):
        store.reports.add_test(run.id, TestPoint(step, 0.5))
    store.reports.set_begun(run.id, 81, 1, "numpy")
    assert (len(store.points(run.id)), store.branches(run.id)) == (5, 0)
    store.reports.set_begun(run.id, 21, 2, "numpy")
    assert [point.step for point in store.points(run.id)] == [0, 20]
    assert [test.step for test in store.tests(run.id)] == [21]
    assert (store.branches(run.id), store.run(run.id).cores) == (1, 2)


def test_a_worker_that_has_lost_its_run_forgets_nothing_of_it(store: Store) -> None:
    run = store.create_run(Config(), claimed=True)
    store.reports.add_point(run.id, AccuracyPoint(0, 0.5, 1.0, 0.1))
    with another_machine(), pytest.raises(RunLostError):
        store.reports.set_begun(run.id, 0, 1, "numpy")
    assert len(store.points(run.id)) == 1
