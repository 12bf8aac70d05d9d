"""The drawing region, run by Streamlit's own `AppTest`: what it says about a drawing."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from rnnlab.presets import config_from
from rnnlab.runs import RunState
from rnnlab.store.store import Store
from tests.pages import APP, add_run, component, drawn, lab, open_with_drawing, shown
from tests.pens import draw_digit
from tests.weights import random_weights, with_read_out

pytestmark = pytest.mark.usefixtures("no_workers")


def test_weights_that_are_gone_are_not_said_to_have_never_been(store: Store) -> None:
    run = add_run(store)
    store.files(run.id).weights.unlink(missing_ok=True)
    store.reports.end_run(run.id, RunState.FINISHED)
    app = open_with_drawing()
    assert "or were damaged" in component(app, "belief")["hint"]


def test_a_stroke_that_came_together_with_a_click_is_not_lost() -> None:
    app = AppTest.from_file(str(APP), default_timeout=30)
    remembered = drawn()
    app.session_state["rnnlab_session"] = remembered
    shown(app.run())
    png = io.BytesIO()
    Image.fromarray(draw_digit("3")).save(png, "PNG")
    strokes = [{"type": "Path", "name": str(index)} for index in range(3)]
    url = "data:image/png;base64," + base64.b64encode(png.getvalue()).decode()
    app.session_state[f"canvas_{remembered.name}"] = {"drawing": {"raw": {"objects": strokes}, "data": url}}
    app.button(key="undo").click().run()
    assert component(shown(app), "canvas")["initialDrawing"]["objects"] == strokes[:2]


def test_a_drawing_is_read_with_the_newest_weights(store: Store) -> None:
    run = add_run(store)
    before = component(open_with_drawing(), "belief")
    assert [len(before["beliefs"]), len(before["beliefs"][0]), len(before["picture"])] == [28, 10, 784]
    assert "step 60" in before["note"]
    random_weights(seed=9).save(store.files(run.id).weights, 80)
    after = component(open_with_drawing(), "belief")
    assert after["beliefs"] != before["beliefs"]
    assert "step 80" in after["note"]


def test_an_answer_that_would_more_likely_be_wrong_than_right_is_not_sure(store: Store) -> None:
    run, weights = add_run(store), random_weights()
    for logit, sure in ((0, False), (2, False), (3, True)):  # beliefs of 0.1, 0.45 and 0.69
        bias = np.array([0, 0, 0, logit, 0, 0, 0, 0, 0, 0], np.float32)
        told = with_read_out(weights, 0 * weights.output_kernel, bias)
        told.save(store.files(run.id).weights, 80 + logit)
        assert component(open_with_drawing(), "belief")["sure"] is sure


def test_a_blank_canvas_asks_for_a_digit(store: Store) -> None:
    add_run(store)
    belief = component(lab(), "belief")
    assert (belief["hint"], belief["note"]) == ("Draw a digit from 0 to 9.", "")
    assert set(belief) == {"reading", "hint", "note"}


def test_without_a_network_the_panel_says_so() -> None:
    belief = component(open_with_drawing(), "belief")
    assert "beliefs" not in belief
    assert belief["hint"].startswith("No network yet")


def test_a_damaged_weights_file_gets_one_sentence_and_the_page_stays(store: Store) -> None:
    run = add_run(store)
    store.files(run.id).weights.write_bytes(b"damaged")
    app = open_with_drawing()
    assert "is damaged" in component(app, "belief")["hint"]
    assert app.metric[0].value == "30.0 %"


def test_a_network_trained_on_its_last_row_only_is_said_to_be(store: Store) -> None:
    add_run(store, config_from({}, "notebook"))
    assert "trained on its last row only" in component(open_with_drawing(), "belief")["note"]


def test_undo_takes_the_last_stroke_away_and_clear_all(store: Store) -> None:
    add_run(store)
    app = open_with_drawing()
    app.button(key="undo").click().run()
    assert len(component(app, "canvas")["initialDrawing"]["objects"]) == 1
    app.button(key="clear").click().run()
    assert component(app, "canvas")["initialDrawing"]["objects"] == []
    assert component(shown(app), "belief")["hint"] == "Draw a digit from 0 to 9."


def test_undo_after_clear_brings_the_drawing_back_also_after_strokes_drawn_since(
    store: Store,
) -> None:
    add_run(store)
    app = open_with_drawing()
    before = component(app, "belief")
    app.button(key="clear").click().run()
    assert not app.button(key="undo").disabled
    assert app.button(key="clear").disabled
    app.button(key="undo").click().run()
    assert len(component(shown(app), "canvas")["initialDrawing"]["objects"]) == 2
    assert component(app, "belief") == before
    app.button(key="clear").click().run()
    app.session_state["rnnlab_session"].drawing.show([{"type": "Path", "name": "new"}])
    for left in (0, 2, 1, 0):
        app.button(key="undo").click().run()
        assert len(component(shown(app), "canvas")["initialDrawing"]["objects"]) == left
    assert app.button(key="undo").disabled


def test_the_canvas_is_black_280_by_280_with_a_white_pen() -> None:
    canvas = component(lab(), "canvas")
    assert (canvas["canvasWidth"], canvas["canvasHeight"]) == (280, 280)
    assert (canvas["backgroundColor"], canvas["strokeColor"]) == ("#000000", "#FFFFFF")
