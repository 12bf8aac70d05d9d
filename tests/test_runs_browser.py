"""The Runs page while others start runs, and Back and Forward through runs and pages, in Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from rnnlab.store.store import Store
from tests import dashboard
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
    with dashboard.dashboard({"RNNLAB_HOME": str(home), "RNNLAB_WARM_WORKER": "0"}) as (address, _):
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
    page.get_by_label("run", exact=True).click()
    page.get_by_role("option", name=third).click()
    expect(page).to_have_url(re.compile(rf"/evaluation\?run={third}$"))
    page.get_by_role("button", name=re.compile("^test digit .* sure$")).first.click()
    expect(page).to_have_url(re.compile(rf"/\?neurons=72&run={third}$"))
    expect(status).to_contain_text(third)
    page.get_by_role("link", name="Runs").click()
    table = drawn_table(page)
    click_in(page, table, 15, 53)
    expect(page).to_have_url(re.compile(rf"/runs\?run={newest}$"))
    page.get_by_role("button", name="Open in the Lab").click()
    expect(page).to_have_url(re.compile(rf"/\?neurons=72&run={newest}$"))
    expect(status).to_contain_text(newest)
    assert page.evaluate("history.length") == start + 5

    page.go_back()
    table = drawn_table(page)
    wait_for(lambda: names(table, "tr[aria-selected=true]") == [newest], "the selection")
    page.go_back()
    expect(status).to_contain_text(third)
    page.go_back()
    expect(page.get_by_label("run", exact=True)).to_have_value(re.compile(third))
    page.go_back()
    expect(page.get_by_label("run", exact=True)).to_have_value(re.compile(second))
    expect(page).to_have_url(re.compile(rf"/evaluation\?run={second}$"))
    page.go_forward()
    expect(page.get_by_label("run", exact=True)).to_have_value(re.compile(third))
    page.go_forward()
    expect(status).to_contain_text(third)
    assert page.evaluate("history.length") == start + 5
