"""The Lab page: status, curve and drawing on one screen."""

from __future__ import annotations

import streamlit as st

from rnnlab.views import controls, drawing, live, problems
from rnnlab.views.address import run_on_show
from rnnlab.views.services import services


def as_page() -> st.Page:
    """Return the page as the navigation knows it; it is the first one."""
    return st.Page(page, title="Lab", icon=":material/science:", default=True)


def page() -> None:
    """Draw the page."""
    launcher = services().launcher
    launcher.reap()
    launcher.warm()
    run = run_on_show()
    with st.sidebar:
        controls.region(run)
    problems.region()
    with st.container(key="lab"):
        live.region(run)
        with st.container(key="lab_drawing"):
            drawing.region(run)
        if run is None:  # behind the drawing, whose place must not change when this goes
            with st.container(key="lab_curve"):
                _welcome()


def _welcome() -> None:
    """Say what there is to do before any run exists."""
    with st.container(border=True):
        st.subheader("No network has been trained yet")
        st.markdown(
            "Start one: it learns to read handwritten digits **one row of pixels after the other**. "
            "Here you will see how often it is right, and beside it what it makes of the digit you draw."
        )
        controls.start_button(st.container(), "Start the first run", key="start_first")
