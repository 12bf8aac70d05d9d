"""Rows of the database that hold what no version of the lab would write: one such row is one damaged run.

All other runs are listed, shown and go on, and every line of JSON is valid.
"""

from __future__ import annotations

import itertools
import json
import math
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from rnnlab.__main__ import main
from rnnlab.cli.output import print_json
from rnnlab.config import Config
from rnnlab.dashboard.charts.curve_data import EMPTY_CURVE
from rnnlab.dashboard.text import duration
from rnnlab.runs import AccuracyPoint, RunState, TestPoint
from rnnlab.store import schema
from rnnlab.store.database import StoreError
from rnnlab.store.store import Store
from rnnlab.system.process_identity import ProcessIdentity, this_machine
from tests.pages import lab, shown, texts

TEXTS = [
    *("", "abc", "NaN", "20", "../../etc/passwd", "calm-otter-3f9a/..", "\x1b[2J", "[]", "{}", "null", '"x"'),
    *("[" * 20_000, '{"iterations": 1e999}', '{"neurons": ' + "9" * 5000 + "}"),
    *('[{"step": 1e999, "name": "iterations", "value": 60}]', '[{"step": 1, "name": "neurons", "value": 8}]'),
    *("a" * 300 + "-b-0000", "training", "queued", "x 1 1", "x -1 nan", "x " + "9" * 40 + " 1"),
]
NUMBERS = [2**62, -(2**63), -1, 0, 1, 1e300, -1e300, math.inf, -math.inf, math.nan, 0.5, 2**53 + 1]
VALUES: list[Any] = [None, b"", b"\xff\x00", *NUMBERS, *TEXTS]
ANYTHING = st.one_of(
    st.sampled_from(VALUES),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.binary(),
    st.text(st.characters(exclude_categories=["Cs"])),
)
RUN_COLUMNS = schema.COLUMNS["runs"]


def loosen(path: Path) -> None:
    """Give all tables of a home the same columns without checks, as somebody's own program might have."""
    with closing(sqlite3.connect(path)) as connection:
        for table in schema.COLUMNS:
            connection.execute(f"CREATE TABLE loose AS SELECT * FROM {table}")  # noqa: S608
            connection.execute(f"DROP TABLE {table}")
            connection.execute(f"ALTER TABLE loose RENAME TO {table}")
        connection.commit()


@pytest.fixture
def rows(own_home: Path) -> dict[RunState, str]:
    """Return the runs of a home without checks: a whole one, which is the oldest, and one of each state."""
    states = [RunState.FINISHED, RunState.QUEUED, RunState.TRAINING, RunState.PAUSED, RunState.INTERRUPTED]
    with Store(own_home) as store:
        runs = {
            state: store.create_run(Config(), claimed=state is not RunState.QUEUED).id for state in states
        }
        for state, run in runs.items():
            if state is not RunState.QUEUED:
                store.reports.add_point(run, AccuracyPoint(0, 0.5, 1.0, 1.0))
                store.reports.add_test(run, TestPoint(1, 0.5))
        store.reports.set_paused(runs[RunState.PAUSED])
        for state in (RunState.FINISHED, RunState.INTERRUPTED):
            store.reports.end_run(runs[state], state)
        store.workers.beat("worker")
    loosen(own_home / "runs.sqlite3")
    return runs


def put(store: Store, table: str, column: str, value: object, *, where: str = "id", key: object) -> None:
    store._database.execute(f"UPDATE {table} SET {column} = ? WHERE {where} = ?", (value, key))  # noqa: S608


def ask_everything(store: Store) -> None:
    """Read what pages and commands read, and look after workers; only sentences may come of it."""
    for run in store.runs():
        assert duration(run.seconds)
        assert run.step / run.iterations >= 0
        store.files(run.id)
        EMPTY_CURVE.extended(store.points(run.id)).steps_per_second()
        assert all(math.isfinite(test.accuracy) for test in store.tests(run.id))
        assert isinstance(store.branches(run.id), int)
        json.dumps([run.step, run.seconds, run.created, run.test_accuracy], allow_nan=False)
    for entry in store.damaged_runs():
        assert len(entry.problem.splitlines()) == 1
        assert len(entry.problem) < 300
    for ask in (store.current_run, store.active_runs, store.queue, store.reports.mark_interrupted):
        ask()


