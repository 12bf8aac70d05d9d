"""The way from a test digit read wrong to the Lab, on to the next ones and back, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests import dashboard
from tests.waiting import wait_for


@pytest.fixture
def url(url_of_an_ended_run: str) -> str:
    """Return the address of a dashboard on a run that has ended."""
    return url_of_an_ended_run


@pytest.fixture
def projector(chromium: Browser, url: str) -> Iterator[Page]:
    """Return a page as large as a projector's picture, in a browser of its own, on the Evaluation page."""
    opened = chromium.new_page(viewport={"width": 1280, "height": 720})
    opened.goto(f"{url}/evaluation")
    thumbnails(opened).first.wait_for()
    yield opened
    opened.close()


def thumbnails(page: Page) -> Locator:
    """Return the buttons of the gallery."""
    return page.get_by_role("button", name=re.compile("^test digit .* sure$"))


def described(thumbnail: Locator) -> tuple[str, str, str]:
    """Return number, label and what it is read as of a test digit in the gallery."""
    name = thumbnail.get_attribute("aria-label") or ""
    found = re.fullmatch(r"test digit (\S+) of .*: an? (\d), read as (\d), .* sure", name)
    assert found is not None
    return found[1].replace(",", ""), found[2], found[3]


def expect_on_show(page: Page, digit: tuple[str, str, str]) -> None:
    """Check that the Lab says in large what is wrong with a test digit, and names it in its address."""
    number, label, read_as = digit
    verdict = page.locator(".verdict")
    expect(verdict.locator(".outcome")).to_have_text(
        re.compile(f"^wrong: an? {label}, (read as|perhaps an?) {read_as},$")
    )
    expect(verdict.locator(".sure")).to_have_text(re.compile(r"^\d+\.\d % sure$|^\d+\.\d %, not sure$"))
    expect(page.locator(".note")).to_contain_text(f"Test digit {number} of the bundled digits")
    expect(page).to_have_url(re.compile(f"[?&]digit={number}$"))


def choose(page: Page, label: str, option: str) -> None:
    """Choose an option of a select box."""
    dashboard.control(page, label).click()
    page.get_by_role("option", name=option, exact=True).click()


def focused(page: Page) -> str:
    """Return the name of the focused thumbnail; empty if none is focused."""
    return str(page.evaluate("document.activeElement?.shadowRoot?.activeElement?.ariaLabel ?? ''"))


def expect_back_in_gallery(page: Page, digit: tuple[str, str, str]) -> None:
    """Check that the thumbnail of a digit is in view, focused and marked."""
    wait_for(lambda: focused(page).startswith(f"test digit {int(digit[0]):,} of"), "the thumbnail's focus")
    thumbnail = page.locator("button.mistake.returned")
    expect(thumbnail).to_be_in_viewport(ratio=1)
    assert thumbnail.evaluate("(button) => getComputedStyle(button).outlineStyle") == "solid"


def test_a_digit_read_wrong_covers_the_drawing_which_comes_back_unchanged(page: Page, url: str) -> None:
    dashboard.ready(page, url)
    dashboard.draw(page, "0")
    expect(page.locator(".verdict .digit")).not_to_have_text("")
    ink = dashboard.drawn_ink(page)
    place = page.locator(".st-key-canvas").bounding_box()

    page.get_by_role("link", name="Evaluation").click()
    mistake, following = (described(thumbnails(page).nth(number)) for number in (0, 1))
    thumbnails(page).first.focus()
    page.keyboard.press("Enter")
    dashboard.ready_again(page)
    expect_on_show(page, mistake)
    expect(page.locator(".cover")).to_be_visible()
    wait_for(lambda: dashboard.drawn_ink(page) == pytest.approx(ink, rel=0.02), "the drawing below it")
    ink = dashboard.drawn_ink(page)
    canvas = page.locator("canvas.upper-canvas")
    canvas.evaluate("(canvas) => { canvas.marked = true }")
    assert page.locator(".st-key-canvas").bounding_box() == place
    dashboard.note_places(page)

    dashboard.draw(page, "1")
    page.keyboard.press("ArrowRight")
    expect_on_show(page, following)
    page.get_by_role("button", name="The mistake before").click()
    expect_on_show(page, mistake)
    page.get_by_label("Row read so far").focus()
    page.keyboard.press("ArrowLeft")  # another row, not another digit
    expect(page.locator(".panel .row")).to_have_text("row 27 of 28")
    expect(page.locator(".veil")).to_be_visible()
    page.get_by_role("button", name="Back to my drawing").click()
    expect(page.locator(".cover")).to_be_hidden()
    expect(page).to_have_url(re.compile(r"\?run=[^&]+$"))
    expect(page.get_by_role("button", name="Undo")).to_be_enabled()
    assert dashboard.drawn_ink(page) == ink > 1000
    assert canvas.evaluate("(canvas) => canvas.marked")
    assert page.locator(".st-key-canvas").bounding_box() == place
    assert dashboard.canvas_moves(page) == 0


