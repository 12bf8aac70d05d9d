"""The belief panel: what the network believes after each row, with a scrubber and a play button.

It runs in the browser (as a Streamlit component), so that scrubbing and playing cost the server nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import NotRequired, TypedDict

import streamlit as st

from rnnlab.dashboard.session import mark_user_action

_HERE = Path(__file__).parent

_component = st.components.v2.component(
    "rnnlab_belief_panel",
    html=(_HERE / "belief_panel.html").read_text(encoding="utf-8"),
    css=(_HERE / "belief_panel.css").read_text(encoding="utf-8"),
    js=(_HERE / "belief_panel.js").read_text(encoding="utf-8"),
)


class ShownBelief(TypedDict):
    """What the panel shows.

    Attributes:
        hint: What to say while there is no belief.
        note: A remark below; may be empty.
        picture: If there is a drawing: its 784 grey levels, 0 to 255, row by row.
        top: If there is a drawing: where the picture's first row begins, as a fraction of the canvas' height.
        row_height: If there is a drawing: the height of a row, as a fraction of the canvas' height.
        beliefs: If there is a network, too: probabilities after every row, 28 lists of 10.
        decided_at: The first row, 1 to 28, from which the top digit never changes again.
        first_ink_row: The first row, 1 to 28, in which there is ink.
        sure: Whether the network is sure enough to give an answer.
        label: The digit that it is, if it is a test digit.
        caption: What the picture is if it is no drawing: it covers the canvas, which takes no strokes.
        photo: What covers the canvas, as a data URL; by default the picture that the network sees.
    """

    hint: str
    note: str
    picture: NotRequired[list[int]]
    top: NotRequired[float]
    row_height: NotRequired[float]
    beliefs: NotRequired[list[list[float]]]
    decided_at: NotRequired[int]
    first_ink_row: NotRequired[int]
    sure: NotRequired[bool]
    label: NotRequired[int]
    caption: NotRequired[str]
    photo: NotRequired[str]


def belief_panel(shown: ShownBelief, key: str) -> None:
    """Render the panel."""
    # The panel asks again if an answer was lost. It is enough that this part of the page then runs again.
    _component(data=shown, key=key, on_again_change=mark_user_action)