def test_any_value_in_any_column_of_a_run_costs_no_other_run(
    rows: dict[RunState, str], own_home: Path
) -> None:
    with Store(own_home) as store:
        store._database.execute("PRAGMA synchronous = OFF")  # thousands of changes, and no power cut
        store._database.execute("CREATE TABLE kept AS SELECT * FROM runs")
        damaged = 0
        states = itertools.cycle([RunState.QUEUED, RunState.TRAINING, RunState.PAUSED, RunState.TRAINING])
        for (column, value), state in zip(itertools.product(RUN_COLUMNS, VALUES), states, strict=False):
            put(store, "runs", column, value, key=rows[state])
            ask_everything(store)
            listed, entries = {run.id for run in store.runs()}, store.damaged_runs()
            assert listed >= set(rows.values()) - {rows[state]}, (column, value)
            assert len(listed) + len(entries) == len(rows), (column, value)
            damaged += len(entries)
            store._database.execute("DELETE FROM runs")
            store._database.execute("INSERT INTO runs SELECT * FROM kept")
        assert damaged > 400


def test_any_value_in_a_point_costs_that_point_alone(rows: dict[RunState, str], own_home: Path) -> None:
    run = rows[RunState.FINISHED]
    with Store(own_home) as store:
        store._database.execute("PRAGMA synchronous = OFF")
        for table in ("points", "tests"):
            for column in schema.COLUMNS[table]:
                for value in VALUES:
                    store._database.execute(f"DELETE FROM {table}")  # noqa: S608
                    for step in (0, 20):
                        marks = ", ".join("?" * len(schema.COLUMNS[table]))
                        whole = (run, step, 0.5, 1.0, 1.0)[: len(schema.COLUMNS[table])]
                        store._database.execute(f"INSERT INTO {table} VALUES ({marks})", whole)  # noqa: S608
                    put(store, table, column, value, where="step", key=20)
                    found: list[Any] = store.points(run) if table == "points" else list(store.tests(run))
                    assert found[0].step == 0, (table, column, value)
                    assert all(math.isfinite(each.accuracy) for each in found)
                    EMPTY_CURVE.extended(store.points(run))


def test_any_value_in_the_list_of_workers_keeps_none_from_being_started(
    rows: dict[RunState, str], own_home: Path
) -> None:
    gone = str(ProcessIdentity(this_machine(), 2**31 - 2, 1.0))
    with Store(own_home) as store:
        store._database.execute("PRAGMA synchronous = OFF")
        for column in ("id", "process", "heartbeat"):
            for value in VALUES:
                store._database.execute("DELETE FROM workers")
                store._database.execute("INSERT INTO workers VALUES ('w', 1, 1.0, ?)", (gone,))
                put(store, "workers", column, value, key="w")
                assert store.workers.reserve(1) is not None, (column, value)
        for value in VALUES:  # of whose process nothing is known, and which may still live
            store._database.execute("DELETE FROM workers")
            store._database.execute("INSERT INTO workers VALUES ('w', 1, 1.0, ?)", (value,))
            store.workers.reserve(1)


def refuse(number: str) -> NoReturn:
    raise AssertionError(f"{number} is not JSON")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(RUN_COLUMNS), ANYTHING, st.sampled_from(list(RunState)))
