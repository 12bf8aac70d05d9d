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
    # The drawing is last and the others are always there: its canvas would be made anew, and be empty, if its
    # place among its neighbours changed.
    with st.container(key="lab"):
        problems.region()
        live.region(run)
        with st.container(key="lab_drawing"):
            drawing.region(run)
