"""The few rules of style that Streamlit's theme has no setting for."""

from pathlib import Path

import streamlit as st


def apply() -> None:
    """Add the style sheet to the page."""
    st.html(Path(__file__).with_name("style.css"))