@example("heartbeat", "abc", RunState.TRAINING)
@example("step", b"\x01", RunState.FINISHED)
@example("seconds", math.inf, RunState.FINISHED)
@example("test_accuracy", "high", RunState.FINISHED)
@example("test_accuracy", math.inf, RunState.FINISHED)
@example("id", None, RunState.QUEUED)
@example("id", "../../etc", RunState.INTERRUPTED)
def test_commands_list_a_damaged_run_as_damaged_and_work_on_the_others(
    make_rows: Callable[[], tuple[Path, dict[RunState, str]]],
    capsys: pytest.CaptureFixture[str],
    column: str,
    value: object,
    state: RunState,
) -> None:
    home, runs = make_rows()
    victim = runs.get(state, runs[RunState.INTERRUPTED])
    with closing(sqlite3.connect(home / "runs.sqlite3")) as connection:
        connection.execute(f"UPDATE runs SET {column} = ? WHERE id = ?", (value, victim))  # noqa: S608
        connection.commit()
    capsys.readouterr()
    assert main(["runs", "--json", "--home", str(home)]) == 0
    lines = [json.loads(line, parse_constant=refuse) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == len(runs)
    assert len({frozenset(line) for line in lines}) == 1  # all have the same keys
    assert {line["run"] for line in lines} >= set(runs.values()) - {victim}
    damaged = [line for line in lines if line["state"] == "damaged"]
    assert all("is damaged" in line["message"] for line in damaged)
    assert main(["runs", "--home", str(home)]) == 0
    printed = capsys.readouterr().out
    assert all(line["message"] in printed for line in damaged)
    assert printed.isprintable() or "\x1b" not in printed
    other = next(run for run in runs.values() if run != victim)
    with Store(home) as store, pytest.raises(StoreError, match="choose a run"):
        store.create_run(Config(), parent=other)


@pytest.fixture
def make_rows(
    rows: dict[RunState, str], own_home: Path, tmp_path: Path
) -> Callable[[], tuple[Path, dict[RunState, str]]]:
    """Return what gives each example the same home anew."""
    whole = (own_home / "runs.sqlite3").read_bytes()

    def make() -> tuple[Path, dict[RunState, str]]:
        for path in own_home.glob("runs.sqlite3*"):
            path.unlink()
        (own_home / "runs.sqlite3").write_bytes(whole)
        return own_home, rows

    return make


def test_a_command_on_a_damaged_run_ends_with_a_sentence_that_names_it(
    rows: dict[RunState, str], own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    victim = rows[RunState.INTERRUPTED]
    with Store(own_home) as store:
        put(store, "runs", "step", "abc", key=victim)
    for command in (["resume", victim], ["evaluate", victim[:-1]], ["read", victim, "7.png"]):
        with pytest.raises(SystemExit) as ended:
            main(command)
        assert ended.value.code == 2
        error = capsys.readouterr().err
        assert f"The entry of '{victim}' in the list of runs is damaged (its step is 'abc')" in error
        assert len(error.splitlines()) == 1


@pytest.mark.parametrize("value", ["abc", None, b"x", math.inf])
def test_another_run_is_resumed_whatever_the_heartbeat_of_a_damaged_one(
    rows: dict[RunState, str], own_home: Path, capsys: pytest.CaptureFixture[str], value: object
) -> None:
    with Store(own_home) as store:
        put(store, "runs", "heartbeat", value, key=rows[RunState.PAUSED])
    other = rows[RunState.TRAINING]
    assert main(["resume", other]) == 1
    error = capsys.readouterr().err
    assert f"{other} is training and cannot be resumed here" in error
    assert len(error.splitlines()) == 1


def test_numbers_that_json_lacks_are_printed_as_null(capsys: pytest.CaptureFixture[str]) -> None:
    print_json(rate=math.nan, beliefs=[[0.5, -math.inf]], ended={"at": math.inf}, step=1)
    printed = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert printed == {"rate": None, "beliefs": [[0.5, None]], "ended": {"at": None}, "step": 1}


def test_a_worker_passes_over_damaged_runs_and_takes_the_next_one(own_home: Path) -> None:
    with Store(own_home) as store:
        runs = [store.create_run(Config()).id for _ in range(4)]
    loosen(own_home / "runs.sqlite3")
    with Store(own_home) as store:
        for run, (column, value) in zip(runs, [("id", None), ("id", b"x"), ("config", "{")], strict=False):
            put(store, "runs", column, value, key=run)
        claimed = store.reports.claim()
        assert claimed is not None
        assert claimed.id == runs[3]
        assert not store.reports.has_queued_runs()
        assert store.reports.claim() is None


def test_a_new_list_refuses_values_of_another_type(store: Store) -> None:
    run = store.create_run(Config())
    for column, value in (("heartbeat", "abc"), ("step", b"\x01"), ("test_accuracy", "high"), ("id", None)):
        with pytest.raises(sqlite3.IntegrityError):
            put(store, "runs", column, value, key=run.id)
    assert store.run(run.id) == run


def test_one_value_against_the_checks_does_not_count_as_a_damaged_list(own_home: Path) -> None:
    with Store(own_home) as store:
        run, other = store.create_run(Config()).id, store.create_run(Config()).id
    with closing(sqlite3.connect(own_home / "runs.sqlite3")) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("UPDATE runs SET step = 'abc' WHERE id = ?", (run,))
        connection.commit()
    with Store(own_home) as store:
        assert store.notice == ""
        assert [each.id for each in store.runs()] == [other]
        assert [entry.name for entry in store.damaged_runs()] == [run]


@pytest.mark.usefixtures("no_workers")
def test_the_pages_name_damaged_runs_and_show_the_others(rows: dict[RunState, str], own_home: Path) -> None:
    def history() -> None:
        from rnnlab.dashboard.pages import runs_page

        runs_page.render()

    with Store(own_home) as store:
        whole = {rows[RunState.FINISHED], rows[RunState.TRAINING]}
        damaged = [run for run in rows.values() if run not in whole]
        for run, (column, value) in zip(
            damaged, [("step", "abc"), ("id", "../x"), ("created", math.inf)], strict=True
        ):
            put(store, "runs", column, value, key=run)
    app = shown(AppTest.from_function(history, default_timeout=30).run())
    assert set(app.dataframe[0].value["run"]) == whole
    assert len([each for each in app.warning if "is damaged" in str(each.value)]) == 3
    told = texts(lab(run=damaged[0])).replace("\\", "")
    assert f"The entry of '{damaged[0]}' in the list of runs is damaged" in told
