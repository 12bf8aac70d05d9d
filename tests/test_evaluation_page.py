"""The Evaluation page, run by Streamlit's own `AppTest`, and what it leaves for the Lab to show."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from rnnlab.config import Config
from rnnlab.dashboard.drawing import TestDigit
from rnnlab.dashboard.session import Session
from rnnlab.data.datasets import Dataset
from rnnlab.model.architecture import Architecture
from rnnlab.model.evaluation import Evaluation, evaluate
from rnnlab.model.reader import Reader
from rnnlab.presets import config_from
from rnnlab.runs import Run, RunState
from rnnlab.store.store import Store
from tests.pages import APP, add_run, address, component, drawn, shown, texts
from tests.weights import random_weights, random_weights_of

DIGITS = config_from({"dataset": "digits"})


@pytest.fixture(autouse=True)
def no_reaping(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the pages from ending runs whose worker is this test."""
    from rnnlab.worker.launcher import LocalLauncher

    monkeypatch.setattr(LocalLauncher, "reap", lambda _: None)


@pytest.fixture(scope="module")
def result(digits: Dataset) -> Evaluation:
    """Return what the page should show for the weights that `add_run` gives to its runs."""
    return evaluate(Reader(random_weights()), digits.test_images, digits.test_labels)


def evaluation_page(**query: str) -> AppTest:
    """Open the page with URL parameters."""

    def page() -> None:
        from rnnlab.dashboard.pages import evaluation_page

        evaluation_page.render()

    app = AppTest.from_function(page, default_timeout=30)
    for name, value in query.items():
        app.query_params[name] = value
    return shown(app.run())


def ended_run(store: Store, config: Config = DIGITS) -> Run:
    """Add a run that has ended, with weights."""
    run = add_run(store, config)
    store.reports.end_run(run.id, RunState.FINISHED)
    return store.run(run.id)


def numbers(app: AppTest) -> dict[str, str]:
    """Return the large numbers of the page."""
    return {metric.label: metric.value for metric in app.metric}


def test_before_any_run_the_page_leads_to_the_lab() -> None:
    app = evaluation_page()
    assert "There is no run yet" in texts(app)
    assert [button.label for button in app.button] == ["To the Lab"]


def test_a_run_that_has_ended_is_evaluated_at_once(store: Store, result: Evaluation) -> None:
    run = ended_run(store)
    app = evaluation_page()
    assert address(app)["run"] == run.id
    assert numbers(app) == {
        "test accuracy": f"{result.test_accuracy * 100:.2f} %",
        "half are decided by": f"row {result.decided_by(0.5)}",
        "read wrong": f"{len(result.mistakes)} of 360",
        "calibration error": f"{result.calibration_error_by_row[-1] * 100:.1f} %",
    }
    assert "weights of step 60: 360 test images of the bundled digits" in texts(app)
    lines = component(app, "evaluation_rows")["figure"]["data"]
    assert lines[0]["y"] == pytest.approx(result.accuracy_by_row.tolist())
    bars = component(app, "evaluation_decisions")["figure"]["data"][0]
    assert bars["customdata"] == result.decisions_by_row.tolist()
    assert "read as" in component(app, "evaluation_confusion")["description"]


def test_the_gallery_begins_with_the_surest_mistakes_and_says_how_many_there_are(
    store: Store, result: Evaluation
) -> None:
    ended_run(store)
    app = evaluation_page()
    gallery = component(app, "gallery")
    mistakes = [each | {"probability": round(each["probability"], 4)} for each in result.mistakes.to_json()]
    assert gallery["mistakes"] == mistakes[:120]
    assert f"1 to 120 of {len(result.mistakes)}, the surest first" in texts(app)


