"""The belief panel: what the network believes after each row or column, with a scrubber and a play button.

It runs in the browser (as a Streamlit component), so that scrubbing and playing cost the server nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import NotRequired, TypedDict

import streamlit as st

from rnnlab.dashboard.session import mark_user_action
from rnnlab.data.reading_order import reads_columns, row_order
from rnnlab.data.reading_words import ReadingWords

_HERE = Path(__file__).parent

_component = st.components.v2.component(
    "rnnlab_belief_panel",
    html=(_HERE / "belief_panel.html").read_text(encoding="utf-8"),
    css=(_HERE / "belief_panel.css").read_text(encoding="utf-8"),
    js=(_HERE / "belief_panel.js").read_text(encoding="utf-8"),
)


class ShownReading(TypedDict):
    """How the network reads, and the words for it.

    Attributes:
        order: Which row or column is read at each of the 28 steps, counted from 0 at the top or left.
        columns: Whether they are columns: the map then lies under the drawing.
        parts: `rows` or `columns`.
        progress: How much has been read after a step, with `#` for its number.
        so_far: The name of the scrubber.
    """

    order: list[int]
    columns: bool
    parts: str
    progress: str
    so_far: str


class ShownBelief(TypedDict):
    """What the panel shows.

    Attributes:
        reading: How the network reads.
        hint: What to say while there is no belief.
        note: A remark below; may be empty.
        picture: If there is a drawing: its 784 grey levels, 0 to 255, row by row.
        begin: If there is a drawing: where the picture's first row begins, as a fraction of the canvas'
            height; if columns are read, its first column, as a fraction of the width.
        size: If there is a drawing: the height of a row, or the width of a column, as a fraction likewise.
        beliefs: If there is a network, too: probabilities after every step, 28 lists of 10.
        decided_at: The first step, 1 to 28, from which the top digit never changes again.
        decision: When it was decided, in words.
        sure: Whether the network is sure enough to give an answer.
        label: The digit that it is, if it is a test digit.
        caption: What the picture is if it is no drawing: it covers the canvas, which takes no strokes.
        photo: What covers the canvas, as a data URL; by default the picture that the network sees.
    """

    reading: ShownReading
    hint: str
    note: str
    picture: NotRequired[list[int]]
    begin: NotRequired[float]
    size: NotRequired[float]
    beliefs: NotRequired[list[list[float]]]
    decided_at: NotRequired[int]
    decision: NotRequired[str]
    sure: NotRequired[bool]
    label: NotRequired[int]
    caption: NotRequired[str]
    photo: NotRequired[str]


def shown_reading(reading_order: str) -> ShownReading:
    """Return what the panel has to know of a reading order."""
    words = ReadingWords(reading_order)
    return {
        "order": row_order(reading_order).tolist(),
        "columns": reads_columns(reading_order),
        "parts": words.parts,
        "progress": words.progress("#"),
        "so_far": words.so_far,
    }


def belief_panel(shown: ShownBelief, key: str) -> None:
    """Render the panel."""
    # The panel asks again if an answer was lost. It is enough that this part of the page then runs again.
    _component(data=shown, key=key, on_again_change=mark_user_action)
