"""The field beside a slider, in which the exact number is typed."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect
from streamlit.testing.v1 import AppTest

from rnnlab.dashboard.regions.run_buttons import ADJUST_KEY
from rnnlab.store.store import Store
from tests import dashboard
from tests.pages import add_run, key_now, lab, preset_box, shown, texts

pytestmark = pytest.mark.usefixtures("no_workers")

RATE, FIELD = "control_learning_rate", "control_learning_rate_typed"
REFUSAL = "learning rate must be a number from 1e-05 to 1"


def typed(app: AppTest, text: str) -> AppTest:
    """Type a learning rate into the sidebar, and go on to the next field."""
    app.text_input(key_now(app, FIELD)).set_value(text).run()
    return shown(app)


def said(app: AppTest) -> str:
    """Return all words of the page, without the marks that keep Markdown from changing them."""
    return texts(app).replace("\\", "")


@pytest.mark.parametrize("text", ["0.0003", "3e-4", " 0,0003 ", ".0003"])
def test_a_run_starts_with_the_very_learning_rate_that_was_typed(store: Store, text: str) -> None:
    app = typed(lab(), text)
    assert app.select_slider(key_now(app, RATE)).value == 0.0003
    assert app.text_input(key_now(app, FIELD)).value == "0.0003"
    app.button(key="start").click().run()
    assert store.runs()[0].config.learning_rate == 0.0003


@pytest.mark.parametrize("text", ["2", "0.000001", "fast", "", "nan", "1e999", "-0.1", "**0.1**", "1" * 5000])
def test_what_is_no_learning_rate_gets_one_sentence_and_starts_nothing(store: Store, text: str) -> None:
    app = typed(lab(), text)
    assert said(app).count(REFUSAL) == 1
    assert app.text_input(key_now(app, FIELD)).value == text
    assert app.select_slider(key_now(app, RATE)).value == 0.001
    app.button(key="start").click().run()
    assert REFUSAL in shown(app).warning[0].value.replace("\\", "")
    assert store.runs() == []
    assert REFUSAL not in said(typed(app, "0.5"))
    app.button(key="start").click().run()
    assert store.runs()[0].config.learning_rate == 0.5


def test_start_counts_what_was_typed_just_before(store: Store) -> None:
    app = lab()
    app.text_input(key_now(app, FIELD)).set_value("0.00042")
    app.button(key="start").click().run()
    assert store.runs()[0].config.learning_rate == 0.00042


def test_slider_and_preset_change_the_field_and_end_a_refusal(store: Store) -> None:
    app = typed(lab(), "2")
    app.select_slider(key_now(app, RATE)).set_value(0.02)
    app.button(key="start").click().run()
    assert store.runs()[0].config.learning_rate == 0.02
    assert (app.text_input(key_now(app, FIELD)).value, REFUSAL in said(app)) == ("0.02", False)
    shown(preset_box(app).select("default").run())
    assert app.text_input(key_now(app, FIELD)).value == "0.001"


def test_slider_and_field_are_used_by_keyboard_and_there_again_after_another_page(
    chromium: Browser, url_of_an_ended_run: str
) -> None:
    page = chromium.new_page()
    dashboard.ready(page, url_of_an_ended_run)
    slider = page.get_by_test_id("stSidebar").get_by_role("slider").first
    field = dashboard.control(page, "learning rate, exact")
    slider.focus()
    page.keyboard.press("Tab")
    expect(field).to_be_focused()
    field.fill("0.0003")
    page.keyboard.press("Enter")
    expect(slider).to_have_attribute("aria-valuetext", "0.0003")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(field).to_have_value("0.0005")
    field.fill("2")
    page.keyboard.press("Tab")
    refusal = page.get_by_text(f"{REFUSAL}, not '2'.")
    expect(refusal).to_be_visible()
    page.get_by_role("link", name="Guide").click()
    expect(page.get_by_role("heading", name="What happens here")).to_be_visible()
    page.get_by_role("link", name="Lab").click()
    expect(field).to_have_value("2")
    expect(refusal).to_be_visible()
    page.close()


def test_the_exact_learning_rate_of_a_run_can_be_typed_while_it_trains(store: Store) -> None:
    run = add_run(store)
    app = lab()
    app.session_state[ADJUST_KEY] = {"is_shown": True}
    app.run()
    (field,) = [each for each in app.text_input if str(each.key).startswith("adjust_learning_rate")]
    field.set_value("7").run()
    assert REFUSAL in said(app)
    assert app.button(key="adjust_apply").disabled
    (field,) = [each for each in app.text_input if str(each.key).startswith("adjust_learning_rate")]
    field.set_value("0.00037").run()
    assert REFUSAL not in said(app)
    app.button(key="adjust_apply").click().run()
    assert store.run(run.id).requested == {"learning_rate": 0.00037}


def test_apply_counts_what_was_set_just_before(store: Store) -> None:
    run = add_run(store)
    app = lab()
    app.session_state[ADJUST_KEY] = {"is_shown": True}
    for batch_size in (64, 32):
        app.run()
        (field,) = [each for each in app.number_input if str(each.key).startswith("adjust_batch_size")]
        field.set_value(batch_size)
    app.button(key="adjust_apply").click().run()
    assert not shown(app).warning
    assert store.run(run.id).requested == {"batch_size": 32}
