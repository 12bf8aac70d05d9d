"""A picture that this project has drawn (SVG): it is light or dark as the page is."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_HERE = Path(__file__)

_component = st.components.v2.component(
    "rnnlab_drawn_picture",
    html='<div class="picture"></div>',
    css=_HERE.with_suffix(".css").read_text(encoding="utf-8"),
    js=_HERE.with_suffix(".js").read_text(encoding="utf-8"),
)


def drawn_picture(svg: str, meaning: str, key: str) -> None:
    """Render a picture.

    Args:
        svg: The file's text; what is drawn in `currentColor` gets the colour of the page's text.
        meaning: What it shows, for people who cannot see it.
        key: Widget key of the component.
    """
    _component(data={"svg": svg, "meaning": meaning}, key=key)
