"""Teach it your hand: the page (by Streamlit's `AppTest`), and a worker that learns from saved drawings."""

from __future__ import annotations

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from rnnlab.data.labelled_drawings import LabelledDrawings
from rnnlab.model.weights import Weights
from rnnlab.presets import config_from, teaching_config
from rnnlab.runs import RunState
from rnnlab.store.store import Store
from rnnlab.worker.job import execute
from tests.pages import add_run, address, lab, open_with_drawing, shown, texts
from tests.test_labelled_drawings import png

pytestmark = pytest.mark.usefixtures("no_workers")


def is_disabled(app: AppTest, key: str) -> bool:
    return bool(app.button(key=key).disabled)


def test_a_tap_on_the_right_digit_keeps_the_drawing(store: Store) -> None:
    add_run(store)
    app = open_with_drawing()
    app.button(key="teach_7").click().run()
    assert "Saved as a 7" in texts(shown(app))
    assert [drawing.label for drawing in LabelledDrawings(store.labelled_drawings_folder).drawings()] == [7]


def test_without_a_drawing_nothing_can_be_named_and_without_kept_ones_nothing_taught(store: Store) -> None:
    add_run(store)
    app = lab()
    assert all(is_disabled(app, f"teach_{digit}") for digit in range(10))
    assert is_disabled(app, "teach_start")
    assert "Draw a digit first." in texts(app)


def test_a_kept_drawing_can_be_removed(store: Store) -> None:
    hand = LabelledDrawings(store.labelled_drawings_folder)
    gone, kept = hand.add(png("7"), 7), hand.add(png("0"), 0)
    add_run(store)
    app = lab()
    app.button(key=f"remove_{gone.id}").click().run()
    assert "A 7 was removed" in texts(shown(app))
    assert [drawing.id for drawing in hand.drawings()] == [kept.id]


def test_one_button_trains_the_network_on_show_in_a_run_of_its_own(
    store: Store, no_workers: list[str]
) -> None:
    LabelledDrawings(store.labelled_drawings_folder).add(png("7"), 7)
    run = add_run(store)
    app = lab()
    no_workers.clear()
    app.button(key="teach_start").click().run()
    shown(app)
    newest = store.runs()[0]
    assert (newest.parent, newest.config) == (run.id, teaching_config(run.config))
    assert store.files(newest.id).start.read_bytes() == store.files(run.id).weights.read_bytes()
    assert address(app)["run"] == newest.id
    assert no_workers


def test_a_network_without_weights_cannot_be_taught(store: Store) -> None:
    LabelledDrawings(store.labelled_drawings_folder).add(png("7"), 7)
    store.create_run(config_from({}))
    assert is_disabled(lab(), "teach_start")


def test_a_full_or_broken_place_for_drawings_is_one_sentence(store: Store) -> None:
    add_run(store)
    store.labelled_drawings_folder.write_text("in the way")
    app = open_with_drawing()
    app.button(key="teach_7").click().run()
    assert "cannot be saved" in texts(shown(app))


def test_a_taught_network_reads_the_drawing_as_it_was_told(store: Store) -> None:
    """A network that has learned nothing else and is told that a 7 is a 3 learns just that."""
    from rnnlab.data.preprocessing import prepare
    from rnnlab.model.reader import Reader
    from tests.pens import draw_digit

    LabelledDrawings(store.labelled_drawings_folder).add(png("7"), 3)
    parent = add_run(store, config_from({"dataset": "digits", "neurons": 16}))
    config = replace(teaching_config(parent.config), learning_rate=0.01)
    run = store.create_run(config, claimed=True, parent=parent.id)
    assert execute(store, run) is RunState.FINISHED
    prepared = prepare(draw_digit("7"))
    assert prepared is not None
    reader = Reader(Weights.load(store.files(run.id).weights)[0])
    assert int(reader.read(prepared.picture[None]).beliefs[0, -1].argmax()) == 3


def test_a_damaged_start_ends_the_run_with_one_sentence(store: Store) -> None:
    LabelledDrawings(store.labelled_drawings_folder).add(png("7"), 7)
    parent = add_run(store, config_from({"dataset": "digits", "neurons": 16}))
    run = store.create_run(teaching_config(parent.config), claimed=True, parent=parent.id)
    store.files(run.id).start.write_bytes(b"damaged")
    assert execute(store, run) is RunState.FAILED
    assert "is damaged" in store.run(run.id).message
