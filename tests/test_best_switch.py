"""What the pages say of a run that a rule has ended, and the switch to its best weights, run by `AppTest`."""

from __future__ import annotations

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from rnnlab.config import Config
from rnnlab.data.datasets import Dataset
from rnnlab.model.reader import Reader
from rnnlab.presets import config_from
from rnnlab.runs import Run, RunState, TestPoint
from rnnlab.store.store import Store
from tests.pages import APP, add_run, component, drawn, lab, preset_box, shown, texts
from tests.test_evaluation_page import evaluation_page, numbers
from tests.weights import random_weights

DIGITS = config_from({"dataset": "digits", "patience": 2})
SAID = "Ended early, at step 60: 2 tests in a row were no better than that of step 20."


@pytest.fixture(autouse=True)
def no_reaping(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the pages from ending runs whose worker is this test."""
    from rnnlab.worker.launcher import LocalLauncher

    monkeypatch.setattr(LocalLauncher, "reap", lambda _: None)


def ended_by_patience(store: Store, config: Config = DIGITS, best: int = 20) -> Run:
    """Add a run that its patience has ended, with other weights at its best test."""
    run = add_run(store, config)
    files = store.files(run.id)
    for step, accuracy in ((20, 0.8), (40, 0.7), (60, 0.6)):
        store.reports.add_test(run.id, TestPoint(step, accuracy))
    files.best.save(random_weights(seed=9), best)
    files.checkpoint.touch()
    store.reports.end_run(run.id, RunState.FINISHED, message=SAID, ended_by="patience", step=60)
    return store.run(run.id)


def lab_with_drawing(run: Run) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=30)
    app.session_state["rnnlab_session"] = drawn()
    app.query_params["run"] = run.id
    return shown(app.run())


def test_the_lab_says_what_ended_a_run_and_marks_it_on_the_curve(store: Store) -> None:
    run = ended_by_patience(store)
    app = lab(run=run.id)
    assert [info.value.replace("\\", "") for info in app.info] == [SAID]
    curve = component(app, "curve")
    (line,), (words,) = curve["figure"]["layout"]["shapes"], curve["figure"]["layout"]["annotations"]
    assert (line["x0"], words["x"], words["text"]) == (60, 60, "ended: patience 2")
    assert "At step 60 it ended: patience 2." in curve["description"]


def test_train_further_says_that_the_rule_no_longer_counts(store: Store) -> None:
    run = ended_by_patience(store)
    assert "What ended it, **patience 2**, no longer counts then." in texts(lab(run=run.id))
    store.requests.change(run.id, {"patience": 5})
    assert "no longer counts" not in texts(lab(run=run.id))


def test_a_rule_leaves_the_preset_as_it_is(store: Store) -> None:
    app = lab()
    app.number_input(key="control_stop_at").set_value(0.985).run()
    assert preset_box(shown(app)).value == "default"
    preset_box(app).select("best").run()
    app.button(key="start").click().run()
    shown(app)
    assert store.runs()[0].config == config_from({"stop_at": 0.985}, "best")


def test_the_rules_can_be_set_in_the_address(store: Store) -> None:
    app = lab(stop_at="0.98", patience="10", minutes="2.5")
    app.button(key="start").click().run()
    shown(app)
    assert store.runs()[0].config == config_from({"stop_at": 0.98, "patience": 10, "minutes": 2.5})


def test_the_switch_has_the_drawing_read_with_the_best_weights(store: Store) -> None:
    run = ended_by_patience(store)
    app = lab_with_drawing(run)
    switch = app.toggle(key=f"best_of_{run.id}")
    assert switch.label == "Best weights: step 20, 80.00 % of the test set"
    assert not switch.value
    newest = component(app, "belief")
    assert newest["note"] == "Read with the weights of step 60."
    switch.set_value(True).run()
    best = component(shown(app), "belief")
    assert best["note"] == "Read with the weights of step 20."
    prepared = app.session_state["rnnlab_session"].drawing.prepared
    beliefs = Reader(random_weights(seed=9)).read(prepared.picture[np.newaxis]).beliefs[0]
    assert np.argmax(best["beliefs"][-1]) == beliefs[-1].argmax()
    assert best["beliefs"] != newest["beliefs"]
    app.toggle(key=f"best_of_{run.id}").set_value(False).run()
    assert component(shown(app), "belief") == newest


@pytest.mark.parametrize("best", [60, None])
def test_there_is_no_switch_if_the_best_weights_are_the_last_ones_or_none_were_kept(
    store: Store, best: int | None
) -> None:
    run = ended_by_patience(store, best=best or 20)
    if best is None:
        store.files(run.id).best.discard_after(0)
    assert not [toggle for toggle in lab_with_drawing(run).toggle if str(toggle.key).startswith("best")]


def test_damaged_best_weights_are_said_to_be_that(store: Store) -> None:
    run = ended_by_patience(store)
    found = store.files(run.id).best.newest()
    assert found is not None
    found[0].write_bytes(b"nonsense")
    app = lab_with_drawing(run)
    app.toggle(key=f"best_of_{run.id}").set_value(True).run()
    assert "damaged" in component(shown(app), "belief")["hint"]


def test_the_evaluation_page_evaluates_the_best_weights_if_told_so(store: Store, digits: Dataset) -> None:
    run = ended_by_patience(store)
    app = evaluation_page(run=run.id)
    assert "weights of step 60" in texts(app)
    last = numbers(app)["test accuracy"]
    app.toggle(key=f"best_of_{run.id}").set_value(True).run()
    assert "weights of step 20" in texts(shown(app))
    read = Reader(random_weights(seed=9)).read(digits.test_images).beliefs[:, -1].argmax(axis=1)
    best = numbers(app)["test accuracy"]
    assert best == f"{(read == digits.test_labels).mean() * 100:.2f} %"
    assert best != last


def test_the_best_weights_read_if_the_last_ones_are_damaged(store: Store) -> None:
    run = ended_by_patience(store)
    store.files(run.id).weights.write_bytes(b"nonsense")
    app = lab_with_drawing(run)
    assert "damaged" in component(app, "belief")["hint"]
    app.toggle(key=f"best_of_{run.id}").set_value(True).run()
    assert component(shown(app), "belief")["note"] == "Read with the weights of step 20."
