"""The Lab page: status, curve and drawing on one screen."""

from __future__ import annotations

import streamlit as st

from rnnlab.views import controls, drawing, live, problems, visitor
from rnnlab.views.address import run_on_show
from rnnlab.views.services import services
from rnnlab.views.session import ask


def as_page() -> st.Page:
    """Return the page as the navigation knows it; it is the first one."""
    return st.Page(page, title="Lab", icon=":material/science:", default=True)


def page() -> None:
    """Draw the page."""
    ask()
    services().reap()
    services().warm()
    visitor.remember()
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
    """Say what will be seen here before any run exists."""
    with st.container(border=True):
        st.subheader("Here you will see it learn")
        st.markdown(
            "Every 20th step of the training becomes a point of a curve: what share of the batch it read "
            "correctly (the **accuracy**). Beside it you can draw a digit and see what the network believes "
            "after each row of pixels."
        )