def test_the_gallery_can_be_narrowed_down_to_one_mistake(store: Store, result: Evaluation) -> None:
    ended_run(store)
    app = evaluation_page()
    label, read_as = result.mistakes.labels[0], result.mistakes.read_as[0]
    app.selectbox(key="mistake_is").select(str(label))
    app.selectbox(key="mistake_read_as").select(str(read_as)).run()
    mistakes = component(shown(app), "gallery")["mistakes"]
    assert len(mistakes) == result.confusion[label, read_as]
    assert {(each["label"], each["read_as"]) for each in mistakes} == {(label, read_as)}
    app.selectbox(key="mistake_is").select(str(read_as)).run()
    assert "It never makes this mistake" in texts(shown(app))


def test_a_run_that_trains_is_evaluated_only_on_demand_and_shown_with_its_step(store: Store) -> None:
    run = add_run(store, DIGITS)
    app = evaluation_page()
    assert app.button(key="evaluate").label == "Evaluate the weights of step 60"
    assert not app.metric
    app.button(key="evaluate").click().run()
    assert "weights of step 60" in texts(shown(app))
    random_weights(seed=1).save(store.files(run.id).weights, 80)
    app.run()
    assert app.button(key="evaluate").label == "Evaluate the weights of step 80"
    assert "weights of step 60" in texts(app)
    app.button(key="evaluate").click().run()
    assert "weights of step 80" in texts(shown(app))


def test_the_end_of_a_run_brings_its_evaluation(store: Store) -> None:
    run = add_run(store, DIGITS)
    app = evaluation_page()
    store.reports.end_run(run.id, RunState.STOPPED)
    app.run()
    assert "test accuracy" in numbers(shown(app))
    assert not [button for button in app.button if button.key == "evaluate"]


def test_before_its_first_report_a_run_cannot_be_evaluated(store: Store) -> None:
    store.create_run(DIGITS)
    assert evaluation_page().button(key="evaluate").disabled


def test_another_run_can_be_chosen_and_is_then_the_one_on_show(store: Store) -> None:
    first, second = ended_run(store), ended_run(store)
    random_weights(seed=1).save(store.files(first.id).weights, 40)
    app = evaluation_page(run=second.id)
    assert app.selectbox(key="evaluated_run").value == second.id
    app.selectbox(key="evaluated_run").set_value(first.id).run()
    assert "weights of step 40" in texts(shown(app))
    assert address(app)["run"] == first.id


def test_a_run_that_is_not_there_gets_one_sentence_and_the_newest_is_shown(store: Store) -> None:
    run = ended_run(store)
    app = evaluation_page(run="nobody")
    assert ["There is no run called" in warning.value for warning in app.warning] == [True]
    assert address(app)["run"] == run.id


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ("damaged", "is damaged"),
        ("none", "are not there, or were damaged"),
        ("no data", "t10k-images-idx3-ubyte.gz is missing"),
    ],
)
def test_what_keeps_a_run_from_being_evaluated_is_said_in_one_sentence(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str, said: str
) -> None:
    monkeypatch.setenv("RNNLAB_MNIST_DIR", str(tmp_path))
    run = ended_run(store, Config() if trouble == "no data" else DIGITS)
    if trouble == "damaged":
        store.files(run.id).weights.write_bytes(b"damaged")
    elif trouble == "none":
        store.files(run.id).weights.unlink()
    app = evaluation_page()
    assert said in texts(app).replace("\\", "")
    assert len([*app.error, *app.info]) == 1
    assert not app.metric


