"""The Runs page while others start runs, and Back and Forward through runs and pages, in Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from rnnlab.presets import config_from
from rnnlab.runs import AccuracyPoint, RunState
from rnnlab.store.store import Store
from tests import dashboard
from tests.slow_page import SlowPage
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of more runs than the table shows without scrolling."""
    folder = tmp_path_factory.mktemp("home")
    for _ in range(25):
        dashboard.add_ended_run(folder)
    return folder


@pytest.fixture(scope="module")
def shared_url(home: Path) -> Iterator[str]:
    with dashboard.dashboard({"RNNLAB_HOME": str(home)}) as (address, _):
        yield address


@pytest.fixture
def url(shared_url: str) -> str:
    return shared_url


def open_table(page: Page, url: str) -> Locator:
    """Open the Runs page from the Lab and return its table, when it is drawn."""
    dashboard.ready(page, url)
    page.get_by_role("link", name="Runs").click()
    return drawn_table(page)


def drawn_table(page: Page) -> Locator:
    """Return the table of the Runs page, when it is drawn."""
    table = page.get_by_test_id("stDataFrame")
    wait_for(lambda: table.locator("tbody tr").count() > 5, "the rows")
    return table


def names(table: Locator, rows: str = "tbody tr") -> list[str]:
    """Return the names of the runs in view, from the top down."""
    return table.locator(f"{rows} td:nth-of-type(1)").all_inner_texts()


def scrolled(table: Locator) -> int:
    """Return how far the table is scrolled down, in pixels."""
    return int(table.locator(".dvn-scroller").evaluate("(scroller) => scroller.scrollTop"))


def click_in(page: Page, table: Locator, x: int, y: int) -> None:
    """Click on a place in the table, which is drawn on a canvas."""
    box = table.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + x, box["y"] + y)


def test_scroll_sort_and_selection_stay_while_others_start_runs(
    page: Page, url: str, home: Path, chromium: Browser
) -> None:
    table = open_table(page, url)
    click_in(page, table, 100, 15)
    wait_for(lambda: names(table) == sorted(names(table)), "the runs in alphabetical order")
    click_in(page, table, 15, 53 + 2 * 35)
    wait_for(lambda: names(table, "tr[aria-selected=true]"), "the selection")
    (chosen,) = names(table, "tr[aria-selected=true]")
    expect(page.get_by_role("button", name="Open in the Lab")).to_be_visible()
    box = table.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.wheel(0, 60)
    wait_for(lambda: scrolled(table) == 60, "the table to be scrolled")
    for _ in range(2):
        with Store(home) as store:
            count = len(store.runs())
        dashboard.add_ended_run(home)
        wait_for(lambda: table.locator("table").get_attribute("aria-rowcount") == str(count + 2), "a new row")  # noqa: B023
    assert scrolled(table) == 60
    assert names(table) == sorted(names(table))
    assert names(table, "tr[aria-selected=true]") == [chosen]
    expect(page.get_by_role("strong").filter(has_text=chosen)).to_be_visible()
    again = chromium.new_page()
    again.goto(page.url)
    table = drawn_table(again)
    click_in(again, table, 100, 15)  # so that it is in view
    wait_for(lambda: names(table, "tr[aria-selected=true]") == [chosen], "the selection in another tab")
    again.close()


