"""What a person does, in a real browser, on the real dashboard with real training."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from rnnlab.runs import RunState
from rnnlab.store import Store
from tests import dashboard
from tests.waiting import wait_for
from tests.workers import workers_of

SECONDS = 1000.0


@pytest.fixture
def url(own_home: Path) -> Iterator[str]:
    """Start a dashboard on a home of its own; its workers end with it."""
    with dashboard.dashboard({"RNNLAB_HOME": str(own_home), "RNNLAB_WORKER_IDLE_SECONDS": "1"}) as (
        address,
        _,
    ):
        yield address
    for worker in workers_of(own_home):
        worker.kill()


def set_number(page: Page, label: str, value: int) -> None:
    """Type a number into a control of the sidebar."""
    field = page.get_by_label(label, exact=True)
    field.fill(str(value))
    field.press("Enter")
    expect(field).to_have_value(str(value))


def open_and_start(page: Page, url: str, iterations: int) -> None:
    """Start a run on the bundled digits, with hyperparameters from the URL."""
    dashboard.ready(page, f"{url}/?dataset=digits&iterations={iterations}")
    dashboard.start_button(page).click()


def curve_points(page: Page) -> int:
    points = page.evaluate(dashboard.LINE_POINTS)
    return int(points[0]) if points else 0


def verdict(page: Page) -> str:
    return page.locator(".verdict .digit").inner_text()


@pytest.mark.usefixtures("mnist_folder")
def test_a_person_starts_a_run_on_mnist_sees_it_learn_draws_a_7_and_is_read(
    page: Page, url: str, own_home: Path
) -> None:
    dashboard.ready(page, url)
    expect(page.get_by_text("No network has been trained yet")).to_be_visible()
    set_number(page, "iterations (steps)", 600)
    dashboard.start_button(page).click()
    expect(page).to_have_url(re.compile(r"\?run=[a-z]+-[a-z]+-[0-9a-f]{4}$"))
    expect(page.locator(".st-key-status")).to_contain_text("training", timeout=60 * SECONDS)

    first = wait_for(lambda: curve_points(page), "a point of the curve")
    wait_for(lambda: curve_points(page) > first, "the curve to grow")
    accuracy = page.locator("[data-testid=stMetricValue]").first
    expect(accuracy).to_contain_text("%")
    before = float(accuracy.inner_text().split()[0])

    dashboard.draw(page, "7")
    wait_for(lambda: verdict(page) != "", "a first belief")
    expect(page.locator(".st-key-status")).to_contain_text("finished", timeout=90 * SECONDS)
    expect(page.locator(".verdict .digit")).to_have_text("7")
    expect(page.locator(".verdict .decided")).to_have_text(re.compile(r"decided at row \d+ of 28"))
    wait_for(lambda: curve_points(page) == 30, "the whole curve")
    assert float(accuracy.inner_text().split()[0]) > max(before, 90)
    with Store(own_home) as store:
        assert store.runs()[0].state is RunState.FINISHED


def test_the_drawing_survives_updates_a_change_of_page_and_is_read_again(page: Page, url: str) -> None:
    dashboard.ready(page, f"{url}/?dataset=digits&iterations=200000")
    dashboard.draw(page, "7")
    expect(page.locator(".verdict .hint")).to_contain_text("No network yet")
    dashboard.start_button(page).click()
    wait_for(lambda: verdict(page) != "", "a belief")
    note = page.locator(".panel .note")
    told = note.inner_text()
    expect(note).not_to_have_text(told)
    ink = dashboard.drawn_ink(page)
    assert ink > 1000

    page.get_by_role("link", name="Guide").click()
    expect(page.get_by_role("heading", name="What happens here")).to_be_visible()
    page.get_by_role("link", name="Lab").click()
    dashboard.ready_again(page)
    wait_for(lambda: verdict(page) != "", "the belief to be back")
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


def test_the_canvas_stays_where_it_is_while_the_first_run_starts_and_ends(page: Page, url: str) -> None:
    dashboard.ready(page, f"{url}/?dataset=digits&iterations=20")
    page.locator("canvas.upper-canvas").evaluate(
        """(canvas) => {
          const places = window.places = new Set()
          const note = () => {
            places.add(Math.round(canvas.getBoundingClientRect().top))
            requestAnimationFrame(note)
          }
          note()
        }"""
    )
    dashboard.start_button(page).click()
    expect(page.locator(".st-key-status")).to_contain_text("finished", timeout=60 * SECONDS)
    places = page.evaluate("[...window.places]")
    assert max(places) - min(places) <= 1


def test_the_curve_keeps_its_zoom_and_is_never_made_anew_while_it_grows(page: Page, url: str) -> None:
    open_and_start(page, url, 200_000)
    wait_for(lambda: curve_points(page) > 2, "a curve")
    page.evaluate("document.querySelector('.rnnlab-plot').marked = true")
    box = page.locator(".rnnlab-plot .nsewdrag").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.6, steps=5)
    page.mouse.up()
    axis = "() => document.querySelector('.rnnlab-plot')._fullLayout.xaxis"
    wait_for(lambda: page.evaluate(f"({axis})().autorange") is False, "the zoom")
    zoomed = page.evaluate(f"({axis})().range")
    seen = curve_points(page)
    wait_for(lambda: curve_points(page) > seen + 5, "the curve to grow")
    assert page.evaluate(f"({axis})().range") == zoomed
    assert page.evaluate("document.querySelector('.rnnlab-plot').marked")
    assert page.locator(".rnnlab-plot").count() == 1


def test_a_refresh_and_a_second_visitor_show_the_same_run_going_on(
    page: Page, url: str, chromium: Browser
) -> None:
    open_and_start(page, url, 200_000)
    wait_for(lambda: curve_points(page) > 2, "a curve")
    name = page.url.partition("run=")[2]
    seen = curve_points(page)
    page.reload()
    wait_for(lambda: curve_points(page) >= seen, "the curve after the refresh")
    expect(page.locator(".st-key-status")).to_contain_text(name)
    other = chromium.new_page()
    dashboard.ready(other, url)
    expect(other.locator(".st-key-status")).to_contain_text(name)
    wait_for(lambda: curve_points(other) >= seen, "the other visitor's curve")
    other.close()


def test_scrubbing_and_playing_read_the_picture_from_top_to_bottom(page: Page, url: str) -> None:
    open_and_start(page, url, 20)
    dashboard.draw(page, "0")  # in one stroke: a second one, answered later, would start anew at row 28
    wait_for(lambda: verdict(page) != "", "a belief")
    row, scrubber = page.locator(".panel .row"), page.get_by_label("Row read so far")
    expect(row).to_have_text("row 28 of 28")
    expect(page.locator(".veil")).to_be_hidden()
    scrubber.focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    expect(row).to_have_text("row 25 of 28")
    expect(page.locator(".veil")).to_be_visible()
    page.keyboard.press("Home")
    expect(row).to_have_text("row 1 of 28")
    page.get_by_role("button", name="Play").click()
    expect(page.locator("button.play")).to_contain_text("Pause")
    expect(row).to_have_text("row 28 of 28")
    expect(page.get_by_role("button", name="Play")).to_be_visible()


def test_a_stroke_whose_answer_has_got_lost_is_answered_all_the_same(page: Page, url: str) -> None:
    lost: list[int] = []

    def lose_the_first_answer(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            if isinstance(message, bytes) and b'"beliefs"' in message and not lost:
                lost.append(len(message))
                return
            socket.send(message)

        server.on_message(pass_on)

    page.route_web_socket(re.compile("_stcore/stream"), lose_the_first_answer)
    open_and_start(page, url, 20)
    expect(page.locator(".st-key-status")).to_contain_text("finished")
    dashboard.draw(page, "0")  # in one stroke; of a run that has ended, nothing else renews the belief
    expect(page.locator(".verdict .digit")).not_to_have_text("", timeout=10 * SECONDS)
    assert lost


def shown_step(page: Page) -> int:
    """Return the step that the page shows."""
    words = page.locator(".st-key-status").inner_text()
    return int(words.partition("step ")[2].partition(" of")[0].replace(",", ""))


def test_a_run_is_paused_stepped_adjusted_resumed_and_trained_further(
    page: Page, url: str, own_home: Path
) -> None:
    status = page.locator(".st-key-status")
    open_and_start(page, url, 200_000)
    expect(status).to_contain_text("steps/s")

    field = page.get_by_label("neurons", exact=True)
    field.press("p")  # typed, not pressed as a shortcut
    field.press("Escape")
    field.blur()
    page.keyboard.press("p")
    expect(status).to_contain_text("paused")
    paused = shown_step(page)
    page.keyboard.press("n")
    wait_for(lambda: shown_step(page) == paused + 20, "a single step")
    expect(status).to_contain_text("paused")

    page.get_by_role("button", name="Adjust").click()
    page.locator("[class*=st-key-adjust_batch_size] input").fill("64")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Apply").click()
    expect(status).to_contain_text("heard: batch size 64")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Resume").click()
    expect(status).to_contain_text("steps/s")
    wait_for(lambda: "batch size 64" in page.locator(".rnnlab-plot").inner_text(), "the mark on the curve")

    page.get_by_role("button", name="Stop").click()
    expect(status).to_contain_text("stopped")
    stopped = shown_step(page)
    page.get_by_role("button", name="Train further").click()
    page.get_by_label("more iterations (steps)").fill("40")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Go on").click()
    expect(status).to_contain_text("finished")
    assert shown_step(page) == stopped + 40
    with Store(own_home) as store:
        (run,) = store.runs()
        steps = [point.step for point in store.points(run.id)]
    assert steps == list(range(0, steps[-1] + 1, 20))
    assert [(change.name, change.value) for change in run.changes] == [
        ("batch_size", 64),
        ("iterations", stopped + 40),
    ]


def test_a_run_that_waits_can_be_taken_out_of_the_queue(page: Page, url: str, own_home: Path) -> None:
    open_and_start(page, url, 200_000)
    expect(page.locator(".st-key-status")).to_contain_text("steps/s")
    dashboard.start_button(page).click()
    expect(page.locator(".st-key-status")).to_contain_text("waiting for its turn")
    page.get_by_role("button", name="Queue: 1").click()
    page.get_by_role("button", name="Remove").click()
    expect(page.locator(".st-key-status")).to_contain_text("stopped")
    with Store(own_home) as store:
        assert [run.state for run in store.runs()] == [RunState.STOPPED, RunState.TRAINING]


def test_watch_and_the_browsers_back_button_change_between_runs(page: Page, url: str) -> None:
    open_and_start(page, url, 20)
    expect(page.locator(".st-key-status")).to_contain_text("finished")
    first = page.url.partition("run=")[2]
    set_number(page, "iterations (steps)", 200_000)
    dashboard.start_button(page).click()
    expect(page).not_to_have_url(re.compile(f"run={first}$"))
    second = page.url.partition("run=")[2]
    page.go_back()
    expect(page).to_have_url(re.compile(f"run={first}$"))
    expect(page.locator(".st-key-status")).to_contain_text(first)
    page.get_by_role("button", name=f"Watch {second} live").click()
    expect(page).to_have_url(re.compile(f"run={second}$"))
    expect(page.locator(".st-key-status")).to_contain_text("training")


def test_a_run_is_opened_and_evaluated_from_the_history(page: Page, url: str) -> None:
    open_and_start(page, url, 20)
    expect(page.locator(".st-key-status")).to_contain_text("finished", timeout=60 * SECONDS)
    name = page.url.partition("run=")[2]
    page.get_by_role("link", name="Runs").click()
    table = page.get_by_test_id("stDataFrame")
    expect(table).to_be_visible()
    box = table.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 15, box["y"] + 53)
    page.get_by_role("button", name="Open in the Lab").click()
    expect(page).to_have_url(re.compile(f"run={name}$"))
    expect(page.locator(".st-key-status")).to_contain_text(name)
    page.get_by_role("link", name="Runs").click()
    page.get_by_role("button", name="Evaluate").click()
    expect(page).to_have_url(re.compile(f"evaluation\\?run={name}$"))
    expect(page.get_by_text("360 test images of the bundled digits")).to_be_visible()


def test_a_projector_of_1280_by_720_shows_start_drawing_and_curve_without_scrolling(
    chromium: Browser, url: str
) -> None:
    projector = chromium.new_page(viewport={"width": 1280, "height": 720})
    open_and_start(projector, url, 20)
    expect(projector.locator(".st-key-status")).to_contain_text("finished", timeout=60 * SECONDS)
    start = dashboard.start_button(projector)
    for element in (start, projector.locator(".st-key-drawing"), projector.locator(".rnnlab-plot")):
        box = element.bounding_box()
        assert box is not None
        assert 0 <= box["y"] <= box["y"] + box["height"] <= 720
    projector.close()


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
