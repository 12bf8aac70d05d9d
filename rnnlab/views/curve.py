"""The live plot: accuracy of every 20th step."""

from __future__ import annotations

import streamlit as st

from rnnlab.figures import curve_json
from rnnlab.views.plot import plot
from rnnlab.views.services import Services


def draw(shared: Services, run_id: str) -> None:
    """Draw the switches and the curve of a run as it is now.

    Args:
        shared: What all visitors share.
        run_id: The run.
    """
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        window = st.slider(
            "smoothing (readings)",
            1,
            50,
            5,
            key="smoothing",
            width=200,
            persist_state="session",
        )
        with_loss = st.toggle("loss", key="with_loss", persist_state="session")
        close_up = st.toggle(
            "90 to 100 %",
            key="close_up",
            persist_state="session",
            help="Stretches the top of the accuracy axis.",
        )
    curve = shared.curves.curve(run_id)
    tests = tuple(shared.store.tests(run_id))
    last = (
        f"{curve.accuracy[-window:].mean():.1%} at step {curve.steps[-1]:,}"
        if len(curve.steps)
        else "no point yet"
    )
    plot(
        curve_json(curve, tests, run_id, window, with_loss=with_loss, close_up=close_up),
        key="curve",
        description=f"Training curve of {run_id}: accuracy of each batch, smoothed {last}.",
    )
