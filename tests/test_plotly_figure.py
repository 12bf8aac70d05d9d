"""Plots in a real browser that does not get Plotly's script at first."""

from __future__ import annotations

import re
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


PLOTS = """() => [...document.querySelectorAll('.rnnlab-plot')].map((plot) => {
  const boxes = (selector) => [...plot.querySelectorAll(selector)].map((part) => part.getBoundingClientRect())
  const areCrossing = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom
  const buttons = [...plot.querySelectorAll('.modebar-btn')]
  const legend = boxes('.legend .traces')
  return {
    buttons: buttons.map((button) => button.dataset.title),
    legend: legend.length,
    is_covered: boxes('.modebar-btn').some((button) => legend.some((part) => areCrossing(button, part))),
    texts: [...plot.querySelectorAll('.xtick text, .ytick text')].map((text) => text.style.fontSize),
  }
})"""


def test_no_plot_offers_an_upload_or_has_its_legend_covered_and_ticks_can_be_read_from_afar(
    page: Page, url_of_an_ended_run: str
) -> None:
    for path, count in (("", 1), ("/evaluation", 3)):
        page.goto(url_of_an_ended_run + path)
        expect(page.locator(".rnnlab-plot [data-title='Download plot as a PNG']")).to_have_count(count)
        for width, text in ((900, "13px"), (1280, "16px"), (390, "13px"), (320, "13px")):
            page.set_viewport_size({"width": width, "height": 720})
            ticks = page.locator(".rnnlab-plot .xtick text")
            expect(ticks.last).to_have_css("font-size", text)
            wait_for(lambda: not any(plot["is_covered"] for plot in page.evaluate(PLOTS)), "free legends")
            plots = page.evaluate(PLOTS)
            assert sum(plot["legend"] for plot in plots) == (3 if path else 2)
            for plot in plots:
                assert not [each for each in plot["buttons"] if re.search("share|cloud|studio", each, re.I)]
                assert set(plot["texts"]) == {text}
