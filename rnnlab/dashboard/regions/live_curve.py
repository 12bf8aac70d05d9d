"""The live training curve: the accuracy of every 20th step, with switches above it."""

from __future__ import annotations

from typing import Final

import streamlit as st

from rnnlab.dashboard.app_state import AppState
from rnnlab.dashboard.charts.error_map import describe_reach, error_reach_json
from rnnlab.dashboard.charts.training_curve import describe_change, describe_end, training_curve_json
from rnnlab.dashboard.components.plotly_figure import plot
from rnnlab.dashboard.session import mark_user_action
from rnnlab.runs import Run

_REACH_HELP: Final = (
    "How much the loss after the last row depends on what the network remembered after each row before: the "
    "norm of its gradient by the hidden state. Bright: the network can learn from what it read there. Dark: "
    "the error has faded on its way back through the rows, so nothing is learned from them (the vanishing "
    "gradient). Compare a simple RNN with an LSTM, both with the notebook's first weights."
)


def render(shared: AppState, run: Run) -> None:
    """Render the switches and the curve of a run as it is now."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        window = st.slider(
            "smoothing (readings)",
            1,
            50,
            st.session_state.get("smoothing", 5),
            key="smoothing",
            on_change=mark_user_action,
            width=150,
            persist_state="session",
        )
        with_loss = _switch("loss", "with_loss")
        close_up = _switch("90 to 100 %", "close_up", "Stretches the top of the accuracy axis.")
    curve = shared.curves.curve(run.id)
    tests = tuple(shared.store.tests(run.id))
    last = (
        f"{curve.accuracy[-window:].mean():.1%} at step {curve.steps[-1]:,}"
        if len(curve.steps)
        else "no point yet"
    )
    plot(
        training_curve_json(
            curve,
            tests,
            run.id,
            window,
            with_loss=with_loss,
            close_up=close_up,
            changes=run.changes,
            end=(run.step, describe_end(run)) if run.ended_by else None,
        ),
        key="curve",
        description=f"Training curve of {run.id}: accuracy of each batch, smoothed {last}.{_marks(run)}",
    )
    _error_reach(shared, run)


def _error_reach(shared: AppState, run: Run) -> None:
    """Render the switch of the map of how far back the error reaches and, if it is on, the map."""
    if not _switch("how far back the error reaches", "with_reach", _REACH_HELP):
        return
    reaches = shared.error_reaches.reaches(run.id)
    if len(reaches.steps):
        order = run.config.reading_order
        plot(
            error_reach_json(reaches, run.id, order),
            key="error_reach",
            description=describe_reach(reaches, order),
        )
    else:
        st.caption("Nothing is known about this run yet: it comes with each report.")


def render_before_a_run() -> None:
    """Say what will be seen here once a run is on show."""
    with st.container(border=True):
        st.subheader("Here you will see it learn")
        st.markdown(
            "Every 20th step of the training becomes a point of a curve: what share of the batch it read "
            "correctly (the **accuracy**). Beside it you can draw a digit and see what the network believes "
            "after each row (or column) of pixels."
        )


def _marks(run: Run) -> str:
    """Return what is marked on the curve in words, for people who cannot see it."""
    changes = "".join(f" From step {change.step:,} on: {describe_change(change)}." for change in run.changes)
    return changes + (f" At step {run.step:,} it {describe_end(run)}." if run.ended_by else "")


def _switch(label: str, key: str, help_text: str | None = None) -> bool:
    """Render a switch and return whether it is on."""
    return st.toggle(
        label,
        st.session_state.get(key, False),
        key=key,
        on_change=mark_user_action,
        persist_state="session",
        help=help_text,
    )
