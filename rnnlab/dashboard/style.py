"""The few style rules for which Streamlit's theme has no setting."""

from pathlib import Path

import streamlit as st


def apply() -> None:
    """Add the style sheet to the page."""
    st.html(Path(__file__).with_name("style.css"))
