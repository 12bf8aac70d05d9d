"""A test digit in the Lab, run by `AppTest`: its address, and the way through the mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from rnnlab.config import Config
from rnnlab.data.datasets import Dataset
from rnnlab.model.evaluation import Mistakes, evaluate
from rnnlab.model.reader import Reader
from rnnlab.presets import config_from
from rnnlab.runs import Run, RunState
from rnnlab.store.store import Store
from tests.pages import add_run, address, component, lab, shown
from tests.weights import random_weights

pytestmark = pytest.mark.usefixtures("no_workers")


@pytest.fixture(scope="module")
def mistakes(digits: Dataset) -> Mistakes:
    """Return what the network of `ended_run` reads wrong."""
    return evaluate(Reader(random_weights()), digits.test_images, digits.test_labels).mistakes


def ended_run(store: Store, config: Config | None = None) -> Run:
    """Add a run of the bundled digits that has ended, with weights."""
    run = add_run(store, config or config_from({"dataset": "digits"}))
    store.reports.end_run(run.id, RunState.FINISHED)
    return store.run(run.id)


def index(app: AppTest) -> int:
    """Return the number of the test digit on show, as the page's address is to say it."""
    return int(address(app)["digit"])


def press(app: AppTest, key: str) -> int:
    """Press a button; return the number of the test digit that is on show then."""
    app.button(key=key).click().run()
    return index(shown(app))


def test_the_address_of_a_test_digit_opens_it(store: Store, digits: Dataset) -> None:
    run = ended_run(store)
    app = lab(run=run.id, digit="258")
    belief = component(app, "belief")
    assert (belief["caption"], belief["label"]) == (
        "Test digit 258 of the bundled digits",
        digits.test_labels[258],
    )
    assert belief["picture"] == digits.test_images[258].ravel().tolist()
    assert list(address(app).items())[-2:] == [("run", run.id), ("digit", "258")]
    app.button(key="back_to_drawing").click().run()
    assert "caption" not in component(shown(app), "belief")
    assert "digit" not in address(app)


def test_the_address_works_for_mnist_too(store: Store, mnist_folder: Path) -> None:
    run = ended_run(store, Config())
    belief = component(lab(run=run.id, digit="9999"), "belief")
    assert (belief["caption"], belief["label"]) == ("Test digit 9,999 of MNIST", 6)
    (warning,) = lab(run=run.id, digit="10000").warning
    assert "in MNIST; they are numbered from 0 to 9,999" in warning.value.replace("\\", "")


@pytest.mark.parametrize("named", ["360", "-1", "2.5", "seven", "", "²", "<b>", "9" * 5000])
def test_a_number_that_no_test_digit_has_gets_one_plain_sentence(store: Store, named: str) -> None:
    ended_run(store)
    app = lab(digit=named)
    (warning,) = app.warning
    said = warning.value.replace("\\", "")
    assert said.startswith("There is no test digit")
    assert said.endswith("in the bundled digits; they are numbered from 0 to 359.")
    assert len(said) < 120
    assert "caption" not in component(app, "belief")
    assert "digit" not in address(app)


def test_a_digit_of_a_run_that_is_not_there_is_not_taken_from_another_one(store: Store) -> None:
    ended_run(store)
    app = lab(run="nobody", digit="3")
    assert ["There is no run called" in warning.value for warning in app.warning] == [True]
    assert "caption" not in component(app, "belief")


def test_a_test_digit_without_a_run_or_without_its_data_gets_one_sentence_too(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RNNLAB_MNIST_DIR", str(tmp_path))
    assert ["There is no run yet" in warning.value for warning in lab(digit="3").warning] == [True]
    ended_run(store, Config())
    assert ["is missing" in warning.value for warning in lab(digit="3").warning] == [True]


def test_next_and_previous_go_through_the_mistakes_from_the_surest_on(
    store: Store, mistakes: Mistakes
) -> None:
    ended_run(store)
    first, second, third = mistakes.indices[:3]
    app = lab(digit=str(first))
    # Nobody has asked for the evaluation yet, so the page does not know that this is the surest one.
    assert "mistake 1 of" not in component(app, "belief")["note"]
    assert press(app, "mistake_after") == second
    assert f"mistake 2 of {len(mistakes)}. Read with" in component(app, "belief")["note"]
    assert press(app, "mistake_after") == third
    assert press(app, "mistake_before") == second
    assert press(app, "mistake_before") == first
    assert app.button(key="mistake_before").disabled
    last = lab(digit=str(mistakes.indices[-1]))
    assert not last.button(key="mistake_before").disabled
    assert last.button(key="mistake_after").disabled


def test_they_go_through_the_mistakes_as_the_gallery_is_filtered(store: Store, mistakes: Mistakes) -> None:
    ended_run(store)
    label = int(mistakes.labels[0])
    wanted = mistakes.indices[mistakes.labels == label]
    app = lab(digit=str(wanted[0]))
    app.session_state["mistake_is_value"] = str(label)
    assert [press(app, "mistake_after") for _ in wanted[1:]] == wanted[1:].tolist()
    assert app.button(key="mistake_after").disabled


def test_after_a_digit_that_is_read_right_comes_the_surest_mistake(
    store: Store, mistakes: Mistakes, digits: Dataset
) -> None:
    ended_run(store)
    right = next(index for index in range(360) if index not in mistakes.indices)
    app = lab(digit=str(right))
    belief = component(app, "belief")
    assert max(range(10), key=belief["beliefs"][-1].__getitem__) == belief["label"]
    assert press(app, "mistake_before") == right
    assert press(app, "mistake_after") == mistakes.indices[0]


def test_on_a_run_of_other_digits_a_test_digit_has_no_address_and_no_neighbours(store: Store) -> None:
    run = ended_run(store)
    app = lab(run=run.id, digit="3")
    other = ended_run(store, Config())
    app.session_state["rnnlab_session"].run_id = other.id
    app.run()
    assert component(shown(app), "belief")["caption"] == "Test digit 3 of the bundled digits"
    assert "digit" not in address(app)
    assert app.button(key="mistake_before").disabled
    assert app.button(key="mistake_after").disabled
