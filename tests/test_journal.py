"""Folders on which SQLite can have no write-ahead log, such as network homes: everything works there, too."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from playwright.sync_api import Browser, expect

from rnnlab.config import Config
from rnnlab.runs import AccuracyPoint, RunState
from rnnlab.store import database, journal
from rnnlab.store.database import StoreError
from rnnlab.store.store import Store
from rnnlab.system.mounts import is_on_network
from rnnlab.worker.launcher import LocalLauncher
from tests import dashboard
from tests.waiting import wait_for
from tests.workers import LONG, SHORT, end_workers, start, wait_for_points, wait_until, workers_of

LOCKS_BY_FOLDERS = """
import sqlite3
connect = sqlite3.connect
sqlite3.connect = lambda path, *a, **k: connect(f"file:{path}?vfs=unix-dotfile", *a, uri=True, **k)
"""
"""Makes SQLite work as on a network home without locks and shared memory, in every process that begins."""


@pytest.fixture
def no_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no process of the test have a write-ahead log."""
    if os.name == "nt":
        pytest.skip("SQLite has other ways to lock files on Windows")
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(LOCKS_BY_FOLDERS)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setattr(sqlite3, "connect", sqlite3.connect)
    exec(LOCKS_BY_FOLDERS, {})  # noqa: S102 the same for this process


