"""A link into the Lab, in full as this browser sees the dashboard, with a button that copies it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode

import streamlit as st

_HERE = Path(__file__)

_component = st.components.v2.component(
    "rnnlab_copy_link",
    html=_HERE.with_suffix(".html").read_text(encoding="utf-8"),
    css=_HERE.with_suffix(".css").read_text(encoding="utf-8"),
    js=_HERE.with_suffix(".js").read_text(encoding="utf-8"),
)


def copy_link(label: str, query: Mapping[str, str], key: str) -> None:
    """Render a link to the Lab and a button that copies it.

    Args:
        label: What is behind the link, in words.
        query: The URL parameters of the link.
        key: Widget key of the component.
    """
    _component(data={"label": label, "query": f"?{urlencode(query)}" if query else ""}, key=key)
