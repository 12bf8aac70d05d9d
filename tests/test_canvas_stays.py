"""Nothing that comes or goes by itself moves the canvas: a stroke in that moment would land elsewhere.

The test itself writes into the list of runs what a worker would write: that takes no time, and every state
stays until all windows have shown it.
"""

from __future__ import annotations

import itertools
import sqlite3
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect

from rnnlab.presets import config_from
from rnnlab.runs import AccuracyPoint, Run, RunState, TestPoint
from rnnlab.store.store import Store
from tests import dashboard
from tests.waiting import wait_for
from tests.weights import random_weights
from tests.workers import workers_of

WINDOWS = {
    "projector": (1280, 720),
    "scrolled": (1440, 500),
    "narrow": (900, 900),
    "phone": (390, 844),
    "small": (360, 740),
}

FORGETFUL = """
Object.defineProperty(Document.prototype, 'cookie', { get: () => '', set: () => {} })
Object.defineProperty(window, 'localStorage', { get: () => { throw new Error('forbidden') } })
"""
"""A browser that keeps nothing for the page."""

KILLED = (
    "Its worker was killed, perhaps because the memory of this machine did not suffice for it and all else "
    "that runs there; what it had learned is saved, and Resume continues from there."
)


@pytest.fixture(scope="module")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """Return a browser whose scrollbars take room: when one appears, it must not move the canvas either."""
    started = dashboard.open_browser(playwright, scrollbars=True)
    yield started
    started.close()


@pytest.fixture
def url(own_home: Path) -> Iterator[str]:
    """Start a dashboard with a home of its own; its workers end with it."""
    environment = {"RNNLAB_HOME": str(own_home), "RNNLAB_TRAIN_AT_ONCE": "1"}
    with dashboard.dashboard(environment) as (address, _):
        yield address
    for worker in workers_of(own_home):
        worker.kill()