def test_missing_data_is_said_when_a_run_that_trains_is_to_be_evaluated(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RNNLAB_MNIST_DIR", str(tmp_path))
    add_run(store)
    app = evaluation_page()
    app.button(key="evaluate").click().run()
    assert ["is missing" in warning.value for warning in shown(app).warning] == [True]


def test_a_network_trained_on_its_last_row_only_is_said_to_be(store: Store) -> None:
    ended_run(store, config_from({"dataset": "digits"}, "notebook"))
    assert "trained on its last row only" in texts(evaluation_page())


def test_the_page_of_a_network_that_reads_columns_speaks_of_columns(store: Store) -> None:
    run = ended_run(store, config_from({"dataset": "digits", "reading_order": "left"}))
    weights = random_weights_of(Architecture(neurons=16, reading_order="left"))
    weights.save(store.files(run.id).weights, 60)
    app = evaluation_page()
    assert re.fullmatch(r"\d+ columns?", numbers(app)["half are decided after"])
    said = texts(app)
    assert "How many columns does it need?" in said
    assert "what the network believes after each column" in said
    assert re.search(r"Decided: 50% after \d+ columns?, 90% after \d+ columns", said)
    assert not re.search(r"\brows?\b", said)
    described = component(app, "evaluation_rows")["description"]
    assert re.search(r"after 7 columns, .* after 28 columns", described)


def test_a_network_trained_on_its_last_column_only_is_said_to_be(store: Store) -> None:
    settings = {"dataset": "digits", "reading_order": "right"}
    run = ended_run(store, config_from(settings, "notebook"))
    random_weights_of(Architecture(neurons=16, reading_order="right")).save(store.files(run.id).weights, 60)
    said = "trained on its last column only: what it believes before all 28 columns are read means little"
    assert said in texts(evaluation_page())


def lab_with_test_digit(digits: Dataset) -> tuple[AppTest, Session]:
    """Open the Lab with a drawing that a test digit covers."""
    visit = drawn()
    label = int(digits.test_labels[3])
    visit.cover = TestDigit(digits.test_images[3], 1234, label, "digits", "the bundled digits")
    app = AppTest.from_file(str(APP), default_timeout=30)
    app.session_state["rnnlab_session"] = visit
    return shown(app.run()), visit


def test_the_lab_shows_what_the_network_believes_about_a_test_digit(store: Store, digits: Dataset) -> None:
    add_run(store)
    app, _ = lab_with_test_digit(digits)
    belief = component(app, "belief")
    assert (belief["caption"], belief["label"]) == (
        "Test digit 1,234 of the bundled digits",
        digits.test_labels[3],
    )
    assert belief["note"].startswith("Test digit 1,234 of the bundled digits. Read with the weights")
    assert belief["picture"] == digits.test_images[3].ravel().tolist()
    assert (belief["begin"], belief["size"]) == (0, 1 / 28)
    read = Reader(random_weights()).read(digits.test_images[3:4]).beliefs[0]
    np.testing.assert_allclose(belief["beliefs"], read, atol=1e-4)


def test_the_drawing_waits_below_a_test_digit_and_comes_back_unchanged(store: Store, digits: Dataset) -> None:
    add_run(store)
    app, visit = lab_with_test_digit(digits)
    told = component(app, "canvas")
    assert not [button for button in app.button if button.key in ("undo", "clear")]
    app.button(key="back_to_drawing").click().run()
    belief = component(shown(app), "belief")
    assert "caption" not in belief
    assert visit.drawing.prepared is not None
    assert belief["picture"] == visit.drawing.prepared.picture.ravel().tolist()
    assert component(app, "canvas") == told  # if it were told anything else, it would replace its drawing
    assert len(visit.drawing.strokes) == 2
    assert not app.button(key="undo").disabled


def test_the_pen_keeps_its_width_while_a_test_digit_is_shown(store: Store, digits: Dataset) -> None:
    add_run(store)
    app = AppTest.from_file(str(APP), default_timeout=30)
    visit = drawn()
    app.session_state["rnnlab_session"] = visit
    app.run().slider(key="pen_width").set_value(30).run()
    visit.cover = TestDigit(digits.test_images[3], 3, 5, "mnist", "MNIST")
    for _ in range(2):
        app.run()
        assert component(shown(app), "canvas")["strokeWidth"] == 30
    app.button(key="back_to_drawing").click().run()
    assert app.slider(key="pen_width").value == component(app, "canvas")["strokeWidth"] == 30
