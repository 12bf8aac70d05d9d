"""What a person does, in a real browser, on the real dashboard with real training."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from rnnlab.runs import RunState
from rnnlab.store.store import Store
from tests import dashboard
from tests.waiting import wait_for
from tests.workers import workers_of

SECONDS = 1000.0


@pytest.fixture
def url(own_home: Path) -> Iterator[str]:
    """Start a dashboard with a home of its own; its workers end with it."""
    with dashboard.dashboard({"RNNLAB_HOME": str(own_home), "RNNLAB_WORKER_IDLE_SECONDS": "1"}) as (
        address,
        _,
    ):
        yield address
    for worker in workers_of(own_home):
        worker.kill()


@pytest.mark.usefixtures("mnist_folder", "every_core")
def test_a_person_starts_a_run_on_mnist_sees_it_learn_draws_a_7_and_is_read(
    page: Page, url: str, own_home: Path
) -> None:
    dashboard.ready(page, url)
    expect(page.get_by_text("No network has been trained yet")).to_be_visible()
    dashboard.set_number(page, "iterations (steps)", 600)
    dashboard.start_button(page).click()
    expect(page).to_have_url(re.compile(r"\?run=[a-z]+-[a-z]+-[0-9a-f]{4}$"))
    expect(page.locator(".st-key-status")).to_contain_text("training", timeout=60 * SECONDS)

    first = wait_for(lambda: dashboard.curve_points(page), "a point of the curve")
    wait_for(lambda: dashboard.curve_points(page) > first, "the curve to grow")
    accuracy = page.locator("[data-testid=stMetricValue]").first
    expect(accuracy).to_contain_text("%")
    before = float(accuracy.inner_text().split()[0])

    dashboard.draw(page, "7")
    wait_for(lambda: dashboard.verdict(page) != "", "a first belief")
    expect(page.locator(".st-key-status")).to_contain_text("finished", timeout=90 * SECONDS)
    expect(page.locator(".verdict .digit")).to_have_text("7")
    expect(page.locator(".verdict .decided")).to_have_text(re.compile(r"decided at row \d+ of 28"))
    wait_for(lambda: dashboard.curve_points(page) == 30, "the whole curve")
    assert float(accuracy.inner_text().split()[0]) > max(before, 90)
    with Store(own_home) as store:
        assert store.runs()[0].state is RunState.FINISHED


def test_the_drawing_survives_updates_a_change_of_page_and_is_read_again(page: Page, url: str) -> None:
    dashboard.ready(page, f"{url}/?dataset=digits&iterations=200000")
    dashboard.draw(page, "7")
    expect(page.locator(".verdict .hint")).to_contain_text("No network yet")
    dashboard.start_button(page).click()
    wait_for(lambda: dashboard.verdict(page) != "", "a belief")
    note = page.locator(".panel .note")
    told = note.inner_text()
    expect(note).not_to_have_text(told)
    ink = dashboard.drawn_ink(page)
    assert ink > 1000

    page.get_by_role("link", name="Guide").click()
    expect(page.get_by_role("heading", name="What happens here")).to_be_visible()
    page.get_by_role("link", name="Lab").click()
    dashboard.ready_again(page)
    wait_for(lambda: dashboard.verdict(page) != "", "the belief to be back")
    assert dashboard.drawn_ink(page) == pytest.approx(ink, rel=0.02)

    page.get_by_role("button", name="Undo").click()
    wait_for(lambda: 100 < dashboard.drawn_ink(page) < ink * 0.8, "one stroke less")
    page.get_by_role("button", name="Clear").click()
    wait_for(lambda: dashboard.drawn_ink(page) == 0, "an empty canvas")
    expect(page.locator(".verdict .hint")).to_have_text("Draw a digit from 0 to 9.")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".st-key-status")).to_contain_text("stopped")


def test_a_drawing_stays_while_warnings_and_the_welcome_go(page: Page, url: str) -> None:
    dashboard.ready(page, f"{url}/?dataset=digits&iterations=60&neurons=none")
    expect(page.get_by_text("neurons must be")).to_be_visible()
    dashboard.draw(page, "0")  # in one stroke: once it is answered, all of it is on the canvas
    expect(page.locator(".verdict .hint")).to_contain_text("No network yet")
    ink = dashboard.drawn_ink(page)
    page.get_by_role("button", name="Start the first run").click()
    expect(page.locator(".st-key-status")).to_contain_text("finished", timeout=60 * SECONDS)
    expect(page.get_by_text("neurons must be")).to_be_hidden()
    expect(page.get_by_text("Here you will see it learn")).to_be_hidden()
    assert dashboard.drawn_ink(page) == ink > 1000


def test_the_belief_map_is_as_high_as_the_canvas_after_a_window_has_grown(page: Page, url: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    dashboard.ready(page, url)
    page.set_viewport_size({"width": 1440, "height": 1000})
    belief_map = page.locator(".map canvas")
    wait_for(lambda: (belief_map.bounding_box() or {"width": 0})["width"] > 100, "a wide map")
    box = belief_map.bounding_box()
    assert box is not None
    assert box["height"] == 280


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_a_phone_shows_status_drawing_and_curve_below_each_other_without_scrolling_sideways(
    chromium: Browser, url: str, colours: str
) -> None:
    phone = chromium.new_page(viewport={"width": 390, "height": 844}, color_scheme=colours)  # type: ignore[arg-type]
    phone.goto(f"{url}/?dataset=digits&iterations=20")
    phone.get_by_role("button", name="Start the first run").click()
    wait_for(lambda: phone.locator(".rnnlab-plot").count(), "the plot")
    phone.locator("canvas.upper-canvas").wait_for()
    tops = []
    for selector in (".st-key-status", ".st-key-drawing", ".rnnlab-plot"):
        box = phone.locator(selector).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        tops.append(box["y"])
    assert tops == sorted(tops)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    phone.close()
