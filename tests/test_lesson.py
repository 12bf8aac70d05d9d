"""What a taught run says: whose child it is, and what was read right before and now."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from rnnlab.dashboard.caches import Lesson, lesson_of
from rnnlab.data.labelled_drawings import LabelledDrawings
from rnnlab.model.reader import Reader
from rnnlab.presets import config_from, teaching_config
from rnnlab.runs import Run, RunState, TestPoint
from rnnlab.store.store import Store
from tests.pages import add_run, component, lab, shown, texts
from tests.test_labelled_drawings import png
from tests.weights import random_weights

pytestmark = pytest.mark.usefixtures("no_workers")


@pytest.fixture
def taught(store: Store) -> Run:
    """Return a run that a worker has just taken, taught with a 7, a 0, and a 1 that is called a 5."""
    for drawn, named in (("7", 7), ("0", 0), ("1", 5)):
        store.labelled_drawings("ann").add(png(drawn), named)
    parent = add_run(store)
    store.reports.set_data(parent.id, "digits", "bundled digits, 1,797 digits", "")
    for step, accuracy in ((40, 0.5), (60, 0.625), (80, 0.9)):
        store.reports.add_test(parent.id, TestPoint(step, accuracy))
    run = store.create_run(teaching_config(parent.config), claimed=True, parent=parent.id, owner="ann")
    store.files(run.id).copy_labelled_drawings(run.owner)
    store.reports.set_data(run.id, "digits", "bundled digits, 1,797 digits", "")
    return store.run(run.id)


def right(store: Store, run: Run, seed: int) -> int:
    """Return how many of a run's drawings random weights read right."""
    pictures, labels = LabelledDrawings(store.files(run.id).labelled_drawings).examples()
    beliefs = Reader(random_weights(seed=seed)).read(pictures).beliefs[:, -1]
    return int((beliefs.argmax(axis=1) == labels).sum())


def end(store: Store, run: Run, seed: int) -> Run:
    """End a run with random weights."""
    random_weights(seed=seed).save(store.files(run.id).weights, 300)
    store.reports.end_run(run.id, RunState.FINISHED, step=300)
    store.reports.add_test(run.id, TestPoint(300, 0.75))
    return store.run(run.id)


def seed_that_reads(store: Store, run: Run, wanted: int) -> int:
    """Return a seed of random weights that read so many of a run's drawings right."""
    return next(seed for seed in range(1000) if right(store, run, seed) == wanted)


def test_a_taught_run_counts_with_the_weights_of_its_parent_and_with_its_own(
    store: Store, taught: Run
) -> None:
    before = right(store, taught, seed=0)
    assert lesson_of(store, taught) == Lesson(taught.parent or "", 3, before, None, 60, TestPoint(60, 0.625))
    ended = end(store, taught, seed_that_reads(store, taught, 2))
    assert lesson_of(store, ended) == Lesson(taught.parent or "", 3, before, 2, 60, TestPoint(60, 0.625))
    # What the parent and the visitor do later changes nothing of it.
    random_weights(seed=7).save(store.files(taught.parent or "").weights, 100)
    store.labelled_drawings("ann").add(png("3"), 3)
    assert lesson_of(store, ended) == Lesson(taught.parent or "", 3, before, 2, 60, TestPoint(60, 0.625))


def test_the_lab_says_it_while_the_canvas_is_blank(store: Store, taught: Run) -> None:
    before = right(store, taught, seed=0)
    assert component(lab(run=taught.id), "belief")["hint"].splitlines() == [
        f"Child of {taught.parent}, which read right:",
        f"{before} of the 3 drawings that this one learns from",
        "62.5 % of the test digits (bundled digits)",
    ]
    ended = end(store, taught, seed_that_reads(store, taught, 2))
    assert component(lab(run=ended.id), "belief")["hint"].splitlines() == [
        f"Child of {taught.parent}. Right before → now:",
        f"{before} → 2 of the 3 drawings it learned from",
        "62.5 % → 75.0 % of the test digits (bundled digits)",
    ]


def test_the_runs_page_says_it_in_sentences(store: Store, taught: Run) -> None:
    ended = end(store, taught, seed_that_reads(store, taught, 2))

    def page() -> None:
        from rnnlab.dashboard.pages import runs_page

        runs_page.render()

    app = AppTest.from_function(page)
    app.query_params["run"] = ended.id
    said = texts(shown(app.run())).replace("\\", "")
    assert "Of the 3 drawings that it learned from" in said
    assert "Of the test digits, which it does not learn from, 62.50 % before, 75.00 % now." in said


def test_a_test_of_other_digits_or_of_an_earlier_step_is_not_compared_as_if_it_were_the_same(
    store: Store, taught: Run
) -> None:
    store.reports.set_data(taught.id, "mnist", "MNIST, 60,000 digits", "")
    lesson = lesson_of(store, store.run(taught.id))
    assert lesson is not None
    assert lesson.test_before is None
    store.reports.set_data(taught.id, "digits", "bundled digits, 1,797 digits", "")
    random_weights().save(store.files(taught.id).start, 72)
    assert "62.5 % (step 60) of" in component(lab(run=taught.id), "belief")["hint"]


def test_a_run_that_was_not_taught_or_whose_files_are_damaged_says_nothing(store: Store, taught: Run) -> None:
    assert lesson_of(store, store.run(taught.parent or "")) is None
    child = store.create_run(config_from({"neurons": 16}), claimed=True, parent=taught.parent)
    assert lesson_of(store, child) is None
    store.files(taught.id).start.write_bytes(b"damaged")
    assert lesson_of(store, taught) is None
    assert component(lab(run=taught.id), "belief")["hint"] == "Draw a digit from 0 to 9."
