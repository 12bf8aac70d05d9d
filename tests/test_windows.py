"""The Lab in windows of all sizes, in a real browser: on a phone, a projector, beside an open sidebar."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests import dashboard
from tests.waiting import wait_for


@pytest.fixture
def url(url_of_an_ended_run: str) -> str:
    """Return the address of a dashboard on a run that has ended."""
    return url_of_an_ended_run


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
    phone.goto(url)
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


def test_behind_a_proxy_the_page_finds_all_its_parts_under_its_own_path(
    chromium: Browser, tmp_path: Path
) -> None:
    dashboard.add_ended_run(tmp_path)
    environment = {"RNNLAB_HOME": str(tmp_path), "STREAMLIT_SERVER_BASE_URL_PATH": "class/lab"}
    with dashboard.dashboard(environment) as (url, _):
        assert url.endswith("/class/lab")
        page = chromium.new_page()
        missing: list[str] = []
        page.on("response", lambda answer: missing.append(answer.url) if answer.status >= 400 else None)
        dashboard.ready(page, url)
        page.locator(".rnnlab-plot .main-svg").first.wait_for()
        page.get_by_role("link", name="Evaluation").click()
        page.locator("button.mistake").first.wait_for()
        page.close()
    assert missing == []


@pytest.mark.parametrize("width", [820, 1024])
def test_a_window_with_its_sidebar_open_shows_the_whole_drawing_region(
    chromium: Browser, url: str, width: int
) -> None:
    window = chromium.new_page(viewport={"width": width, "height": 740})
    dashboard.ready(window, url)
    for selector in (".st-key-drawing", ".map canvas", ".rows"):
        box = window.locator(selector).first.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    window.close()


def test_a_projector_of_1280_by_720_shows_start_drawing_and_curve_without_scrolling(
    chromium: Browser, url: str
) -> None:
    projector = chromium.new_page(viewport={"width": 1280, "height": 720})
    dashboard.ready(projector, url)
    projector.locator(".rnnlab-plot .main-svg").first.wait_for()
    start = dashboard.start_button(projector)
    for element in (start, projector.locator(".st-key-drawing"), projector.locator(".rnnlab-plot")):
        box = element.bounding_box()
        assert box is not None
        assert 0 <= box["y"] <= box["y"] + box["height"] <= 720
    projector.close()
