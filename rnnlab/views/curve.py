"""The live plot: accuracy of every 20th step."""

from __future__ import annotations

import streamlit as st

from rnnlab.figures import change_words, curve_json
from rnnlab.runs import Run
from rnnlab.views.plot import plot
from rnnlab.views.services import Services
from rnnlab.views.session import ask


def draw(shared: Services, run: Run) -> None:
    """Draw the switches and the curve of a run as it is now.

    Args:
        shared: What all visitors share.
        run: As the store knows it now.
    """
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        window = st.slider(
            "smoothing (readings)",
            1,
            50,
            5,
            key="smoothing",
            on_change=ask,
            width=150,
            persist_state="session",
        )
        with_loss = st.toggle("loss", key="with_loss", on_change=ask, persist_state="session")
        close_up = st.toggle(
            "90 to 100 %",
            key="close_up",
            on_change=ask,
            persist_state="session",
            help="Stretches the top of the accuracy axis.",
        )
    curve = shared.curves.curve(run.id)
    tests = tuple(shared.store.tests(run.id))
    last = (
        f"{curve.accuracy[-window:].mean():.1%} at step {curve.steps[-1]:,}"
        if len(curve.steps)
        else "no point yet"
    )
    plot(
        curve_json(curve, tests, run.id, window, with_loss=with_loss, close_up=close_up, changes=run.changes),
        key="curve",
        description=f"Training curve of {run.id}: accuracy of each batch, smoothed {last}.{_told(run)}",
    )


def draw_none() -> None:
    """Say what will be seen here before any run exists."""
    with st.container(border=True):
        st.subheader("Here you will see it learn")
        st.markdown(
            "Every 20th step of the training becomes a point of a curve: what share of the batch it read "
            "correctly (the **accuracy**). Beside it you can draw a digit and see what the network believes "
            "after each row of pixels."
        )


def _told(run: Run) -> str:
    """Return the changes on the way in words, for people who cannot see them."""
    return "".join(f" From step {change.step:,} on: {change_words(change)}." for change in run.changes)
