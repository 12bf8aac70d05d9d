"""The run on show (the run that a page displays), which is named in the page's URL."""

from __future__ import annotations

from typing import NoReturn

import streamlit as st

from rnnlab.dashboard.app_state import app_state
from rnnlab.dashboard.session import session
from rnnlab.runs import Run
from rnnlab.store.database import StoreError


def run_on_show() -> Run | None:
    """Return the run that the visitor chose or the URL names, else the current one; put it in the URL."""
    store, remembered = app_state().store, session()
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


def render_again() -> NoReturn:
    """Render the whole page again, with the run in the URL that the page wrote there last.

    The browser may have asked for a fragment before it learned of a new URL. `st.rerun` would take the old
    one over from that request, and it would look like a choice of the visitor.
    """
    written = session().address_run_id
    if written is not None and st.query_params.get("run") != written:
        st.query_params["run"] = written
    st.rerun()
