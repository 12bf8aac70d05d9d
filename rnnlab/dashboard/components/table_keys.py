"""Keys for a table of Streamlit: Enter and Space choose a row, Tab leaves it. There is nothing to show."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_component = st.components.v2.component(
    "rnnlab_table_keys", html="", js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
)


def table_keys(table: str, key: str) -> None:
    """Let keys work as people expect in the table with the widget key `table`.

    Args:
        table: Widget key of the table.
        key: Widget key of the component.
    """
    _component(data={"table": table}, key=key)
