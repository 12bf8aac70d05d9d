"""The Lab with networks that read in other orders: map, line and words follow, and the canvas stays."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from rnnlab.data.reading_order import reads_columns, row_order
from rnnlab.model.architecture import READING_ORDERS
from tests import dashboard
from tests.axe import violations
from tests.test_phones import PARTS, PERCENT_OF_TEXT, UPRIGHT, draw_a_4, hold

SO_FAR = {
    "down": "Row read so far",
    "up": "Rows read so far",
    "right": "Columns read so far",
    "left": "Columns read so far",
    "shuffled": "Rows read so far",
}

# Whether anything is drawn in each row of the belief map, or in each of its columns.
SHOWN_PLACES = """(map, columns) => Array.from({ length: 28 }, (_, place) => {
  const along = Math.floor((place + 0.5) * (columns ? map.width : map.height) / 28)
  return map.getContext('2d').getImageData(columns ? along : 3, columns ? 3 : along, 1, 1).data[3] > 0
})"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """Start a dashboard with a run of every reading order; yield its address and the names of the runs.

    The last run reads columns.
    """
    home = tmp_path_factory.mktemp("home")
    runs = {
        order: dashboard.add_ended_run(home, order) for order in sorted(READING_ORDERS, key=reads_columns)
    }
    with dashboard.dashboard({"RNNLAB_HOME": str(home)}) as (address, _):
        yield address, runs


@pytest.fixture
def url(lab: tuple[str, dict[str, str]]) -> str:
    return lab[0]


def box_of(page: Page, selector: str) -> dict[str, float]:
    """Return where something is, with its edges at the right and at the bottom, too."""
    found = page.locator(selector).first.bounding_box()
    assert found is not None, selector
    x, y, width, height = found["x"], found["y"], found["width"], found["height"]
    return {"x": x, "y": y, "width": width, "height": height, "right": x + width, "bottom": y + height}


def open_run(page: Page, lab: tuple[str, dict[str, str]], order: str, more: str = "") -> None:
    dashboard.ready(page, f"{lab[0]}/?run={lab[1][order]}{more}")


@pytest.fixture(scope="module")
def projectors(chromium: Browser, lab: tuple[str, dict[str, str]]) -> Iterator[Callable[[str], Page]]:
    """Return a function for the Lab on a projector with a test digit and a network that reads in an order.

    Each is opened once; its digit has been read to the end.
    """
    context = chromium.new_context(viewport={"width": 1280, "height": 720})
    pages: dict[str, Page] = {}
    errors: dict[str, list[str]] = {}

    def opened(order: str) -> Page:
        if order not in pages:
            pages[order] = context.new_page()
            errors[order] = dashboard.errors_of(pages[order])
            open_run(pages[order], lab, order, "&digit=3")
            expect(pages[order].locator(".verdict .outcome")).to_have_text(re.compile("^(right|wrong): "))
        read_until(pages[order], order, 28)
        return pages[order]

    yield opened
    context.close()
    assert not any(errors.values()), errors


def read_until(page: Page, order: str, step: int) -> None:
    """Move the scrubber."""
    scrubber = page.get_by_label(SO_FAR[order])
    scrubber.fill(str(step))
    expect(scrubber).to_have_value(str(step))


def uncovered_places(page: Page, columns: bool) -> list[int]:
    """Return which rows or columns of the test digit on the canvas are not covered, as the eye sees them."""
    slot = page.locator(".slot").bounding_box()
    assert slot is not None
    picture = Image.open(io.BytesIO(page.screenshot(clip=slot))).convert("L")
    pixels = np.asarray(picture.resize((280, 280)))
    edge = pixels[3, :] if columns else pixels[:, 3]  # where a digit has no ink
    return [place for place in range(28) if edge[place * 10 + 2] < 30]


@pytest.mark.parametrize("size", [(1280, 720), (900, 900), (320, 568)])
def test_the_canvas_has_the_same_place_whatever_the_reading_order(
    page: Page, lab: tuple[str, dict[str, str]], size: tuple[int, int]
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    places = []
    for order in READING_ORDERS:
        open_run(page, lab, order)
        page.locator(".panel.columns" if reads_columns(order) else ".panel:not(.columns)").wait_for()
        places += [box_of(page, "canvas.upper-canvas"), box_of(page, ".slot")]
        main = page.get_by_test_id("stMain")
        assert main.evaluate("(main) => main.scrollWidth <= main.clientWidth")
    assert places == [places[0]] * len(places)


@pytest.mark.parametrize("size", [(1280, 720), (390, 844)])
def test_the_canvas_stays_when_a_run_that_reads_otherwise_comes_on_show(
    page: Page, lab: tuple[str, dict[str, str]], size: tuple[int, int]
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    dashboard.ready(page, f"{lab[0]}/?neurons=24")  # with settings and no run on show
    dashboard.draw(page, "7")
    expect(page.locator(".verdict .hint")).to_contain_text("No network yet")
    ink = dashboard.drawn_ink(page)
    dashboard.note_places(page)
    # Not with the mouse, for which Playwright would scroll.
    page.get_by_role("button", name="Show the last run").dispatch_event("click")
    expect(page.locator(".panel .row")).to_have_text("28 of 28 columns")
    expect(page.locator(".verdict .digit")).not_to_have_text("")
    assert dashboard.canvas_moves(page) <= 1
    assert dashboard.drawn_ink(page) == ink


@pytest.mark.parametrize("order", READING_ORDERS)
def test_exactly_what_has_been_read_is_uncovered_and_lies_beside_its_part_of_the_map(
    projectors: Callable[[str], Page], order: str
) -> None:
    page = projectors(order)
    columns, places = reads_columns(order), row_order(order).tolist()
    for step in (0, 1, 12, 27, 28):
        read_until(page, order, step)
        shown = page.locator(".map canvas").evaluate(SHOWN_PLACES, columns)
        assert [place for place in range(28) if shown[place]] == sorted(places[:step])
        assert uncovered_places(page, columns) == sorted(places[:step])
    slot, belief_map = box_of(page, ".slot"), box_of(page, ".map")
    same, after = (("x", "right"), ("y", "bottom")) if columns else (("y", "bottom"), ("x", "right"))
    assert [belief_map[edge] for edge in same] == pytest.approx([slot[edge] for edge in same], abs=1)
    assert belief_map[after[0]] > slot[after[1]]
    assert belief_map[after[0]] - slot[after[1]] < 40
    for label, number in zip(page.locator(".rows span").all(), (1, 7, 14, 21, 28), strict=True):
        box = label.bounding_box()
        assert box is not None
        middle = box["x"] + box["width"] / 2 if columns else box["y"] + box["height"] / 2
        begin, end = (belief_map[edge] for edge in same)
        assert middle == pytest.approx(begin + (number - 0.5) / 28 * (end - begin), abs=2)


def test_on_a_projector_drawing_and_map_are_in_view_and_can_be_read_from_afar(
    projectors: Callable[[str], Page],
) -> None:
    page = projectors("right")
    for part in page.locator(".rows span, .bar .name").all():
        expect(part).to_have_css("font-size", "17px")
        box = part.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 720
    check_parts(page.evaluate(PARTS), "projector")
    names = [box_of(page, f".bar:nth-child({digit}) .name") for digit in range(1, 11)]
    assert all(after["y"] - before["y"] >= 17 for before, after in zip(names, names[2:], strict=False))


@pytest.mark.parametrize("order", READING_ORDERS)
def test_line_and_mark_lie_where_that_is_which_is_read_and_where_it_is_decided(
    projectors: Callable[[str], Page], order: str
) -> None:
    page = projectors(order)
    columns, places = reads_columns(order), row_order(order).tolist()
    along, across = ("x", "width") if columns else ("y", "height"), "height" if columns else "width"
    mark, belief_map = box_of(page, ".mark"), box_of(page, ".map")
    decided = (mark[along[0]] + mark[along[1]] / 2 - belief_map[along[0]]) / belief_map[along[1]] * 28
    assert decided - 0.5 == pytest.approx(round(decided - 0.5), abs=0.15)
    for step in (1, 2, 14, 27):
        read_until(page, order, step)
        line, cursor, slot = (box_of(page, selector) for selector in (".line", ".cursor", ".slot"))
        expected = {"up": 28 - step, "left": 28 - step, "shuffled": places[step - 1] + 1}.get(order, step)
        for drawn, whole in ((line, slot), (cursor, box_of(page, ".map"))):
            middle = (drawn[along[0]] + drawn[along[1]] / 2 - whole[along[0]]) / whole[along[1]] * 28
            assert middle == pytest.approx(expected, abs=0.15)
            assert drawn[across] == pytest.approx(whole[across], abs=1)
        expect(page.locator(".mark")).to_be_hidden()


@pytest.mark.parametrize("order", ["up", "right", "left", "shuffled"])
def test_what_is_read_is_called_what_it_is(projectors: Callable[[str], Page], order: str) -> None:
    parts, page = "columns" if reads_columns(order) else "rows", projectors(order)
    expect(page.locator(".verdict .decided")).to_have_text(
        re.compile(rf"^decided (after \d+ of 28 {parts}|before the first ink \(\d+\w\w {parts[:-1]} read\))$")
    )
    read_until(page, order, 12)
    expect(page.locator(".panel .row")).to_have_text(f"12 of 28 {parts}")
    expect(page.locator(".verdict .decided")).to_have_text(f"after 12 of 28 {parts}")
    map_name = page.locator(".map canvas").get_attribute("aria-label") or ""
    assert re.match(rf"Belief map, 28 {parts} by 10 digits; after 12 of 28 {parts}: \d, ", map_name)
    bars_name = page.locator(".bars").get_attribute("aria-label") or ""
    assert bars_name.startswith(f"Belief after 12 of 28 {parts}: 0: ")


@pytest.mark.parametrize("colour", ["light", "dark"])
def test_axe_has_no_objection_to_a_map_under_the_drawing(
    chromium: Browser, lab: tuple[str, dict[str, str]], colour: str
) -> None:
    page = chromium.new_page(viewport={"width": 1280, "height": 720}, color_scheme=colour)  # type: ignore[arg-type]
    open_run(page, lab, "left")
    dashboard.draw(page, "7")
    expect(page.locator(".verdict .digit")).not_to_have_text("")
    found = violations(page)
    read_until(page, "left", 9)
    found += violations(page)
    page.close()
    assert found == []


def check_parts(parts: dict[str, Any], held: str) -> None:
    """Check that all parts of a map under the drawing are on the page, and apart from each other."""
    page = parts["page"]
    for name in ("canvas", "map", "row_numbers", "bars", "digits"):
        assert parts[name], f"{held}: no {name}"
        for box in parts[name]:
            assert page["left"] <= box["left"] < box["right"] <= page["left"] + page["width"], (
                f"{held}: {name}"
            )
    assert page["needs"] <= page["width"], held
    (canvas,), (belief_map,) = parts["canvas"], parts["map"]
    assert belief_map["width"] >= 140, held
    assert canvas["bottom"] <= belief_map["top"], held
    assert all(box["top"] >= belief_map["bottom"] for box in parts["row_numbers"]), held
    assert all(left["right"] < right["left"] for left, right in pairwise(parts["row_numbers"])), held
    assert all(upper["top"] < lower["top"] for upper, lower in pairwise(parts["digits"])), held
    for digit, bar in zip(parts["digits"], parts["bars"], strict=True):
        assert belief_map["right"] <= digit["left"] < digit["right"] <= bar["left"], held
        assert bar["width"] >= 20, held
        assert digit["top"] <= (bar["top"] + bar["bottom"]) / 2 <= digit["bottom"], held


def test_a_map_under_the_drawing_fits_on_phones_also_with_large_text(
    chromium: Browser, lab: tuple[str, dict[str, str]]
) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    open_run(page, lab, "right")
    draw_a_4(page)
    for size, percent in product((*UPRIGHT, (844, 390)), PERCENT_OF_TEXT):
        hold(page, size, percent)
        check_parts(page.evaluate(PARTS), f"{size[0]} x {size[1]}, text of {percent} %")
    context.close()
