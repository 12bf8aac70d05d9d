"""A picture that a visitor brings: read in place of the drawing, beside it, and never in its stead."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import FilePayload, Page, expect

from rnnlab.dashboard.drawing import NOTHING_STANDS_OUT, BroughtPicture
from rnnlab.presets import config_from
from rnnlab.store.store import Store
from tests import dashboard
from tests.pages import add_run, component, drawn, lab, shown
from tests.papers import black_on_white, photograph
from tests.pens import draw_digit

INK = np.asarray(draw_digit("7", pen=16, scale=0.6, shift=(0.2, 0.2))[..., 0] / 255.0)
PHOTO = photograph(INK, np.random.default_rng(0))


def test_a_photograph_is_prepared_and_shown_small_on_a_square() -> None:
    wide = np.pad(INK, ((0, 0), (140, 140)))
    found = BroughtPicture.from_file(black_on_white(wide, np.random.default_rng(0)), "seven.png")
    assert found.prepared is not None
    assert (found.caption, found.problem) == ("Your picture seven.png", "")
    assert found.photo.startswith("data:image/jpeg;base64,")
    assert len(found.photo) < 30_000
    prepared = found.prepared
    first_row, first_column = (np.flatnonzero(prepared.picture.max(axis=axis) > 127)[0] for axis in (1, 0))
    upper, left = (np.flatnonzero(INK.max(axis=axis))[0] / 560 for axis in (1, 0))
    assert prepared.top + first_row * prepared.row_height == pytest.approx(0.25 + upper, abs=0.02)
    assert prepared.left + first_column * prepared.column_width == pytest.approx(0.25 + left, abs=0.02)


def test_a_picture_without_a_digit_or_with_several_is_shown_with_what_is_wrong() -> None:
    blank = BroughtPicture.from_file(black_on_white(0 * INK, np.random.default_rng(0)), "a" * 100)
    two = BroughtPicture.from_file(black_on_white(np.hstack([INK, INK]), np.random.default_rng(0)), "77.png")
    broken = BroughtPicture.from_file(b"no picture", "notes.txt")
    assert blank.problem == NOTHING_STANDS_OUT
    assert len(blank.caption) < 60
    assert "seems to show 2 digits" in two.problem
    assert "not a picture that can be read" in broken.problem
    assert [bool(each.photo) for each in (blank, two, broken)] == [True, True, False]
    assert [each.prepared for each in (blank, two, broken)] == [None] * 3


@pytest.mark.usefixtures("no_workers")
def test_a_picture_is_read_in_place_of_the_drawing_which_stays(store: Store) -> None:
    add_run(store)
    app, visit = lab(), drawn("3")
    visit.cover = BroughtPicture.from_file(PHOTO, "seven.jpg")
    app.session_state["rnnlab_session"] = visit
    belief = component(shown(app.run()), "belief")
    assert belief["caption"] == "Your picture seven.jpg"
    assert len(belief["beliefs"]) == 28
    assert belief["photo"] == visit.cover.photo
    app.button(key="back_to_drawing").click().run()
    belief = component(shown(app), "belief")
    assert "caption" not in belief
    assert belief["picture"] == drawn("3").drawing.prepared.picture.ravel().tolist()  # type: ignore[union-attr]


@pytest.mark.usefixtures("no_workers")
def test_a_picture_that_cannot_be_read_says_why_where_the_answer_would_stand(store: Store) -> None:
    add_run(store)
    app, visit = lab(), drawn("3")
    visit.cover = BroughtPicture.from_file(b"no picture", "notes.txt")
    app.session_state["rnnlab_session"] = visit
    belief = component(shown(app.run()), "belief")
    assert "not a picture that can be read" in belief["hint"]
    assert "beliefs" not in belief


@pytest.mark.usefixtures("no_workers")
def test_a_test_digit_of_the_runs_data_is_read_in_place_of_the_drawing(store: Store) -> None:
    add_run(store, config_from({"dataset": "digits"}))
    app = lab()
    app.button(key="test_digit_4").click().run()
    belief = component(shown(app), "belief")
    assert re.match(r"Test digit \d+ of the bundled digits", belief["note"])
    assert belief["label"] == 4
    assert len(belief["beliefs"]) == 28


@pytest.mark.usefixtures("no_workers")
def test_without_the_runs_data_a_sentence_says_why_there_is_no_test_digit(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RNNLAB_MNIST_DIR", raising=False)
    add_run(store, config_from({"dataset": "mnist"}))
    app = lab()
    app.button(key="test_digit_any").click().run()
    belief = component(shown(app), "belief")
    assert belief["hint"].startswith("MNIST is not on this machine yet")
    assert app.button(key="back_to_drawing").label == "Back to my drawing"


@pytest.fixture
def url(url_of_an_ended_run: str) -> str:
    return url_of_an_ended_run


def test_a_person_brings_photographs_and_goes_back_to_the_drawing(page: Page, url: str) -> None:
    dashboard.ready(page, url)
    dashboard.draw(page, "3")
    expect(page.locator(".verdict .decided")).to_have_text(re.compile("decided|perhaps"))
    ink = dashboard.drawn_ink(page)
    for button, name, content in (("Picture", "seven.jpg", PHOTO), ("Another picture", "notes.txt", b"no")):
        page.get_by_role("button", name=button, exact=True).click()
        file = FilePayload(name=name, mimeType="image/jpeg", buffer=content)
        field = page.locator("[data-testid=stFileUploader] input[type=file]")
        expect(field).to_have_count(1)  # the one of the picture before may still be going away
        expect(field).to_have_attribute("accept", "image/*")  # with which a phone offers its camera
        field.set_input_files(files=[file])
        expect(page.locator(".verdict .caption")).to_have_text(f"Your picture {name}")
        expect(page.locator("[data-testid=stFileUploader]")).to_have_count(0)
        if content is PHOTO:
            background = page.locator(".cover").evaluate("cover => cover.style.backgroundImage")
            assert background.startswith('url("data:image/jpeg')
            expect(page.locator(".verdict .decided")).to_have_text(re.compile("decided|perhaps"))
    expect(page.locator(".verdict .hint")).to_contain_text("not a picture that can be read")
    page.get_by_role("button", name="Back to my drawing").click()
    expect(page.locator(".cover")).to_be_hidden()
    assert dashboard.drawn_ink(page) == ink


def test_the_help_of_the_button_does_not_stay_after_a_test_digit_is_taken_with_the_mouse(
    page: Page, url: str
) -> None:
    dashboard.ready(page, url)
    button = page.get_by_test_id("stMainBlockContainer").get_by_role("button", name="Picture", exact=True)
    popover = page.get_by_role("dialog", name="Picture")
    for digit in ("3", "8"):
        button.click()
        popover.get_by_role("button", name=digit, exact=True).click()
        expect(page.locator(".verdict .outcome")).to_have_text(re.compile(rf"an? {digit},"))
        expect(popover).to_be_hidden()
        expect(button).not_to_be_focused()  # what has the focus shows its help
        page.mouse.move(1, 1)
        expect(page.get_by_role("tooltip")).to_have_count(0)


@pytest.mark.parametrize("width", [420, 1280])
def test_nothing_of_a_test_digit_is_cut_off_if_text_is_twice_as_large(
    page: Page, url: str, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    dashboard.ready(page, url)
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    page.get_by_test_id("stMainBlockContainer").get_by_role("button", name="Picture", exact=True).click()
    digit = page.get_by_role("dialog", name="Picture").get_by_role("button", name="3", exact=True)
    assert digit.locator("p").evaluate("(label) => label.parentElement.clientWidth") >= 10
    digit.click()
    outcome = page.locator(".verdict .outcome")
    expect(outcome).to_have_text(re.compile("a 3,"))
    main = page.get_by_test_id("stMain")
    assert main.evaluate("(main) => main.scrollWidth <= main.clientWidth")
    for part in (outcome, page.locator(".st-key-status_name .stMarkdownBadge")):
        box = part.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    words, picture = page.locator(".verdict .words").bounding_box(), page.locator(".cover").bounding_box()
    assert words is not None
    assert picture is not None
    assert words["y"] + words["height"] <= picture["y"] + 1
