"""The Evaluation page: how well the network of a run reads digits that it never learned from."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import streamlit as st

from rnnlab.dashboard import controls, navigation
from rnnlab.dashboard.address import render_again, run_on_show
from rnnlab.dashboard.app_state import AppState, app_state
from rnnlab.dashboard.caches import RunEvaluation, newest_reader
from rnnlab.dashboard.charts.evaluation_charts import (
    commonest_mistakes,
    confusion_json,
    decisions_json,
    rows_json,
)
from rnnlab.dashboard.components.plotly_figure import plot
from rnnlab.dashboard.regions import best_switch, messages, mistakes
from rnnlab.dashboard.session import session
from rnnlab.dashboard.settings_text import what_tells_apart
from rnnlab.dashboard.text import STATE_BADGES, WEIGHTS_ARE_GONE, percent, plain
from rnnlab.data.errors import DatasetError
from rnnlab.data.reading_words import ReadingWords
from rnnlab.digits import DIGITS
from rnnlab.model.evaluation import Evaluation
from rnnlab.model.weights import WeightsError
from rnnlab.runs import Run

_REFRESH_INTERVAL: Final = 2.0
"""Seconds between two checks of a run that is still training."""

_RUN_KEY: Final = "evaluated_run"


def render() -> None:
    """Render the page."""
    shared = app_state()
    shared.reap()
    run = run_on_show()
    head = st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute")
    head.title("Evaluation", width="content")
    messages.render()
    if run is None:
        st.info("There is no run yet. Start one in the Lab.", icon=":material/science:")
        if st.button("To the Lab", type="primary"):
            navigation.LAB.open({})
        return
    with head:
        _choice(shared, run)
    if run.state.is_active:
        found = shared.evaluations.last(run.id)
        st.fragment(_training, run_every=_REFRESH_INTERVAL)(run, found)
    else:
        switch = st.container()
        found = _of_ended(shared, run)
        with switch:
            _switch(shared, run)
    if found is not None:
        _results(run, found)


def _choice(shared: AppState, run: Run) -> None:
    """Render the choice of a run."""

    def choose() -> None:
        controls.receive(_RUN_KEY)
        session().run_id = controls.value(_RUN_KEY, run.id)

    def label(run_id: str) -> str:
        accuracy = by_id[run_id].test_accuracy
        known = f", test accuracy {percent(accuracy, 2)}" if accuracy is not None else ""
        return f"{run_id}, {settings[run_id]}{known}, {STATE_BADGES[by_id[run_id].state][0]}"

    by_id = {each.id: each for each in shared.store.runs()}
    by_id.setdefault(run.id, run)
    settings = what_tells_apart(by_id.values())
    controls.set_value(_RUN_KEY, run.id)  # also if it is another one since the visitor went back
    ids, key = list(by_id), controls.widget_key(_RUN_KEY)
    st.session_state[key] = run.id  # what is written on it changes with the state of the run
    st.selectbox("run", ids, ids.index(run.id), key=key, format_func=label, on_change=choose, width=480)


@messages.show_store_errors()
def _training(rendered: Run, shown: RunEvaluation | None) -> None:
    """Offer to evaluate a run that is still training; render the page again if there is more to show.

    Args:
        rendered: The run as it was when the page was rendered.
        shown: The evaluation on the page, if any.
    """
    shared = app_state()
    shared.reap()
    run = shared.store.run(rendered.id)
    if run.state.is_ended or shared.evaluations.last(run.id) is not shown:
        render_again()
    try:
        newest = newest_reader(shared.store, run.id)
    except WeightsError as error:
        st.error(plain(str(error)))
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button(
            f"Evaluate the weights of step {newest[1]:,}" if newest else "Evaluate",
            icon=":material/fact_check:",
            type="primary",
            key="evaluate",
            disabled=newest is None,
        )
        st.caption("This run is still training. It is evaluated automatically when it ends.", width="content")
    if pressed:
        _evaluate_now(shared, run)


def _evaluate_now(shared: AppState, run: Run) -> None:
    """Evaluate the newest weights of a run and render the page again."""
    try:
        with st.spinner("Reading the test images"):
            shared.evaluations.newest(run)
    except (WeightsError, DatasetError) as error:
        session().problems.append(str(error))
    render_again()


def _switch(shared: AppState, run: Run) -> None:
    """Render the switch between the newest weights of a run that has ended and its best ones."""
    newest = None
    with suppress(WeightsError):  # as it says in place of the evaluation
        newest = newest_reader(shared.store, run.id)
    best_switch.render(run, newest[1] if newest else None)


def _of_ended(shared: AppState, run: Run) -> RunEvaluation | None:
    """Return the evaluation of a run that has ended; if there can be none, say why."""
    try:
        with st.spinner("Reading the test images"):
            found = shared.evaluations.newest(run, best=best_switch.is_on(run))
    except (WeightsError, DatasetError) as error:
        st.error(plain(str(error)))
        return None
    if found is None and run.has_begun:
        st.error(WEIGHTS_ARE_GONE)
    elif found is None:
        st.info("This run ended before it learned anything; choose or start another one.")
    return found


def _results(run: Run, found: RunEvaluation) -> None:
    """Render the whole evaluation of a network."""
    _numbers(found)
    left, right = st.columns(2, gap="large")
    with left:
        _rows(run, found.evaluation)
    with right:
        _confusion(run, found.evaluation)
    mistakes.render(found)


def _numbers(found: RunEvaluation) -> None:
    """Render the main numbers, and what they were measured with."""
    result, count = found.evaluation, len(found.test_set.labels)
    words = ReadingWords(result.reading_order)
    with st.container(horizontal=True, key="evaluation_numbers"):
        st.metric(
            "test accuracy",
            percent(result.test_accuracy, 2),
            width="content",
            help=f"Share of all test images read correctly after the last {words.part}.",
        )
        st.metric(
            f"half are decided {words.by}",
            words.count(result.decided_by(0.5)),
            width="content",
            help=f"A digit is decided at the {words.part} from which the network's favourite never changes "
            "again.",
        )
        st.metric("read wrong", f"{len(result.mistakes):,} of {count:,}", width="content")
        st.metric(
            "calibration error",
            percent(float(result.calibration_error_by_row[-1])),
            width="content",
            help=f"How far the network's confidence is from its accuracy after the last {words.part}, on "
            "average: of the digits of which it is 90 % sure, 90 % should be right (*expected calibration "
            "error*).",
        )
    st.caption(
        f"Read with the weights of step {found.step:,}: {count:,} test images of {found.test_set.title}."
    )


def _rows(run: Run, result: Evaluation) -> None:
    """Render accuracy and confidence after each row or column, and at which the network decides."""
    words = ReadingWords(result.reading_order)
    st.header(f"How many {words.parts} does it need?")
    accuracies = ", ".join(
        f"{percent(result.accuracy_by_row[step - 1])} after {words.count(step)}" for step in (7, 14, 21, 28)
    )
    plot(
        rows_json(result),
        key="evaluation_rows",
        description=f"Accuracy, mean confidence and calibration error after each {words.part} of {run.id}. "
        f"Accuracy: {accuracies}.",
    )
    st.caption(_meaning_of_rows(run, words))
    decided = ", ".join(
        f"{fraction:.0%} {words.by} {words.count(result.decided_by(fraction))}"
        for fraction in (0.5, 0.9, 0.99)
    )
    plot(
        decisions_json(result),
        key="evaluation_decisions",
        description=f"Share of the test digits decided at each {words.part} of {run.id}. Decided: {decided}.",
    )
    st.caption(
        f"The {words.part} at which it **decides**: from there on its favourite, right or wrong, never "
        f"changes again. Decided: {decided}.{_before_ink(result)}"
    )


def _before_ink(result: Evaluation) -> str:
    """Return a sentence on the digits that were decided before anything of them was seen; may be empty."""
    if not result.decided_before_ink:
        return ""
    where = ReadingWords(result.reading_order).empty_at_first
    return (
        f" {result.decided_before_ink:,} were decided **before the first ink**, in {where}: the favourite "
        "that it has for an empty picture stayed to the end."
    )


def _meaning_of_rows(run: Run, words: ReadingWords) -> str:
    """Return a sentence or two on how to read the lines."""
    if run.config.row_loss_mix == 0:
        return f"{words.last_only}, however sure it is (**mean confidence**)."
    return (
        f"After each {words.part} the network has a favourite. **Accuracy** is how often that is right, "
        "**mean confidence** how sure it is. If the two lines lie together, its confidence can be trusted; "
        "how far it is off, on average, is the *expected* **calibration error**."
    )


def _confusion(run: Run, result: Evaluation) -> None:
    """Render the confusion matrix: how often each digit is read as which."""
    st.header("What does it take for what?")
    counted = commonest_mistakes(result.confusion)
    commonest = ", ".join(f"{label} read as {read_as} ({count:,} times)" for label, read_as, count in counted)
    plot(
        confusion_json(result.confusion),
        key="evaluation_confusion",
        description=f"Confusion matrix of {run.id}. Most often: {commonest or 'no mistake at all'}.",
        on_click=_show_cell,
    )
    st.caption(
        "The **confusion matrix**: on the diagonal the digits read correctly, everywhere else the mistakes, "
        f"yellow if there are many. Most often: {commonest or 'none at all'}. Click a coloured cell to "
        "see its digits below; the choices **is a** and **read as** there do the same."
    )


def _show_cell(read_as: str, label: str) -> None:
    """Show the mistakes of a cell in the gallery below; the diagonal has none."""
    digits = [str(digit) for digit in range(DIGITS)]
    if label in digits and read_as in digits and label != read_as:
        mistakes.show_cell(int(label), int(read_as))
