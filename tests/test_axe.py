"""Every page as axe sees it, in both colours, and where the focus is on a walk with the Tab key."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from rnnlab.store.store import Store
from tests import dashboard
from tests.axe import violations
from tests.waiting import wait_for

# The outline that is seen for what has the focus: its own, or that of a part around it. What is clipped to a
# dot, as the inputs of Streamlit's sliders are, shows none.
OUTLINE = """() => {
  let focused = document.activeElement
  while (focused.shadowRoot?.activeElement) focused = focused.shadowRoot.activeElement
  if (focused === document.body) return null
  const name = focused.getAttribute('aria-label') || focused.textContent.trim() || focused.tagName
  const parts = [focused]
  while (parts.length < 4 && parts.at(-1).parentElement) parts.push(parts.at(-1).parentElement)
  const cuts = (part) => getComputedStyle(part).overflow !== 'visible'
  const isDot = (part) => cuts(part) && part.getBoundingClientRect().width < 4
  const clipped = parts.findLastIndex(isDot)
  const outlines = parts.slice(clipped + 1).map((part) => getComputedStyle(part))
    .filter((style) => style.outlineStyle === 'solid' && parseFloat(style.outlineWidth) >= 2)
  return [name.slice(0, 60), outlines.map((style) => style.outlineColor)]
}"""


FOCUS = {"light": {"rgb(31, 122, 185)", "rgb(0, 103, 165)"}, "dark": {"rgb(31, 122, 185)"}}
"""Colours of the outline: of Streamlit's elements, and of our own. Each has 3:1 on its background."""


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Start a dashboard without any run, and one with a run that has ended and could go on."""
    empty, used = (tmp_path_factory.mktemp("home") for _ in range(2))
    dashboard.add_ended_run(used)
    with Store(used) as store:
        store.files(store.runs()[0].id).checkpoint.touch()
    with (
        dashboard.dashboard({"RNNLAB_HOME": str(empty)}) as (first, _),
        dashboard.dashboard({"RNNLAB_HOME": str(used)}) as (second, _),
    ):
        yield first, second


@pytest.fixture(params=["light", "dark"])
def colour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def page(chromium: Browser, colour: str) -> Iterator[Page]:
    """Return a page of a projector's size, in one of the colours."""
    opened = chromium.new_page(viewport={"width": 1280, "height": 720}, color_scheme=colour)  # type: ignore[arg-type]
    yield opened
    opened.close()


def draw_and_see(page: Page) -> None:
    """Draw a digit and wait for the belief."""
    dashboard.draw(page, "7")
    expect(page.locator(".verdict .digit")).not_to_have_text("")


def open_evaluation(page: Page) -> None:
    page.get_by_role("link", name="Evaluation").click()
    page.get_by_role("button", name=re.compile("^test digit .* sure$")).first.wait_for()
    page.locator(".st-key-evaluation_confusion .main-svg").first.wait_for()


def open_runs(page: Page) -> None:
    """Open the Runs page with the only run chosen."""
    page.get_by_role("link", name="Runs").click()
    table = page.get_by_test_id("stDataFrame")
    wait_for(lambda: table.locator("tbody tr").count(), "the rows")
    box = table.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 15, box["y"] + 53)
    page.get_by_role("button", name="Open in the Lab").wait_for()


def open_guide(page: Page) -> None:
    page.get_by_role("link", name="Guide", exact=True).click()
    page.get_by_role("heading", name="What happens here").wait_for()


def open_popover(page: Page, name: str) -> None:
    page.get_by_test_id("stMainBlockContainer").get_by_role("button", name=name, exact=True).click()
    page.get_by_role("dialog", name=name).get_by_role("button").first.wait_for()
    page.mouse.move(1, 1)  # away from the button, whose tooltip comes and goes slowly
    expect(page.get_by_role("tooltip")).to_have_count(0)


def test_axe_has_no_objection_to_the_lab(page: Page, urls: tuple[str, str]) -> None:
    found = {}
    dashboard.ready(page, urls[0])
    found["before any run"] = violations(page)
    dashboard.ready(page, urls[1])
    page.locator(".st-key-lab_curve .main-svg").first.wait_for()
    draw_and_see(page)
    found["with a run and a drawing"] = violations(page)
    for name in ("Picture", "Adjust"):
        open_popover(page, name)
        found[name] = violations(page)
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog", name=name)).to_be_hidden()
    found["Teach"] = violations_while_teaching(page)
    page.get_by_text("More", exact=True).click()
    page.get_by_role("spinbutton", name="seed").wait_for()
    found["More"] = violations(page)
    page.get_by_role("combobox", name="preset").click()
    page.get_by_role("option", name="notebook").wait_for()
    found["a list of choices"] = violations(page)
    assert not any(found.values()), found


def violations_while_teaching(page: Page) -> list[str]:
    """Return what axe objects to while a drawing is kept as a 7; end teaching."""
    page.get_by_role("button", name="Teach", exact=True).click()
    page.locator(".st-key-teach_keys").get_by_role("button").nth(7).click()
    page.locator(".hint", has_text="Kept as a 7.").wait_for()
    page.mouse.move(1, 1)
    expect(page.get_by_role("tooltip")).to_have_count(0)
    found = violations(page)
    page.get_by_role("button", name="Done", exact=True).click()
    page.get_by_role("button", name="Teach", exact=True).wait_for()
    return found


def open_misread_digit(page: Page) -> None:
    """Open the first of the digits read wrong from the Evaluation page."""
    page.get_by_role("button", name=re.compile("^test digit .* sure$")).first.click()
    page.locator(".verdict .outcome", has_text="wrong").wait_for()


def test_axe_has_no_objection_to_the_other_pages_and_the_focus_is_plain_to_see_on_all(
    page: Page, urls: tuple[str, str], colour: str
) -> None:
    found, unseen = {}, []
    dashboard.ready(page, urls[1])
    for opened in (draw_and_see, open_evaluation, open_misread_digit, open_runs, open_guide):
        opened(page)
        if opened is not draw_and_see:  # which the test of the Lab has seen
            found[opened.__name__] = violations(page)
        if opened is not open_misread_digit:
            stops = walk_with_tab(page)
            assert len(stops) > 8
            unseen += [f"{opened.__name__}: {name}" for name, seen in stops if not FOCUS[colour] & set(seen)]
    assert not any(found.values()), found
    assert unseen == []


def walk_with_tab(page: Page) -> list[tuple[str, list[str]]]:
    """Press Tab through the whole page; return the name of each stop, and the colours of its outlines."""
    stops: list[tuple[str, list[str]]] = []
    ends = 0
    while ends < 2 and len(stops) < 400:  # it begins where the mouse was last
        page.keyboard.press("Tab")
        stop = page.evaluate(OUTLINE)
        if stop is None:
            ends += 1
        else:
            stops.append(stop)
    return stops
