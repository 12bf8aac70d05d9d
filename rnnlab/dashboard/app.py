"""The script of the dashboard: page configuration and navigation. Streamlit runs it for every visitor."""

from __future__ import annotations

import streamlit as st

from rnnlab.dashboard import navigation, session, style, tab
from rnnlab.dashboard.app_state import show_until_readable
from rnnlab.dashboard.components.help_bubbles import help_bubbles
from rnnlab.dashboard.components.kept_focus import kept_focus
from rnnlab.dashboard.components.popovers import popovers
from rnnlab.dashboard.components.sidebar_answer import sidebar_answer
from rnnlab.dashboard.pages import evaluation_page, guide_page, lab_page, runs_page
from rnnlab.store.database import StoreError


def run() -> None:
    """Render the page that the visitor is on."""
    st.set_page_config(page_title="RNN Lab", page_icon="✏️", layout="wide")
    style.apply()
    page = st.navigation(
        [
            navigation.LAB.page(lab_page.render),
            navigation.EVALUATION.page(evaluation_page.render),
            navigation.RUNS.page(runs_page.render),
            navigation.GUIDE.page(guide_page.render),
        ]
    )
    session.enter_page(page.url_path)
    kept = st.container(key="kept_page")  # first, whatever a page consists of
    with session.answers_press():
        try:
            page.run()
        except StoreError as error:
            show_until_readable(str(error))
    with kept:
        help_bubbles(key="help_bubbles")
        visit = session.session()
        sidebar_answer(page.url_path, visit.answered, is_refused=visit.is_refused, key="sidebar_answer")
        popovers(key="popovers")
        kept_focus(key="kept_focus")
        tab.keep_page(is_history=page.url_path != navigation.RUNS.path)
