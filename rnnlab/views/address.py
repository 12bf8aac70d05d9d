"""The run on show, which the address of a page names."""

from __future__ import annotations

import streamlit as st

from rnnlab.database import StoreError
from rnnlab.runs import Run
from rnnlab.views.services import services
from rnnlab.views.session import visit


def run_on_show() -> Run | None:
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
