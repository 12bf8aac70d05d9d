"""What is saved of a damaged list of runs: rows of it, records beside the weights, points."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rnnlab.__main__ import main
from rnnlab.config import Config
from rnnlab.runs import AccuracyPoint, Run, RunState, TestPoint
from rnnlab.store.database import StoreError
from rnnlab.store.rows import run_from_row
from rnnlab.store.run_records import read_records
from rnnlab.store.store import Store
from tests import dashboard
from tests.mutations import mutated
from tests.pages import add_run, lab, texts
from tests.weights import random_weights
from tests.workers import LONG, SHORT

POINTS = 1000
"""Points of each run."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Run]]:
    """Return a home with three runs in it: one that has finished, one that trains, one that waits."""
    home = tmp_path_factory.mktemp("whole")
    with Store(home) as store:
        for _ in range(2):
            run = store.create_run(LONG, claimed=True, owner="somebody")
            for step in range(0, 20 * POINTS, 20):
                store.reports.add_point(run.id, AccuracyPoint(step, 0.5, 1.0, 1.0))
            store.reports.add_test(run.id, TestPoint(20 * POINTS, 0.75))
            random_weights(8).save(store.files(run.id).weights, 20 * POINTS)
            store.reports.save_record(run.id)
            if len(store.runs()) == 1:
                store.reports.end_run(run.id, RunState.FINISHED, step=20 * POINTS, seconds=9.0)
        store.create_run(SHORT)
        return home, {run.id: run for run in store.runs()}


def damage(path: Path, start: int, stop: int) -> None:
    content = bytearray(path.read_bytes())
    content[start:stop] = b"\xff" * (stop - start)
    path.write_bytes(content)


def check_all_listed(store: Store, runs: dict[str, Run]) -> None:
    """Check that runs are as they were; one that trained may be said to be interrupted."""
    listed = {run.id: run for run in store.runs()}
    assert listed.keys() == runs.keys()
    for before in runs.values():
        now = listed[before.id]
        assert (now.config, now.created, now.owner) == (before.config, before.created, before.owner)
        assert (now.step, now.seconds, now.test_accuracy) == (
            before.step,
            before.seconds,
            before.test_accuracy,
        )
        expected = {before.state} | ({RunState.INTERRUPTED} if before.state is RunState.TRAINING else set())
        assert now.state in expected


def copied(whole: tuple[Path, dict[str, Run]], own_home: Path) -> dict[str, Run]:
    """Copy the whole home to one that a test may damage; return its runs."""
    home, runs = whole
    shutil.copytree(home, own_home)
    return runs


@pytest.mark.parametrize(
    ("start", "stop", "least"),
    [(0.0, 100, 1.0), (0.0, 4096, 1.0), (0.0, 8192, 1.0), (0.5, 8192, 0.7), (0.97, 100_000, 0.8)],
    ids=["header", "first page", "all rows of runs", "pages of points", "last pages"],
)
def test_all_runs_are_listed_again_and_of_their_points_what_is_left(
    whole: tuple[Path, dict[str, Run]], own_home: Path, start: float, stop: int, least: float
) -> None:
    runs = copied(whole, own_home)
    path = own_home / "runs.sqlite3"
    size = path.stat().st_size
    assert size > 100_000
    first = int(start * size) // 4096 * 4096
    damage(path, first, min(first + stop, size))
    with Store(own_home) as store:
        assert "is kept as runs.sqlite3.damaged; 3 of its runs were recovered" in store.notice
        check_all_listed(store, runs)
        for run in runs.values():
            if run.state is not RunState.QUEUED:
                assert len(store.points(run.id)) >= least * POINTS
        store.create_run(SHORT)
    assert (own_home / "runs.sqlite3.damaged").stat().st_size == size
    with Store(own_home) as store:
        assert store.notice == ""
        assert len(store.runs()) == 4


@pytest.mark.parametrize(
    "content", [None, b"", b"not a database at all" * 1000], ids=["missing", "empty", "text"]
)
def test_runs_are_listed_again_from_their_folders_if_nothing_is_left_of_the_list(
    whole: tuple[Path, dict[str, Run]], own_home: Path, content: bytes | None
) -> None:
    runs = copied(whole, own_home)
    if content is None:
        (own_home / "runs.sqlite3").unlink()
    else:
        (own_home / "runs.sqlite3").write_bytes(content)
    with Store(own_home) as store:
        assert len(store.notice.splitlines()) == 1
        check_all_listed(store, runs)
        (interrupted,) = [run for run in store.runs() if run.state is RunState.INTERRUPTED]
        assert "The list of runs was damaged" in interrupted.message
        store.requests.resume(interrupted.id)
        assert store.reports.claim(interrupted.id) is not None


