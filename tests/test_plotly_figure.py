"""Plots in a real browser that does not get Plotly's script at first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests import dashboard
from tests.waiting import wait_for

SCRIPT = "**/plotly.min.js*"


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """Return a page; the browser notes every request that fails in its console, so that is not looked at."""
    opened = chromium.new_page()
    yield opened
    opened.close()


def test_the_curve_comes_although_a_request_for_plotly_was_aborted(
    page: Page, url_of_an_ended_run: str
) -> None:
    requests: list[Route] = []

    def abort_the_first(route: Route) -> None:
        requests.append(route)
        if len(requests) == 1:
            route.abort()
        else:
            route.continue_()

    page.route(SCRIPT, abort_the_first)
    dashboard.ready(page, url_of_an_ended_run)
    wait_for(lambda: dashboard.curve_points(page) == 2, "the curve")
    assert len(requests) == 2


def test_a_sentence_stands_in_the_curves_place_until_plotly_comes(
    page: Page, url_of_an_ended_run: str
) -> None:
    page.route(SCRIPT, lambda route: route.fulfill(body="<html>Bad gateway</html>", content_type="text/html"))
    dashboard.ready(page, url_of_an_ended_run)
    trouble = page.get_by_text("This plot cannot be drawn yet")
    expect(trouble).to_be_visible()
    page.unroute(SCRIPT)
    wait_for(lambda: dashboard.curve_points(page) == 2, "the curve")
    expect(trouble).to_be_hidden()
