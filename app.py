"""The dashboard: page configuration and navigation. Run it with `streamlit run app.py`."""

import streamlit as st

from rnnlab.views import evaluation, guide, lab, problems, runs, session, style

st.set_page_config(page_title="RNN Lab", page_icon="✏️", layout="wide")
style.apply()

pages = [
    lab.as_page(),
    evaluation.as_page(),
    st.Page(runs.page, title="Runs", icon=":material/list:", url_path="runs"),
    st.Page(guide.page, title="Guide", icon=":material/menu_book:", url_path="guide"),
]
page = st.navigation(pages)
session.enter_page(page.url_path)
with problems.said():
    page.run()
