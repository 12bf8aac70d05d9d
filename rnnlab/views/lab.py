"""The Lab page: status, curve and drawing on one screen."""

from __future__ import annotations

import streamlit as st

from rnnlab.runs import Run
from rnnlab.store import StoreError
from rnnlab.views import controls, drawing, live
from rnnlab.views.services import services
from rnnlab.views.session import visit
from rnnlab.views.text import plain


def as_page() -> st.Page:
    """Return the page as the navigation knows it; it is the first one."""
    return st.Page(page, title="Lab", icon=":material/science:", default=True)


def page() -> None:
    """Draw the page."""
    launcher = services().launcher
    launcher.reap()
    launcher.warm()
    run = _run_on_show()
    with st.sidebar:
        controls.region(run)
    # What comes and goes stands in a box of its own, or behind the rest: the canvas would be made anew, and
    # be empty, if its place among its neighbours changed.
    with st.container(key="problems"):
        for problem in visit().problems:
            st.warning(plain(problem), icon=":material/warning:")
    visit().problems.clear()
    with st.container(key="lab"):
        live.region(run)
        with st.container(key="lab_drawing"):
            drawing.region(run)
        if run is None:
            with st.container(key="lab_curve"):
                _welcome()


def _run_on_show() -> Run | None:
    """Return the run that the visitor chose, the URL names, or that is current; name it in the URL."""
    store, remembered = services().store, visit()
    named = st.query_params.get("run")
    if named is not None and named != remembered.address_run_id:
        try:
            remembered.run_id = store.find(named).id
        except StoreError as error:
            remembered.problems.append(str(error))
    run = store.run(remembered.run_id) if remembered.run_id else store.current_run()
    if run is not None:
        remembered.run_id = remembered.address_run_id = run.id
        st.query_params["run"] = run.id
    return run


def _welcome() -> None:
    """Say what there is to do before any run exists."""
    with st.container(border=True):
        st.subheader("No network has been trained yet")
        st.markdown(
            "Start one: it learns to read handwritten digits **one row of pixels after the other**. "
            "Here you will see how often it is right, and beside it what it makes of the digit you draw."
        )
        controls.start_button(st.container(), "Start the first run", key="start_first")