def test_random_damages_lose_no_run(whole: tuple[Path, dict[str, Run]], tmp_path: Path) -> None:
    home, runs = whole
    chance = random.Random(0)  # noqa: S311
    told = 0
    for number in range(25):
        copy = tmp_path / f"damaged-{number}"
        shutil.copytree(home, copy)
        path = copy / "runs.sqlite3"
        content = bytearray(path.read_bytes())
        for _ in range(chance.choice([1, 3, 20])):
            start = chance.choice([chance.randrange(len(content)), chance.randrange(20_000)])
            length = min(chance.choice([1, 16, 4096, 50_000]), len(content) - start)
            content[start : start + length] = chance.randbytes(length)
        path.write_bytes(content[: chance.choice([len(content), len(content) // 2])])
        with Store(copy) as store:
            damaged = {run.name for run in store.damaged_runs()}
            listed = {run.id for run in store.runs()}
            assert listed | damaged >= runs.keys(), number
            if store.notice:
                told += 1
                assert listed == runs.keys(), number
    assert told > 10


def test_a_recovery_that_is_cut_short_is_made_anew(
    whole: tuple[Path, dict[str, Run]], own_home: Path
) -> None:
    runs = copied(whole, own_home)
    damage(own_home / "runs.sqlite3", 0, 100)
    code = "import os, sys; from pathlib import Path; from rnnlab.store import recovery, store\n"
    code += "recovery._save_points = lambda *_: os._exit(9)\nstore.Store(Path(sys.argv[1]))"
    killed = subprocess.run([sys.executable, "-c", code, str(own_home)], check=False)
    assert killed.returncode == 9
    with Store(own_home) as store:
        check_all_listed(store, runs)
    assert (own_home / "runs.sqlite3.damaged").exists()


def test_a_list_that_cannot_be_recovered_now_is_left_as_it_was(
    whole: tuple[Path, dict[str, Run]], own_home: Path
) -> None:
    runs = copied(whole, own_home)
    damage(own_home / "runs.sqlite3", 0, 100)
    before = (own_home / "runs.sqlite3").read_bytes()
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(StoreError) as told:
            Store(own_home)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert len(str(told.value).splitlines()) == 1
    assert (own_home / "runs.sqlite3").read_bytes() == before
    assert not list(own_home.glob("*.damaged*"))
    with Store(own_home) as store:
        check_all_listed(store, runs)


def test_a_damaged_record_is_passed_over(whole: tuple[Path, dict[str, Run]], own_home: Path) -> None:
    runs = copied(whole, own_home)
    (own_home / "runs.sqlite3").write_bytes(b"")
    broken, other, last = runs
    (own_home / broken / "run.json").write_text("[" * 100_000)
    record = json.loads((own_home / other / "run.json").read_text())
    (own_home / other / "run.json").write_text(json.dumps(record | {"created": float("nan")}))
    (own_home / "calm-otter-3f9a" / "run.json").mkdir(parents=True)
    (own_home / "brave-bat-0000").mkdir()
    (own_home / "brave-bat-0000" / "run.json").write_text(json.dumps(record | {"id": "../elsewhere"}))
    (own_home / "no-name").mkdir()
    (own_home / "no-name" / "run.json").write_text(json.dumps(record))
    with Store(own_home) as store:
        assert {run.id for run in store.runs()} == {last, "brave-bat-0000"}
        assert store.damaged_runs() == []


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.randoms(use_true_random=False), st.binary(max_size=50)))
def test_a_record_with_changed_bytes_is_sound_or_none(
    whole: tuple[Path, dict[str, Run]], tmp_path: Path, damaged: random.Random | bytes
) -> None:
    home, runs = whole
    name = next(iter(runs))
    record = (home / name / "run.json").read_bytes()
    (tmp_path / name).mkdir(exist_ok=True)
    content = damaged if isinstance(damaged, bytes) else mutated(damaged, record)
    (tmp_path / name / "run.json").write_bytes(content)
    for columns in read_records(tmp_path):
        assert run_from_row(tuple(columns.values())).id == name


def test_commands_tell_that_the_list_was_damaged_and_work_on_what_was_saved(
    own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dashboard.add_ended_run(own_home)
    with Store(own_home) as store:
        (run,) = store.runs()
    damage(own_home / "runs.sqlite3", 0, 100)
    assert main(["runs", "--json"]) == 0
    printed = capsys.readouterr()
    assert "The list of runs was damaged" in printed.err
    assert len(printed.err.splitlines()) == 1
    assert json.loads(printed.out)["run"] == run.id
    assert main(["evaluate", "latest", "--json"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert len(json.loads(printed.out)["accuracy_by_row"]) == 28


@pytest.mark.usefixtures("no_workers")
def test_the_page_tells_that_the_list_was_damaged(own_home: Path) -> None:
    dashboard.add_ended_run(own_home)
    damage(own_home / "runs.sqlite3", 0, 100)
    assert "The list of runs was damaged" in texts(lab()).replace("\\", "")


def test_runs_of_a_version_without_records_get_them(own_home: Path) -> None:
    shutil.copytree(Path(__file__).parent / "homes" / "0.1.0", own_home)
    with Store(own_home) as store:
        runs = {run.id: run for run in store.runs() if store.files(run.id).folder.is_dir()}
    assert len(runs) == 5
    (own_home / "runs.sqlite3").write_bytes(b"")
    with Store(own_home) as store:
        check_all_listed(store, runs)


def test_a_damaged_list_of_an_older_version_is_kept_too(own_home: Path) -> None:
    with Store(own_home) as store:
        runs = {store.create_run(SHORT).id for _ in range(200)}
    path = own_home / "runs.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        for table in ("runs", "workers"):
            connection.execute(f"ALTER TABLE {table} DROP COLUMN process_identity")
        connection.execute("PRAGMA user_version = 5")
    for run in runs:
        shutil.rmtree(own_home / run)
    damage(path, path.stat().st_size - 4096, path.stat().st_size)
    with Store(own_home) as store:
        assert "of its runs were recovered" in store.notice
        saved = {run.id for run in store.runs()}
        assert saved <= runs
        assert len(saved) > 100


def test_of_many_who_open_a_damaged_list_of_runs_one_sets_it_aside(own_home: Path) -> None:
    with Store(own_home) as store:
        runs = {store.create_run(SHORT).id for _ in range(200)}
    path = own_home / "runs.sqlite3"
    size = path.stat().st_size
    damage(path, size - 4096, size)
    code = "import sys; from pathlib import Path; from rnnlab.store.store import Store; sys.stdin.read(1); "
    code += "print(len(Store(Path(sys.argv[1])).runs()))"
    command = [sys.executable, "-c", code, str(own_home)]
    openers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    for opener in openers:
        assert opener.stdin is not None
        opener.stdin.write("x")
        opener.stdin.flush()
    seen = {int(opener.communicate()[0]) for opener in openers}
    assert len(list(own_home.glob("*.damaged*"))) == 1
    assert seen == {200}
    with Store(own_home) as store:
        assert {run.id for run in store.runs()} == runs


def test_a_run_of_another_configuration_keeps_it(own_home: Path) -> None:
    with Store(own_home) as store:
        run = store.create_run(Config(neurons=24, learning_rate=0.01))
        store.requests.change(run.id, {"learning_rate": 0.02})
    (own_home / "runs.sqlite3").write_bytes(b"")
    with Store(own_home) as store:
        assert store.run(run.id).config == run.config
        assert store.run(run.id).requested == {"learning_rate": 0.02}


def test_the_record_of_a_run_that_no_worker_can_train_says_so(store: Store) -> None:
    run = store.create_run(SHORT)
    store.reports.fail_queued("No worker can be started.")
    record = json.loads(store.files(run.id).record.read_text())
    assert (record["state"], record["message"]) == ("failed", "No worker can be started.")


@pytest.mark.usefixtures("no_workers")
def test_runs_that_were_removed_are_said_to_be_gone_and_the_page_goes_on(
    store: Store, own_home: Path
) -> None:
    run = add_run(store)
    assert "step 41 of" in texts(lab())
    for path in (*own_home.glob("runs.sqlite3*"), own_home / run.id):
        path.rename(own_home / f"removed-{path.name}")
    app = lab()
    assert "removed or replaced" in texts(app)
    assert "No network has been trained yet" in texts(app)


@pytest.mark.usefixtures("no_workers")
def test_a_run_whose_list_was_removed_is_listed_again_while_the_page_is_open(
    store: Store, own_home: Path
) -> None:
    run = add_run(store)
    assert "step 41 of" in texts(lab())
    for path in own_home.glob("runs.sqlite3*"):
        path.rename(own_home / f"removed-{path.name}")
    words = texts(lab()).replace("\\", "")
    assert "The list of runs was missing; 1 of its runs was listed again" in words
    assert run.id in words