def test_the_table_works_by_keys_and_the_name_stays_in_sight(page: Page, url: str) -> None:
    table = open_table(page, url)
    page.get_by_test_id("stMain").focus()
    for _ in range(20):
        page.keyboard.press("Tab")
        if table.locator("canvas").first.evaluate("(canvas) => canvas.contains(document.activeElement)"):
            break
    first, second, third = names(table)[:3]
    wait_for(lambda: focused(page) == first, "the cursor in the table")
    for key, name in (("Enter", second), ("Space", third)):
        page.keyboard.press("ArrowDown")
        wait_for(lambda: focused(page) == name, "the next row")  # noqa: B023
        page.keyboard.press(key)
        wait_for(lambda: names(table, "tr[aria-selected=true]") == [name], "the choice")  # noqa: B023
        expect(page.get_by_role("strong").filter(has_text=name)).to_be_visible()
    page.keyboard.press("Space")
    wait_for(lambda: not names(table, "tr[aria-selected=true]"), "no choice")
    page.keyboard.press("Escape")
    wait_for(lambda: focused(page) == first, "the cursor back in the table")
    page.keyboard.press("ArrowDown")
    wait_for(lambda: focused(page) == second, "the next row")
    page.keyboard.press("Enter")
    wait_for(lambda: names(table, "tr[aria-selected=true]") == [second], "the choice")
    expect(page.get_by_role("button", name="Open in the Lab")).to_be_visible()
    for _ in range(3):
        page.keyboard.press("Tab")
        if focused(page).endswith("Open in the Lab"):
            break
    assert focused(page).endswith("Open in the Lab")

    box = table.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 300, box["y"] + 200)
    page.mouse.wheel(5000, 0)
    wait_for(lambda: "started" in table.locator("thead").inner_text(), "the last column")
    assert names(table)[:3] == [first, second, third]


def focused(page: Page) -> str:
    """Return the text of what has the focus."""
    return str(page.evaluate("document.activeElement.innerText"))


