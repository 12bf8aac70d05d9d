"""What a tab keeps through a reload and a restarted server, and what its address shares, in a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import dashboard
from tests.waiting import wait_for


@pytest.fixture
def url(url_of_an_ended_run: str) -> str:
    """Return the address of a dashboard on a run that has ended."""
    return url_of_an_ended_run


def kept(page: Page) -> dict[str, Any]:
    """Return what the tab keeps at present."""
    values = page.evaluate("JSON.parse(sessionStorage.getItem('rnnlab') ?? '{}').values ?? {}")
    return dict(values)


def session(page: Page) -> str:
    """Return the name of the session that the tab keeps things for; empty while it hands them over."""
    tab = dict(page.evaluate("JSON.parse(sessionStorage.getItem('rnnlab'))"))
    return "" if tab.get("isAwaited") else str(tab["session"])


def strokes(page: Page) -> int:
    """Return how many strokes of the drawing the tab keeps."""
    return len((kept(page).get("drawing") or {}).get("strokes", []))


def set_pen(page: Page, presses: int) -> str:
    """Make the pen thinner by some pixels, with the keyboard; return its width as the page says it."""
    pen = page.locator(".st-key-pen_width input")
    before = int(pen.input_value())
    pen.focus()
    for _ in range(presses):
        page.keyboard.press("ArrowLeft")
    expect(pen).to_have_value(str(before - presses))
    wait_for(lambda: kept(page).get("pen") == before - presses, "the pen to be kept")
    return str(before - presses)


def draw_four(page: Page) -> int:
    """Draw a 4, two strokes; return how much ink it has."""
    dashboard.draw_stroke(page, "4", 0)
    wait_for(lambda: strokes(page) == 1, "the first stroke to be kept")
    dashboard.draw_stroke(page, "4", 1)
    wait_for(lambda: strokes(page) == 2, "the second stroke to be kept")
    expect(page.locator(".verdict .digit")).not_to_have_text("")
    return dashboard.drawn_ink(page)


def expect_all_as_before(page: Page, ink: int, pen: str) -> None:
    """Check that drawing, belief, pen and settings are as they were, and that a stroke can be undone."""
    wait_for(lambda: dashboard.drawn_ink(page) == pytest.approx(ink, rel=0.02), "the drawing")
    expect(page.locator(".verdict .digit")).not_to_have_text("")
    expect(page.locator(".st-key-pen_width input")).to_have_value(pen)
    expect(dashboard.control(page, "neurons")).to_have_value("72")
    expect(page.locator(".st-key-preset input")).to_have_value(re.compile(", changed$"))
    page.get_by_role("button", name="Undo").click()
    wait_for(lambda: 100 < dashboard.drawn_ink(page) < ink * 0.8, "one stroke less")
    wait_for(lambda: strokes(page) == 1, "one stroke to be kept")


def test_a_reload_keeps_drawing_pen_and_settings(page: Page, url: str) -> None:
    dashboard.ready(page, f"{url}/?preset=best&run=latest")
    dashboard.set_number(page, "neurons", 72)
    pen, ink = set_pen(page, 4), draw_four(page)
    page.reload()
    dashboard.ready_again(page)
    expect_all_as_before(page, ink, pen)
    page.reload()
    dashboard.ready_again(page)
    wait_for(lambda: 100 < dashboard.drawn_ink(page) < ink * 0.8, "the drawing with one stroke less")


def test_a_restarted_server_and_a_reload_of_another_page_keep_them_too(
    chromium: Browser, own_home: Path
) -> None:
    dashboard.add_ended_run(own_home)
    environment, port = {"RNNLAB_HOME": str(own_home)}, dashboard.free_port()
    page = chromium.new_page(viewport={"width": 1440, "height": 1000})
    with dashboard.dashboard(environment, port=port) as (url, _):
        dashboard.ready(page, url)
        dashboard.set_number(page, "neurons", 72)
        pen = set_pen(page, 4)
        dashboard.draw_stroke(page, "7", 0)  # undone: the canvas then shows what the server has told it
        page.get_by_role("button", name="Undo").click()
        wait_for(lambda: dashboard.drawn_ink(page) == 0, "an empty canvas")
        ink, before = draw_four(page), session(page)
    with dashboard.dashboard(environment, port=port):
        wait_for(lambda: session(page) not in ("", before), "the next session")
        expect_all_as_before(page, ink, pen)
        dashboard.draw_stroke(page, "4", 1)
        wait_for(lambda: strokes(page) == 2, "the second stroke to be kept")
        page.get_by_role("link", name="Runs").click()
        expect(page.get_by_test_id("stDataFrame")).to_be_visible()
    with dashboard.dashboard(environment, port=port):
        page.reload()
        expect(page.get_by_test_id("stDataFrame")).to_be_visible()
        page.get_by_role("link", name="Lab").click()
        dashboard.ready_again(page)
        expect_all_as_before(page, ink, pen)
    page.close()


def test_a_stroke_that_was_drawn_while_the_server_was_gone_is_there_when_it_is_back(
    chromium: Browser, own_home: Path
) -> None:
    dashboard.add_ended_run(own_home)
    environment, port = {"RNNLAB_HOME": str(own_home)}, dashboard.free_port()
    page = chromium.new_page(viewport={"width": 1440, "height": 1000})
    with dashboard.dashboard(environment, port=port) as (url, _):
        dashboard.ready(page, url)
        dashboard.draw_stroke(page, "4", 0)
        wait_for(lambda: strokes(page) == 1, "the first stroke to be kept")
        first = dashboard.drawn_ink(page)
    dashboard.draw_stroke(page, "4", 1)
    wait_for(lambda: dashboard.drawn_ink(page) > first * 1.2, "the second stroke on the canvas")
    ink = dashboard.drawn_ink(page)
    with dashboard.dashboard(environment, port=port):
        wait_for(lambda: strokes(page) == 2, "both strokes to be kept")
        wait_for(lambda: dashboard.drawn_ink(page) == pytest.approx(ink, rel=0.02), "both strokes")
        expect(page.locator(".verdict .digit")).not_to_have_text("")
    page.close()


@pytest.fixture
def other(chromium: Browser) -> Iterator[Page]:
    """Return a page of another browser."""
    context = chromium.new_context(viewport={"width": 1440, "height": 1000})
    yield context.new_page()
    context.close()


def test_the_address_shares_the_settings_and_wins_over_what_the_tab_keeps(
    page: Page, url: str, other: Page
) -> None:
    dashboard.ready(page, f"{url}/?embed_options=light_theme")
    wait_for(lambda: dashboard.run_on_show(page), "the run in the address")
    assert "preset" not in page.url
    page.get_by_label("preset", exact=True).click()
    page.get_by_role("option", name="best").click()
    expect(page).to_have_url(re.compile("preset=best"))
    dashboard.set_number(page, "neurons", 72)
    expect(page).to_have_url(re.compile("neurons=72"))
    assert "embed_options=light_theme" in page.url
    assert "preset=best&neurons=72&run=" in page.url
    dashboard.ready(other, page.url)
    expect(dashboard.control(other, "neurons")).to_have_value("72")
    expect(dashboard.control(other, "batch size (images)")).to_have_value("176")

    dashboard.ready(page, f"{url}/?neurons=40")
    expect(dashboard.control(page, "neurons")).to_have_value("40")
    expect(dashboard.control(page, "batch size (images)")).to_have_value("128")
    wait_for(lambda: kept(page)["settings"] == {"neurons": "40"}, "the settings to be kept")
    dashboard.ready(page, url)  # an address that says nothing of settings
    expect(dashboard.control(page, "neurons")).to_have_value("40")
    expect(page).to_have_url(re.compile("neurons=40"))


@pytest.mark.parametrize(
    "stored",
    [
        "not JSON",
        json.dumps({"session": 3, "values": []}),
        json.dumps(
            {
                "session": "x",
                "values": {"pen": "thick", "drawing": [1], "cleared": 3, "settings": {"neurons": 64}},
            }
        ),
        json.dumps(
            {
                "session": "x",
                "values": {
                    "pen": 9000,
                    "drawing": {"picture": "data:image/png;base64,AAAA", "strokes": [{"type": "Image"}]},
                    "settings": {"neurons": "many", "preset": "<b>"},
                },
            }
        ),
    ],
)
def test_what_cannot_be_used_of_what_a_tab_keeps_is_ignored_or_gets_a_sentence(
    page: Page, url: str, stored: str
) -> None:
    put = f"sessionStorage.setItem('rnnlab', {json.dumps(stored)})"
    page.add_init_script(f"if (!window.name) {{ window.name = 'visited'; {put} }}")
    dashboard.ready(page, url)
    wait_for(lambda: kept(page).get("settings") == {}, "the settings to be kept")
    dashboard.draw(page, "0")
    expect(page.locator(".verdict .digit")).not_to_have_text("")
    wait_for(lambda: strokes(page) == 1, "the drawing to be kept")
    expect(page.locator(".st-key-pen_width input")).to_have_value("20")
    assert page.get_by_text("must be").count() == (2 if "many" in stored else 0)
