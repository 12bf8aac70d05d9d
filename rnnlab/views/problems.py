"""What could not be done as it was asked for, said once on top of a page."""

from __future__ import annotations

import streamlit as st

from rnnlab.views.session import visit
from rnnlab.views.text import plain


def region() -> None:
    """Draw the sentences that have come up, and forget them.

    What comes and goes stands in a box of its own: the canvas would be made anew, and be empty, if its place
    among its neighbours changed.
    """
    with st.container(key="problems"):
        for problem in visit().problems:
            st.warning(plain(problem), icon=":material/warning:")
    visit().problems.clear()