@pytest.fixture
def on_network(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Return what makes all folders lie on a network, or none."""

    def set_answer(answer: bool) -> None:
        monkeypatch.setattr(journal, "is_on_network", lambda _: answer)

    set_answer(False)
    return set_answer


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait long for locks."""
    for name in ("_TURN_SECONDS", "_OPENING_SECONDS", "_BUSY_SECONDS"):
        monkeypatch.setattr(database, name, 0.2)


def journal_of(home: Path) -> str:
    with closing(sqlite3.connect(home / "runs.sqlite3")) as connection:
        return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


def use(home: Path) -> None:
    """Open a store twice, read and write in both."""
    with Store(home) as one, Store(home) as other:
        run = one.create_run(Config(), claimed=True)
        other.requests.stop(run.id)
        assert one.reports.pending_requests(run.id).stop
        one.reports.add_point(run.id, AccuracyPoint(0, 0.1, 2.3, 0.0))
        assert other.run(run.id).state is RunState.TRAINING
        one.sync()


def test_a_new_home_has_a_write_ahead_log(own_home: Path, on_network: object) -> None:
    use(own_home)
    assert journal_of(own_home) == "wal"


def test_without_a_write_ahead_log_a_store_has_a_rollback_journal(own_home: Path, no_log: None) -> None:
    use(own_home)
    assert journal_of(own_home) == "delete"


def test_a_home_that_comes_from_elsewhere_with_a_log_is_taken_over_with_its_runs(
    own_home: Path, on_network: object, request: pytest.FixtureRequest
) -> None:
    use(own_home)
    request.getfixturevalue("no_log")
    with Store(own_home) as store:
        assert len(store.runs()) == 1
    use(own_home)
    assert journal_of(own_home) == "delete"


def test_where_processes_cannot_share_memory_a_rollback_journal_does(
    own_home: Path, on_network: object
) -> None:
    (own_home / "runs.sqlite3-shm").mkdir(parents=True)  # where SQLite puts that memory
    use(own_home)
    assert journal_of(own_home) == "delete"


def test_on_a_network_there_is_no_log_even_if_sqlite_would_have_one(
    own_home: Path, on_network: Callable[[bool], None]
) -> None:
    """Each machine would see its own shared memory, and the database would be damaged."""
    use(own_home)
    on_network(True)
    use(own_home)
    assert journal_of(own_home) == "delete"
    on_network(False)  # on the machine that has the disk
    use(own_home)
    assert journal_of(own_home) == "delete"
    with Store(own_home) as store:
        assert len(store.runs()) == 3


def test_a_log_that_is_in_use_elsewhere_is_left_alone(
    own_home: Path, on_network: Callable[[bool], None], impatient: None
) -> None:
    with Store(own_home) as elsewhere:
        run = elsewhere.create_run(Config())
        on_network(True)
        with pytest.raises(StoreError, match="another program holds it"):
            Store(own_home)
        assert elsewhere.run(run.id) == run
        on_network(False)
        use(own_home)


def test_a_folder_on_which_everything_stays_locked_is_refused_within_ten_seconds(
    own_home: Path, no_log: None, request: pytest.FixtureRequest
) -> None:
    assert database._TURN_SECONDS + database._OPENING_SECONDS < 10
    request.getfixturevalue("impatient")
    Store(own_home).close()
    (own_home / "runs.sqlite3.lock").mkdir()  # left behind by a process that was killed
    with pytest.raises(StoreError, match=r"files cannot be locked there.*choose another one") as told:
        Store(own_home)
    assert len(str(told.value).splitlines()) == 1


def test_a_write_that_waited_for_readers_in_vain_leaves_nothing_behind(
    own_home: Path, on_network: Callable[[bool], None], impatient: None
) -> None:
    on_network(True)
    with Store(own_home) as store, closing(sqlite3.connect(own_home / "runs.sqlite3")) as reader:
        run = store.create_run(Config())
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM runs").fetchall()
        with pytest.raises(StoreError, match="locked"):
            store.create_run(Config())
        reader.execute("COMMIT")
        store.requests.stop(run.id)
        assert [(each.id, each.state) for each in store.runs()] == [(run.id, RunState.STOPPED)]


@pytest.fixture
def started(no_log: None, own_home: Path) -> Iterator[tuple[Store, LocalLauncher]]:
    """Open a store without a log, with a launcher whose workers are gone after the test."""
    with Store(own_home) as store:
        launcher = LocalLauncher(store)
        yield store, launcher
        end_workers(store, launcher)


@pytest.mark.slow
def test_worker_command_line_and_dashboard_work_without_a_log(
    started: tuple[Store, LocalLauncher], own_home: Path, chromium: Browser
) -> None:
    store, launcher = started
    run = start(store, launcher, SHORT)
    wait_until(store, run, RunState.FINISHED)
    listed = subprocess.run(
        [sys.executable, "-m", "rnnlab", "runs"], capture_output=True, text=True, check=True
    )
    assert run.id in listed.stdout
    assert "finished" in listed.stdout
    path = os.pathsep.join([str(dashboard.ROOT), os.environ["PYTHONPATH"]])
    with dashboard.dashboard({"RNNLAB_HOME": str(own_home), "PYTHONPATH": path}) as (url, _):
        page = chromium.new_page()
        dashboard.ready(page, url)
        expect(page.locator(".st-key-status")).to_contain_text(run.id)
        live = start(store, launcher, LONG)
        page.goto(f"{url}/?run={live.id}")
        dashboard.ready_again(page)
        wait_for_points(store, live, 3)
        page.get_by_role("button", name="Stop").click()
        wait_until(store, live, RunState.STOPPED)
        expect(page.locator(".st-key-status")).to_contain_text("stopped")
        page.close()
    wait_for(lambda: not workers_of(own_home), "the worker to leave")
    assert journal_of(own_home) == "delete"


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/home/ann/runs", True),
        ("/home/ann", True),
        ("/home/bob", False),
        ("/mnt/host/runs", True),
        ("/mnt/disk", False),
        ("/srv/remote", True),
        ("/homely", False),
    ],
)
def test_a_folder_on_a_network_is_known_by_the_mount_that_it_lies_on(
    folder: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mount(point: str, kind: str, options: str = "rw") -> SimpleNamespace:
        return SimpleNamespace(mountpoint=point, fstype=kind, opts=options)

    mounts = [
        mount("/", "ext4"),
        mount("/home", "autofs"),
        mount("/home/ann", "ext4"),
        mount("/home/ann", "nfs4"),
        mount("/mnt/host", "fuse.vmhgfs-fuse"),
        mount("/mnt/disk", "fuse.ntfs-3g"),
        mount("/srv/remote", "NTFS", "rw,remote"),
    ]
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: mounts)
    assert is_on_network(Path(folder)) is expected


def test_a_system_that_does_not_tell_its_mounts_has_no_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def unreadable(**_: object) -> list[object]:
        raise PermissionError

    monkeypatch.setattr(psutil, "disk_partitions", unreadable)
    assert not is_on_network(tmp_path)
