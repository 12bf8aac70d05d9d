"""The drawing region: draw a digit and watch the belief form row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st
from streamlit_drawable_canvas import st_canvas

from rnnlab.doubt import sureness
from rnnlab.drawing import Prepared
from rnnlab.reader import SURE_FROM, WeightsError, decided_at
from rnnlab.runs import Run
from rnnlab.views import problems, teaching
from rnnlab.views.belief_panel import belief_panel
from rnnlab.views.live import keep_up_to_date
from rnnlab.views.services import newest_reader, services
from rnnlab.views.session import CANVAS_KEY, take_in_canvas, visit
from rnnlab.views.text import WEIGHTS_ARE_GONE
from rnnlab.views.traffic import TRAFFIC

CANVAS_SIDE = 280
"""Height and width of the canvas, in pixels: ten for each of the network's."""

_PEN_KEY = "pen_width"


def region(run: Run | None) -> None:
    """Draw canvas, belief map and their controls.

    Args:
        run: The run whose network reads the drawing, or `None` before there is any.
    """
    st.fragment(_drawing)(run)


@problems.said()
def _drawing(run: Run | None) -> None:
    """Draw the whole region; a stroke reruns this and nothing else."""
    with TRAFFIC.stroke():
        _draw(run)


def _draw(run: Run | None) -> None:
    """Draw the whole region."""
    drawing, specimen = visit().drawing, visit().specimen
    tools = st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", key="drawing_tools")
    if specimen:
        tools.button("Back to my drawing", type="primary", on_click=_put_away, key="back_to_drawing")
    else:
        tools.slider("pen width (pixels)", 8, 40, 20, key=_PEN_KEY, width=120, persist_state="session")
    with st.container(key="drawing"):
        panel = st.container()
        st_canvas(
            stroke_width=st.session_state.get(_PEN_KEY, 20),
            stroke_color="#FFFFFF",
            background_color="#000000",
            width=CANVAS_SIDE,
            height=CANVAS_SIDE,
            initial_drawing=drawing.mounted,
            return_image_data=True,
            key=CANVAS_KEY,
        )
        take_in_canvas()
        with panel:
            # A blank canvas has no belief that newer weights could change.
            keep_up_to_date(_belief, run, "belief", changes=_shown() is not None)
    fixed = not drawing.strokes or specimen is not None
    tools.button("Undo", icon=":material/undo:", on_click=_undo, disabled=fixed, key="undo")
    tools.button("Clear", icon=":material/delete:", on_click=_clear, disabled=fixed, key="clear")
    if not specimen:
        teaching.region(tools, run)


def _shown() -> Prepared | None:
    """Return what is to be read: the test digit that covers the drawing, or the drawing."""
    specimen = visit().specimen
    return specimen.prepared if specimen else visit().drawing.prepared


def _put_away() -> None:
    """Let the drawing be seen again that a test digit covers."""
    visit().specimen = None


def _undo() -> None:
    """Take the last stroke away."""
    take_in_canvas()
    drawing = visit().drawing
    drawing.show(drawing.strokes[:-1])


def _clear() -> None:
    """Take all strokes away."""
    take_in_canvas()
    visit().taught = ""
    visit().drawing.show([])


@problems.said()
def _belief(run: Run | None) -> None:
    """Draw what the newest weights make of the drawing, or of the test digit that covers it."""
    take_in_canvas()  # what was sent with a request that has got lost comes with the next one
    drawing, specimen, prepared = visit().drawing, visit().specimen, _shown()
    newest, problem = None, "" if specimen else drawing.problem
    try:
        newest = newest_reader(services().store, run.id) if run else None
    except WeightsError as error:
        problem = str(error)
    shown: dict[str, Any] = {"hint": problem or _hint(run, drawn=prepared is not None), "note": ""}
    if prepared is not None:
        shown |= {
            "picture": prepared.picture.ravel().tolist(),
            "top": prepared.top,
            "row_height": prepared.row_height,
        }
    if specimen is not None:
        shown["caption"] = specimen.caption
    if newest is not None and prepared is not None:
        reader, step = newest
        beliefs = reader.read(prepared.picture[None]).beliefs[0]
        shown |= {
            "beliefs": np.round(beliefs.astype(np.float64), 4).tolist(),
            "decided_at": decided_at(beliefs),
            "sure": bool(sureness(reader, prepared.picture[None], beliefs[-1:])[0] >= SURE_FROM),
            "note": _note(run, step),
        }
    belief_panel(shown, key="belief")


def _hint(run: Run | None, *, drawn: bool) -> str:
    """Say what there is to do, or to wait for, while there is no belief."""
    if not drawn:
        return "Draw a digit from 0 to 9."
    if run is None:
        return "No network yet: start a run, and it reads your digit."
    if run.state.is_active:
        return "The network is getting ready to read."
    if run.has_begun:
        return WEIGHTS_ARE_GONE
    return "This run ended before it learned anything; open or start another one."


def _note(run: Run | None, step: int) -> str:
    """Say which weights read, and what their belief on the way is worth."""
    if run is not None and run.config.row_loss_mix == 0:
        return (
            f"Read with the weights of step {step:,}. This network was trained on its last row only: "
            "what it believes before row 28 means little."
        )
    return f"Read with the weights of step {step:,}."
