"""The Guide page: how everything works, in plain words."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from rnnlab.config import HYPERPARAMETERS


def render() -> None:
    """Render the page."""
    st.title("Guide")
    with st.container(width=760):
        st.markdown(Path(__file__).with_suffix(".md").read_text(encoding="utf-8"))
        for hyperparameter in HYPERPARAMETERS.values():
            allowed = hyperparameter.bounds if not hyperparameter.choices else "a choice"
            st.markdown(f"**{hyperparameter.label}** ({allowed}): {hyperparameter.help}")
            for text in hyperparameter.choices.values():
                st.markdown(f"- {text}")
