"""The belief panel: what the network believes after each row, with a scrubber and a play button.

It runs in the browser (a Streamlit component), so that scrubbing and playing cost the server nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from rnnlab.views.session import ask

_HERE = Path(__file__).parent

_component = st.components.v2.component(
    "rnnlab_belief_panel",
    html=(_HERE / "belief_panel.html").read_text(encoding="utf-8"),
    css=(_HERE / "belief_panel.css").read_text(encoding="utf-8"),
    js=(_HERE / "belief_panel.js").read_text(encoding="utf-8"),
)


def belief_panel(shown: dict[str, Any], key: str) -> None:
    """Draw the panel.

    Args:
        shown: `hint`: what to say while there is no belief; `note`: a remark below. With a drawing: `picture`
            (784 grey levels), `top` and `row_height` (shares of the canvas' height). With a network, too:
            `beliefs` (28 lists of 10 probabilities), `decided_at` (row 1 to 28), `sure` (whether there is an
            answer). With a `caption` the picture is not the drawing: it covers the canvas, which takes no
            strokes meanwhile.
        key: Of the component.
    """
    # The panel asks again where an answer has got lost; that this part of the page then runs is all it takes.
    _component(data=shown, key=key, on_again_change=ask)