def test_a_changed_value_is_shown_as_changed_and_the_settings_are_copied_as_a_link(
    page: Page, url: str, home: Path, chromium: Browser
) -> None:
    with Store(home) as store:
        run = store.create_run(config_from({"learning_rate": 0.001, "neurons": 48}), claimed=True)
        store.reports.add_point(run.id, AccuracyPoint(0, 0.1, 2.3, 0.1))
        store.requests.change(run.id, {"learning_rate": 0.01})
        store.reports.take_changes(run.id, 4021)
        store.reports.end_run(run.id, RunState.FINISHED)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    table = open_table(page, url)
    click_in(page, table, 15, 53)  # the newest
    expect(page).to_have_url(re.compile(rf"/runs\?run={run.id}$"))
    row = table.locator(f"tr:has-text('{run.id}') td").all_inner_texts()
    told = "default, learning rate 0.01 (0.001 until step 4,021), 48 neurons"
    assert told in row
    assert "0.001" not in row
    expect(page.get_by_text(f"Trained with: {told}.")).to_be_visible()
    link = f"{url}/?learning_rate=0.01&neurons=48"
    copy = page.get_by_role("button", name="Copy link")
    copy.click()
    expect(page.get_by_text("Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == link
    plain = chromium.new_page()  # as over HTTP in a class room, where the browser offers no clipboard
    plain.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    plain.goto(page.url)
    plain.get_by_role("button", name="Copy link").click()
    expect(plain.get_by_text("Copied")).to_be_visible()
    assert plain.evaluate("document.getSelection().toString()") == link
    plain.close()
    page.goto(link)
    expect(dashboard.control(page, "neurons")).to_have_value("48")


def test_back_and_forward_follow_run_and_page(page: Page, url: str, home: Path) -> None:
    status = page.locator(".st-key-status")
    with Store(home) as store:
        newest, second, third = (run.id for run in store.runs()[:3])
    dashboard.ready(page, f"{url}/?run={second}")
    wait_for(lambda: page.evaluate("sessionStorage.rnnlab"), "the page to be whole")
    start = page.evaluate("history.length")
    dashboard.set_number(page, "neurons", 72)  # no place to go back to
    expect(page).to_have_url(re.compile(rf"/\?neurons=72&run={second}$"))
    page.get_by_role("link", name="Evaluation").click()
    expect(page).to_have_url(re.compile(rf"/evaluation\?run={second}$"))
    dashboard.control(page, "run").click()
    page.get_by_role("option", name=third).click()
    expect(page).to_have_url(re.compile(rf"/evaluation\?run={third}$"))
    page.get_by_role("button", name=re.compile("^test digit .* sure$")).first.click()
    expect(page).to_have_url(re.compile(rf"/\?neurons=72&run={third}&digit=\d+$"))
    expect(status).to_contain_text(third)
    page.get_by_role("link", name="Runs").click()
    table = drawn_table(page)
    click_in(page, table, 15, 53)
    expect(page).to_have_url(re.compile(rf"/runs\?run={newest}$"))
    page.get_by_role("button", name="Open in the Lab").click()
    expect(page).to_have_url(re.compile(rf"/\?neurons=72&run={newest}(&digit=\d+)?$"))
    expect(status).to_contain_text(newest)
    assert page.evaluate("history.length") == start + 5

    page.go_back()
    table = drawn_table(page)
    wait_for(lambda: names(table, "tr[aria-selected=true]") == [newest], "the selection")
    page.go_back()
    expect(status).to_contain_text(third)
    page.go_back()
    expect(dashboard.control(page, "run")).to_have_value(re.compile(third))
    page.go_back()
    expect(dashboard.control(page, "run")).to_have_value(re.compile(second))
    expect(page).to_have_url(re.compile(rf"/evaluation\?run={second}$"))
    page.go_forward()
    expect(dashboard.control(page, "run")).to_have_value(re.compile(third))
    page.go_forward()
    expect(status).to_contain_text(third)
    assert page.evaluate("history.length") == start + 5


def test_a_press_before_the_page_has_gone_back_brings_no_later_run_back(
    page: Page, url: str, home: Path
) -> None:
    with Store(home) as store:
        second, third = (run.id for run in store.runs()[1:3])
    slow = SlowPage(page, f"{url}/?run={second}")
    slow.end()
    page.get_by_role("link", name="Evaluation").click()
    expect(page).to_have_url(re.compile(rf"/evaluation\?run={second}$"))
    dashboard.control(page, "run").click()
    page.get_by_role("option", name=third).click()
    expect(page).to_have_url(re.compile(rf"/evaluation\?run={third}$"))
    page.get_by_role("button", name=re.compile("^test digit .* sure$")).first.wait_for()
    slow.settle()
    slow.hold()
    page.go_back()
    wait_for(slow.has_answered, "the answer, which the browser has not got")
    answered = slow.answers(in_part=True)
    page.get_by_test_id("stPagination").get_by_role("button", name=re.compile("2$")).click()
    wait_for(lambda: slow.answers(in_part=True) > answered, "the answer to the press")
    slow.end()
    expect(dashboard.control(page, "run")).to_have_value(re.compile(second))
    page.get_by_role("link", name="Lab").click()
    expect(page.locator(".st-key-status")).to_contain_text(second)


def hold_while_a_run_is_added(slow: SlowPage, home: Path) -> None:
    """Have somebody else start a run, which moves all rows, and keep it from the browser."""
    slow.settle()
    slow.hold()
    dashboard.add_ended_run(home)
    wait_for(lambda: slow.answers(in_part=True) > 1, "the new row, which the browser has not got")


def test_a_row_is_the_run_that_was_seen_in_it_although_another_has_come(
    page: Page, url: str, home: Path
) -> None:
    slow = SlowPage(page, url)
    slow.end()
    page.get_by_role("link", name="Runs").click()
    table = drawn_table(page)
    seen = names(table)
    chosen = page.get_by_test_id("stMain").get_by_role("strong")
    hold_while_a_run_is_added(slow, home)
    click_in(page, table, 15, 53 + 2 * 35)
    answered = slow.answers(in_part=True)
    wait_for(lambda: slow.answers(in_part=True) > answered, "an answer to the click")
    slow.end()
    expect(chosen).to_have_text(seen[2])
    wait_for(lambda: names(table, "tr[aria-selected=true]") == [seen[2]], "the selection")

    hold_while_a_run_is_added(slow, home)
    page.get_by_role("button", name="Open in the Lab").click()
    wait_for(slow.has_answered, "the Lab, which the browser has not got")
    slow.end()
    expect(page.locator(".st-key-status")).to_contain_text(seen[2])