@pytest.fixture
def worker(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Return a store as the worker of its runs, one that counts as alive however slow this machine is.

    Its runs have long names.
    """
    names = (f"extraordinary-hippopotamus-{number:04x}" for number in itertools.count())
    monkeypatch.setattr("rnnlab.store.store.new_run_name", lambda: next(names))
    with Store(own_home, clock=lambda: time.time() + 3600) as store:
        store.workers.beat("test")
        yield store


@pytest.fixture
def windows(chromium: Browser, url: str, worker: Store) -> Iterator[dict[str, Page]]:
    """Return windows of all kinds that show the Lab before there is any run, with a warning."""
    opened = {}
    for kind, (width, height) in WINDOWS.items():
        page = opened[kind] = chromium.new_page(viewport={"width": width, "height": height})
        page.goto(f"{url}/?neurons=none", wait_until="commit")
    for page in opened.values():
        dashboard.ready_again(page)
        expect(page.get_by_text("neurons must be")).to_be_visible()
    main = opened["scrolled"].get_by_test_id("stMain")
    assert main.evaluate("(main) => { main.scrollTop = 180; return main.scrollTop }") == 180
    for page in opened.values():
        dashboard.note_places(page)
    yield opened
    for page in opened.values():
        page.close()


def all_show(windows: dict[str, Page], words: str) -> None:
    """Wait until the status says something in every window."""
    for page in windows.values():
        expect(page.locator(".st-key-lab_status")).to_contain_text(words)


def learn(worker: Store, run: Run) -> None:
    """Report what a worker reports after its first steps."""
    for index in range(3):
        worker.reports.add_point(run.id, AccuracyPoint(20 * index, 0.5, 1.0, float(index)))
    worker.reports.add_test(run.id, TestPoint(40, 1.0))
    random_weights().save(worker.files(run.id).weights, 60)
    worker.files(run.id).checkpoint.touch()


def test_the_canvas_stays_where_it_is_whatever_happens_to_a_run(
    windows: dict[str, Page], worker: Store
) -> None:
    run = worker.create_run(config_from({"dataset": "digits"}))
    all_show(windows, "waiting for its turn")
    fetch_the_digits(windows, worker, run)
    learn(worker, run)
    all_show(windows, "100.0 %")
    for page in windows.values():
        dashboard.draw(page, "1")
        expect(page.locator(".verdict .digit")).not_to_have_text("")

    waiting = worker.create_run(config_from({"dataset": "digits"}), owner="somebody")
    also = worker.create_run(config_from({"dataset": "digits"}), owner="somebody")
    all_show(windows, "Queue: 2")
    worker.requests.stop(also.id)
    all_show(windows, "Queue: 1")
    worker.requests.change(run.id, {"learning_rate": 0.0123, "batch_size": 64})
    all_show(windows, "requested: learning rate 0.0123, batch size 64 from the next report on")
    # Not with the mouse, for which Playwright would scroll.
    windows["phone"].get_by_role("button", name="Pause").dispatch_event("click")
    all_show(windows, "pausing")
    worker.reports.set_paused(run.id)
    all_show(windows, "paused")
    worker.reports.end_run(run.id, RunState.INTERRUPTED, message=KILLED)
    for page in windows.values():
        expect(page.get_by_text(KILLED)).to_be_visible()
    worker.requests.resume(run.id)
    worker.reports.claim(run.id)
    learn(worker, run)
    all_show(windows, "training")
    lose_the_list_of_runs_for_a_while(windows, worker)
    worker.reports.end_run(run.id, RunState.FINISHED)
    all_show(windows, "finished")
    worker.requests.stop(waiting.id)
    for page in windows.values():
        expect(page.get_by_role("button", name="Queue")).to_have_count(0)
    start_of_another_while_all_draw(windows, worker)
    moves = {kind: dashboard.canvas_moves(page) for kind, page in windows.items()}
    assert max(moves.values()) <= 1, moves


def fetch_the_digits(windows: dict[str, Page], worker: Store, run: Run) -> None:
    """Report what a worker reports before its first step, in many words."""
    worker.reports.claim(run.id)
    worker.reports.set_message(
        run.id, "Fetching the digits from afar, which takes its time, as " + "all of them " * 9
    )
    all_show(windows, "fetching the digits")
    worker.reports.set_data(
        run.id, "digits", "bundled digits, 1,797 digits", "MNIST could not be downloaded."
    )


def lose_the_list_of_runs_for_a_while(windows: dict[str, Page], worker: Store) -> None:
    """Have the list of runs be damaged, until every window says so, and then be there again."""
    with sqlite3.connect(worker.home / "runs.sqlite3") as database:
        database.execute("ALTER TABLE runs RENAME TO lost_runs")
    for page in windows.values():
        expect(page.get_by_text("cannot be read or written").first).to_be_visible()
    with sqlite3.connect(worker.home / "runs.sqlite3") as database:
        database.execute("ALTER TABLE lost_runs RENAME TO runs")
    for page in windows.values():
        expect(page.get_by_text("cannot be read or written")).to_have_count(0)


def start_of_another_while_all_draw(windows: dict[str, Page], worker: Store) -> None:
    """Have somebody start a run, with long settings, while a stroke is under way in every window."""
    inks = {}
    for kind, page in windows.items():
        inks[kind] = dashboard.drawn_ink(page)
        x, y = middle_of_canvas(page)
        page.mouse.move(x - 60, y)
        page.mouse.down()
        page.mouse.move(x, y, steps=4)
    settings = {"learning_rate": 0.0123, "neurons": 64, "batch_size": 64, "rotation": 5, "row_loss_mix": 1}
    waiting = worker.create_run(config_from(settings, "notebook"), owner="somebody")
    all_show(windows, "Watch live")
    worker.reports.claim(waiting.id)
    learn(worker, waiting)
    for kind, page in windows.items():
        x, y = middle_of_canvas(page)
        page.mouse.move(x + 60, y, steps=4)
        page.mouse.up()
        wait_for(partial(has_more_ink, page, inks[kind]), "the stroke")
    for page in windows.values():
        page.get_by_role("button", name="Watch live").dispatch_event("click")
    all_show(windows, "Started by somebody else")
    worker.reports.end_run(waiting.id, RunState.DIVERGED, message="The loss is no number any more.")
    all_show(windows, "diverged")


def has_more_ink(page: Page, before: int) -> bool:
    return dashboard.drawn_ink(page) > before + 500


def middle_of_canvas(page: Page) -> tuple[float, float]:
    box = page.locator("canvas.upper-canvas").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@pytest.mark.parametrize(
    "kinds", [("projector", "scrolled", "narrow"), ("phone", "small")], ids=["desk", "phone"]
)
def test_the_canvas_is_where_it_always_is_for_a_visitor_whose_browser_keeps_nothing(
    chromium: Browser, url_of_an_ended_run: str, kinds: tuple[str, ...]
) -> None:
    places = []
    for script in ("", FORGETFUL):
        width, height = WINDOWS[kinds[0]]
        page = chromium.new_page(viewport={"width": width, "height": height})
        page.add_init_script(script)
        dashboard.ready(page, url_of_an_ended_run)
        if script:
            expect(page.get_by_text("Your browser keeps nothing")).to_be_visible()
        places.append({kind: middle_of_canvas_in_a_window(page, WINDOWS[kind]) for kind in kinds})
        page.close()
    assert places[0] == places[1]


def middle_of_canvas_in_a_window(page: Page, size: tuple[int, int]) -> tuple[float, float]:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.evaluate(dashboard.TWO_FRAMES)
    return middle_of_canvas(page)


def test_the_canvas_stays_where_it_is_while_the_first_run_starts_and_its_worker_is_killed(
    page: Page, url: str, own_home: Path
) -> None:
    dashboard.ready(page, f"{url}/?dataset=digits&neurons=none")
    dashboard.draw(page, "0")
    expect(page.locator(".verdict .hint")).to_contain_text("No network yet")
    ink = dashboard.drawn_ink(page)
    dashboard.note_places(page)
    dashboard.start_button(page).click()
    expect(page.locator(".st-key-status")).to_contain_text("training", timeout=60_000)
    for process in workers_of(own_home):
        process.kill()
    expect(page.get_by_text("Its worker was killed")).to_be_visible()
    expect(page.get_by_text("neurons must be")).to_be_hidden()
    expect(page.get_by_text("Here you will see it learn")).to_be_hidden()
    assert dashboard.drawn_ink(page) == ink > 1000
    assert dashboard.canvas_moves(page) <= 1
