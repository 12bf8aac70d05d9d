"""The live training curve: the accuracy of every 20th step, with switches above it."""

from __future__ import annotations

import streamlit as st

from rnnlab.dashboard.app_state import AppState
from rnnlab.dashboard.charts.training_curve import describe_change, training_curve_json
from rnnlab.dashboard.components.plotly_figure import plot
from rnnlab.dashboard.session import mark_user_action
from rnnlab.runs import Run


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
            curve, tests, run.id, window, with_loss=with_loss, close_up=close_up, changes=run.changes
        ),
        key="curve",
        description=f"Training curve of {run.id}: accuracy of each batch, smoothed {last}.{_changes(run)}",
    )


def render_before_a_run() -> None:
    """Say what will be seen here once a run is on show."""
    with st.container(border=True):
        st.subheader("Here you will see it learn")
        st.markdown(
            "Every 20th step of the training becomes a point of a curve: what share of the batch it read "
            "correctly (the **accuracy**). Beside it you can draw a digit and see what the network believes "
            "after each row (or column) of pixels."
        )


def _changes(run: Run) -> str:
    """Return the changes during the run in words, for people who cannot see the curve."""
    return "".join(f" From step {change.step:,} on: {describe_change(change)}." for change in run.changes)


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
