"""A double click and a key held down start one run, which is on show, in Chromium; so does a second tap."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from rnnlab.config import Config
from rnnlab.dashboard.session import SECOND_PRESS, Session
from rnnlab.store.store import Store
from tests import dashboard
from tests.pages import lab
from tests.waiting import wait_for
from tests.workers import workers_of


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def url(home: Path) -> Iterator[str]:
    """Serve a dashboard; what it has started ends with it."""
    with dashboard.dashboard({"RNNLAB_HOME": str(home)}) as (address, _):
        yield address
    for worker in workers_of(home):
        worker.kill()


def runs_after(page: Page, home: Path, neurons: int, known: int) -> list[str]:
    """Return the names of the runs, the newest first, after the server has handled all that went before.

    The newest one is on show first: settings that change while a press is on its way would be pressed, too.
    """
    status = page.locator(".st-key-status")
    with Store(home) as store:
        wait_for(lambda: len(store.runs()) > known, "a new run")
        wait_for(lambda: store.runs()[0].id in status.inner_text(), "the run to be on show")
        dashboard.set_number(page, "neurons", neurons)
        expect(page).to_have_url(re.compile(rf"neurons={neurons}\b"))
        return [run.id for run in store.runs()]


def test_a_double_click_and_a_key_held_down_start_one_run_which_is_on_show(
    page: Page, url: str, home: Path
) -> None:
    status = page.locator(".st-key-status")
    dashboard.ready(page, f"{url}/?dataset=digits&iterations=100000")
    page.get_by_role("button", name="Start the first run").dblclick()
    (first,) = runs_after(page, home, 16, known=0)
    expect(status).to_contain_text(first)
    with Store(home) as store:
        assert store.run(first).state.is_active
        assert not store.run(first).stop_requested
        assert not store.run(first).is_pausing

    start = page.locator(".st-key-start").get_by_role("button")
    start.dblclick()
    second, *others = runs_after(page, home, 17, known=1)
    assert others == [first]
    expect(status).to_contain_text(second)

    start.focus()
    for _ in range(20):
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    third, *others = runs_after(page, home, 18, known=2)
    assert others == [second, first]
    expect(status).to_contain_text(third)

    stop = status.get_by_role("button", name="Stop")
    stop.click()  # waits until it can be pressed
    expect(status).to_contain_text("stopped")


def test_a_second_tap_or_a_key_held_down_for_long_starts_nothing_and_other_settings_start_another_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr("rnnlab.dashboard.session.time.monotonic", lambda: now)
    session, config = Session(), Config()
    assert not session.is_second_press(config)
    for _ in range(9):
        now += 60.0  # however long the answer takes
        session.answer_press()
        now += SECOND_PRESS / 2
        assert session.is_second_press(config)
        now += SECOND_PRESS  # one that waited behind it
        assert session.is_second_press(config)
    assert not session.is_second_press(Config(neurons=64))
    session.answer_press()
    now += SECOND_PRESS
    session.answer_press()  # by further renderings of the page
    assert not session.is_second_press(Config(neurons=64))


@pytest.mark.usefixtures("no_workers")
def test_a_press_that_waited_behind_a_slow_answer_starts_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0

    def slowly() -> str:
        nonlocal now
        now += 10 * SECOND_PRESS
        return "digits"

    monkeypatch.setattr("rnnlab.dashboard.session.time.monotonic", lambda: now)
    monkeypatch.setattr("rnnlab.data.datasets.availability", slowly)
    app = lab()
    for _ in range(3):
        app.button(key="start").click().run()
    assert len(store.runs()) == 1
    now += SECOND_PRESS
    app.button(key="start").click().run()
    assert len(store.runs()) == 2
