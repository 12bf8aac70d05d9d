"""While the list of runs cannot be read, the page says so; it comes back by itself, with the drawing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests import dashboard
from tests.waiting import wait_for


@pytest.fixture
def url(own_home: Path) -> Iterator[str]:
    dashboard.add_ended_run(own_home)
    with dashboard.dashboard({"RNNLAB_HOME": str(own_home)}) as (address, _):
        yield address


def test_the_page_comes_back_with_the_drawing_when_the_list_can_be_read_again(
    page: Page, url: str, own_home: Path
) -> None:
    dashboard.ready(page, url)
    dashboard.draw(page, "3")
    expect(page.locator(".verdict .digit")).not_to_have_text("")
    ink = dashboard.drawn_ink(page)
    list_of_runs, aside = own_home / "runs.sqlite3", own_home / "aside"
    list_of_runs.rename(aside)
    list_of_runs.mkdir()
    dashboard.control(page, "neurons").fill("16")
    dashboard.control(page, "neurons").press("Enter")
    expect(page.locator("canvas.upper-canvas")).to_have_count(0)
    expect(page.get_by_text("cannot be opened")).to_be_visible()

    list_of_runs.rmdir()
    aside.rename(list_of_runs)
    dashboard.ready_again(page)
    expect(page.locator(".verdict .digit")).not_to_have_text("")
    wait_for(lambda: dashboard.drawn_ink(page) == pytest.approx(ink, rel=0.02), "the drawing")
    expect(page.get_by_text("cannot be opened")).to_have_count(0)
    expect(dashboard.control(page, "neurons")).to_have_value("16")
