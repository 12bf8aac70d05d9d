"""The Runs page: the history, newest first."""

from __future__ import annotations

import datetime
from urllib.parse import urlencode

import streamlit as st

from rnnlab.config import HYPERPARAMETERS
from rnnlab.figures import change_words
from rnnlab.runs import Run
from rnnlab.views import evaluation, lab, problems
from rnnlab.views.services import services
from rnnlab.views.session import visit
from rnnlab.views.text import STATE_BADGES, duration, percent, plain

_REFRESH_INTERVAL = 2.0
"""Seconds between two updates of the table."""

_LOG_LINES = 200
"""Lines of a log that are shown: the end of it, where the reason is."""


def page() -> None:
    """Draw the page."""
    st.title("Runs")
    st.caption("Every training run on this machine, newest first. Choose one to open it in the Lab.")
    st.fragment(_history, run_every=_REFRESH_INTERVAL)()


@problems.said()
def _history() -> None:
    """Draw the table and what can be done with the run chosen in it."""
    services().reap()
    problems.trouble()
    runs = services().store.runs()
    if not runs:
        st.info("There is no run yet. Start one in the Lab.", icon=":material/science:")
        if st.button("To the Lab", type="primary"):
            st.switch_page(lab.as_page())
        return
    ids = [run.id for run in runs]
    # The key changes with the list: a selection is a row number, and would otherwise move to another run.
    key = f"run_table_{ids[0]}"

    def choose() -> None:
        rows = st.session_state[key].selection.rows
        visit().chosen_run_id = ids[rows[0]] if rows else None

    st.dataframe(
        [_row(run) for run in runs],
        hide_index=True,
        on_select=choose,
        selection_mode="single-row",
        key=key,
        column_config={
            name: st.column_config.NumberColumn(format="%.2f %%")
            for name in ("test accuracy", "batch accuracy")
        },
    )
    chosen = [run for run in runs if run.id == visit().chosen_run_id]
    if chosen:
        _chosen(chosen[0])
    else:
        st.caption("Click the box at the left of a row to choose that run.")


def _row(run: Run) -> dict[str, object]:
    """Return a run as one row of the table."""
    created = datetime.datetime.fromtimestamp(run.created).astimezone()
    return {
        "run": run.id,
        "state": STATE_BADGES[run.state][0],
        "test accuracy": _hundredfold(run.test_accuracy),
        "batch accuracy": _hundredfold(run.batch_accuracy),
        "steps done": run.step,
        "training time": duration(run.seconds),
        **{h.label: getattr(run.config, name) for name, h in HYPERPARAMETERS.items()},
        "data used": run.data,
        "started": f"{created:%Y-%m-%d %H:%M}",
    }


def _hundredfold(share: float | None) -> float | None:
    """Return a share as the number that stands before a percent sign."""
    return None if share is None else share * 100


def _chosen(run: Run) -> None:
    """Draw what can be done with a run."""
    word, icon, colour = STATE_BADGES[run.state]
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(run.id)}**", width="content")
            st.badge(word, icon=icon, color=colour)
            st.markdown(f"test accuracy {percent(run.test_accuracy, 2)}", width="content")
        if run.parent:
            st.markdown(f"Started from the weights of **{plain(run.parent)}**.")
        if run.changes:
            told = ", ".join(f"{change_words(change)} from step {change.step:,} on" for change in run.changes)
            st.markdown(f"Changed on the way: {plain(told)}.")
        if run.message:
            st.markdown(plain(run.message))
        with st.container(horizontal=True):
            if st.button("Open in the Lab", icon=":material/science:", type="primary"):
                _show_on(lab.as_page(), run)
            if st.button("Evaluate", icon=":material/fact_check:"):
                _show_on(evaluation.as_page(), run)
        address = "?" + urlencode(run.config.to_query())
        st.caption(f"The same settings for a new run, as the end of the Lab's address: {plain(address)}")
        with st.expander("Log", icon=":material/description:"):
            st.code(_log_of(run), language=None)


def _show_on(page: st.Page, run: Run) -> None:
    """Go to another page and show a run there."""
    visit().run_id = run.id
    st.switch_page(page)


def _log_of(run: Run) -> str:
    """Return the end of a run's log."""
    try:
        text = services().store.log_path(run.id).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "This run has no log yet."
    return "\n".join(text.splitlines()[-_LOG_LINES:]) or "The log is empty."