def test_from_the_lab_one_comes_back_to_the_same_place_in_the_gallery(projector: Page) -> None:
    page = projector
    surest = described(thumbnails(page).first)
    page.get_by_role("button", name="Page 2").click()
    expect(page.get_by_text("121 to 240 of")).to_be_visible()
    wait_for(lambda: described(thumbnails(page).first) != surest, "the thumbnails, which follow their number")
    opened, following = (described(thumbnails(page).nth(number)) for number in (98, 99))
    thumbnails(page).nth(98).click()
    dashboard.ready_again(page)
    expect_on_show(page, opened)
    page.get_by_role("button", name="The next mistake").click()
    expect_on_show(page, following)
    page.get_by_role("button", name="Gallery").click()
    expect_back_in_gallery(page, following)
    page.go_back()
    expect_on_show(page, following)
    page.go_back()
    expect_back_in_gallery(page, following)
    page.get_by_role("link", name="Lab").click()
    dashboard.ready_again(page)
    page.get_by_role("link", name="Evaluation").click()  # to look at its beginning
    thumbnails(page).first.wait_for()
    expect(page.get_by_text("121 to 240 of")).to_be_attached()
    expect(page.get_by_role("heading", name="Evaluation")).to_be_in_viewport()


def test_the_copied_address_of_a_digit_opens_it_for_somebody_else(projector: Page, chromium: Browser) -> None:
    digit = described(thumbnails(projector).nth(5))
    thumbnails(projector).nth(5).click()
    expect_on_show(projector, digit)
    other = dashboard.ready(chromium.new_page(), projector.url)
    expect_on_show(other, digit)
    other.reload()
    expect_on_show(dashboard.ready_again(other), digit)
    dashboard.ready(other, re.sub(r"digit=\d+", "digit=360", projector.url))
    expect(other.get_by_text("There is no test digit '360' in the bundled digits")).to_be_visible()
    expect(other).to_have_url(re.compile(r"\?run=[^&]+$"))
    other.close()


def test_a_click_on_the_confusion_matrix_shows_those_mistakes_and_pages_reach_all(projector: Page) -> None:
    page = projector
    count = re.search(r"1 to 120 of (\d+), the surest first", page.get_by_test_id("stMain").inner_text())
    assert count is not None
    page.get_by_role("button", name=f"Page {-(-int(count[1]) // 120)}").click()
    expect(page.get_by_text(f"to {count[1]} of {count[1]}")).to_be_visible()
    expect(thumbnails(page)).to_have_count(int(count[1]) % 120)
    wait_for(lambda: focused(page), "the first thumbnail of the page to be focused")

    label, read_as = described(thumbnails(page).first)[1:]
    matrix = page.locator(".st-key-evaluation_confusion")
    matrix.scroll_into_view_if_needed()
    cell = matrix.locator(".nsewdrag").bounding_box()
    assert cell is not None
    side, height = cell["width"] / 10, cell["height"] / 10
    page.mouse.click(cell["x"] + (int(read_as) + 0.5) * side, cell["y"] + (int(label) + 0.5) * height)
    wait_for(lambda: f" {label}, read as {read_as}," in focused(page), "such a mistake to be focused")
    expect(page.locator("button.mistake.returned")).to_be_in_viewport(ratio=1)
    expect(dashboard.control(page, "is a")).to_have_value(label)
    expect(dashboard.control(page, "read as")).to_have_value(read_as)
    assert {described(each)[1:] for each in thumbnails(page).all()} == {(label, read_as)}
    choose(page, "read as", "any digit")
    expect(thumbnails(page).first).to_have_attribute("aria-label", re.compile(f": an? {label},"))

    expect(dashboard.control(page, "read as")).to_have_value("any digit")
    first, following = (described(thumbnails(page).nth(number)) for number in (0, 1))
    thumbnails(page).first.click()
    expect_on_show(page, first)
    page.keyboard.press("ArrowRight")  # the next mistake of this kind
    expect_on_show(page, following)
    page.get_by_role("button", name="Gallery").click()
    expect_back_in_gallery(page, following)
    expect(dashboard.control(page, "is a")).to_have_value(label)


def test_on_a_phone_the_evaluation_stacks_up_without_scrolling_sideways(chromium: Browser, url: str) -> None:
    phone = chromium.new_page(viewport={"width": 390, "height": 844})
    phone.goto(f"{url}/evaluation")
    phone.locator("button.mistake").first.wait_for()
    wait_for(lambda: phone.locator(".rnnlab-plot .main-svg").count() >= 3, "the three figures")
    tops = []
    for place in phone.locator(".rnnlab-plot, .st-key-gallery").all():
        box = place.bounding_box()
        assert box is not None
        assert 0 <= box["x"] <= box["x"] + box["width"] <= 390
        tops.append(box["y"])
    assert len(tops) == 4
    assert tops == sorted(tops)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    phone.close()
