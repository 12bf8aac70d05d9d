"""What several test files need: homes, data, digits drawn with a pen."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from rnnlab.data.datasets import Dataset, bundled_digits
from rnnlab.store.store import Store
from rnnlab.worker.launcher import LocalLauncher
from tests import dashboard
from tests.pens import draw_digit
from tests.workers import end_workers


def pytest_configure() -> None:
    """Divide the cores among tests that run at the same time: runs that share cores hold each other up."""
    if processes := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):
        os.environ.setdefault("RNNLAB_CORES", str(max(1, joblib.cpu_count() // processes)))


SLOW_FIXTURES = {"chromium", "launcher", "playwright", "url"}
"""Start browsers, workers and dashboards; tests that use them are slow."""

SLOW_FILES = {"robust_reading", "ci", "teaching"}
"""Train for seconds before their first test, or run tests of their own."""

FIRST = (
    "many_visitors",
    "live_browser",
    "tab_browser",
    "canvas_stays",
    "reading_orders_browser",
    "faults",
    "browser",
    "windows",
    "damage",
    "worker",
)
"""Files of long tests, which come first, so that at the end no process waits for another."""

TOGETHER = {
    *("live_browser", "windows", "evaluation_browser", "tab_browser", "runs_browser"),
    *("package", "robust_reading", "pen_input", "lab_controls", "teaching_browser", "keyboard", "axe"),
    "reading_orders_browser",
}
"""Files whose tests share something that takes long to make, such as a dashboard: one process runs each."""


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow, say which tests one process must run, and put long tests first."""
    for item in items:
        if SLOW_FIXTURES & set(getattr(item, "fixturenames", ())) or _file_of(item) in SLOW_FILES:
            item.add_marker(pytest.mark.slow)
        if _file_of(item) in TOGETHER:
            item.add_marker(pytest.mark.xdist_group(_file_of(item)))
    items.sort(key=lambda item: FIRST.index(_file_of(item)) if _file_of(item) in FIRST else len(FIRST))


def _file_of(item: pytest.Item) -> str:
    """Return the name of a test's file without its beginning and its end."""
    return item.path.stem.removeprefix("test_")


@pytest.fixture
def every_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let training use all cores, as it does outside of tests."""
    monkeypatch.delenv("RNNLAB_CORES", raising=False)


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give every test a home of its own, so that none touches the runs of the person who runs it."""
    home = tmp_path / "home"
    monkeypatch.setenv("RNNLAB_HOME", str(home))
    monkeypatch.setenv("RNNLAB_WORKER_IDLE_SECONDS", "0")
    monkeypatch.setattr("pooch.core.time", SimpleNamespace(sleep=lambda _: None))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return home


@pytest.fixture
def store(own_home: Path) -> Iterator[Store]:
    with Store(own_home) as opened:
        yield opened


@pytest.fixture
def no_workers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keep the pages from starting processes; return a list of what they would have started."""
    woken: list[str] = []
    monkeypatch.setattr(LocalLauncher, "wake", lambda _: woken.append("worker"))
    monkeypatch.setattr(LocalLauncher, "reap", lambda _: None)
    return woken


@pytest.fixture
def launcher(store: Store) -> Iterator[LocalLauncher]:
    """Return a launcher whose workers are all gone after the test."""
    launcher = LocalLauncher(store)
    yield launcher
    end_workers(store, launcher)


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return bundled_digits()


@pytest.fixture(scope="session")
def mnist_folder() -> Path:
    """Return the folder of MNIST's files; skip the test if there is none."""
    folder = os.environ.get("RNNLAB_MNIST_DIR")
    if not folder:
        pytest.skip("RNNLAB_MNIST_DIR names no folder with MNIST")
    return Path(folder)


@pytest.fixture
def seven() -> NDArray[np.uint8]:
    """Return a canvas with a drawn 7, RGBA, 280 x 280."""
    return draw_digit("7")


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Return what drives browsers; skip if there is none, unless one is required."""
    if dashboard.chromium() is None:
        if os.environ.get("RNNLAB_REQUIRE_BROWSER"):
            pytest.fail("RNNLAB_REQUIRE_BROWSER is set, but there is no Chromium; install it.", pytrace=False)
        pytest.skip("there is no Chromium on this machine")
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """Return one browser for all tests."""
    started = dashboard.open_browser(playwright)
    yield started
    started.close()


@pytest.fixture(scope="session")
def url_of_an_ended_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start one dashboard for all tests that start nothing, on a run of the bundled digits that has ended."""
    home = tmp_path_factory.mktemp("home")
    dashboard.add_ended_run(home)
    with dashboard.dashboard({"RNNLAB_HOME": str(home)}) as (address, _):
        yield address


@pytest.fixture
def page(chromium: Browser, url: str) -> Iterator[Page]:
    """Return a page that must not report any error in its console; it is closed before its dashboard is."""
    opened = chromium.new_page(viewport={"width": 1440, "height": 1000})
    errors = dashboard.errors_of(opened)
    yield opened
    exceptions = opened.locator("[data-testid=stException]").count()
    opened.close()
    assert errors == []
    assert exceptions == 0
