"""The drawing region: draw a digit and watch the belief form row by row, or column by column."""

from __future__ import annotations

import streamlit as st
from streamlit_drawable_canvas import st_canvas

from rnnlab.dashboard import tab
from rnnlab.dashboard.app_state import app_state
from rnnlab.dashboard.caches import best_reader, newest_reader
from rnnlab.dashboard.components.belief_panel import ShownBelief, belief_panel, shown_reading
from rnnlab.dashboard.components.key_pen import key_pen
from rnnlab.dashboard.components.pen_input import pen_input
from rnnlab.dashboard.drawing import Drawing, TestDigit
from rnnlab.dashboard.pacing import PACING
from rnnlab.dashboard.regions import best_switch, lesson, messages, picture_upload, teaching, test_digit
from rnnlab.dashboard.regions.live import LiveRegion
from rnnlab.dashboard.session import PEN_KEY, PEN_WIDTHS, canvas_key, receive_canvas, session
from rnnlab.dashboard.text import WEIGHTS_ARE_GONE
from rnnlab.data.preprocessing import PreparedDrawing
from rnnlab.data.reading_words import ReadingWords
from rnnlab.model.answer import answer
from rnnlab.model.weights import WeightsError
from rnnlab.runs import Run

CANVAS_SIDE = 280
"""Height and width of the canvas, in pixels: ten for each of the network's."""


def render(run: Run | None) -> None:
    """Render canvas, belief map and their controls; the run's network, if any, reads the drawing."""
    st.fragment(_render_region)(run)


@messages.show_store_errors()
def _render_region(run: Run | None) -> None:
    """Render the region, before the updates of others; a stroke reruns this and nothing else."""
    with PACING.stroke():
        _render(run)


def _render(run: Run | None) -> None:
    """Render the whole region."""
    drawing, cover = session().drawing, session().cover
    tools = st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", key="drawing_tools")
    _render_first_tools(tools, run)
    with st.container(key="drawing"):
        # First, so that the Tab key comes to the canvas before what stands beside and below it.
        key_pen(st.session_state.get(PEN_KEY, PEN_WIDTHS[1]), is_covered=cover is not None, key="key_pen")
        panel = st.container()
        with st.container(key="canvas"):
            _canvas(drawing)
        pen_input(st.session_state.get(PEN_KEY, PEN_WIDTHS[1]), key="pen_input")
        receive_canvas()
        with panel:
            # A blank canvas needs no updates: newer weights change no belief.
            LiveRegion("belief", _belief, run, changes=_shown() is not None).render()
    if not cover:
        _render_corrections(tools, disabled=not drawing.can_undo)
        tools.empty()  # see _render_first_tools
    if teaching.is_on():
        teaching.render(tools, run)
    else:
        picture_upload.render(tools, run)
        if not cover:
            teaching.render_switch(tools)
    tab.keep_drawing()
    test_digit.keep_in_address(run)


def _render_first_tools(tools: st.delta_generator.DeltaGenerator, run: Run | None) -> None:
    """Render the width of the pen, or what belongs to that which covers the drawing.

    With the corrections, four things stand before the button that brings a picture, whatever is read: if it
    moved, its popover and the focus that it gets back would be lost.
    """
    cover = session().cover
    if cover:
        if isinstance(cover, TestDigit):
            test_digit.render(tools, cover, run)
        else:
            for _ in range(test_digit.BUTTONS):
                tools.empty()
        tools.button("Back to my drawing", on_click=_put_away, key="back_to_drawing")
    elif not teaching.is_on():
        thinnest, usual, thickest = PEN_WIDTHS
        width = st.session_state.setdefault(PEN_KEY, usual)
        tools.slider(
            "pen width (pixels)", thinnest, thickest, width, key=PEN_KEY, width=108, persist_state="session"
        )


def _canvas(drawing: Drawing) -> None:
    """Render the canvas."""
    st_canvas(
        stroke_width=st.session_state.get(PEN_KEY, PEN_WIDTHS[1]),
        stroke_color="#FFFFFF",
        background_color="#000000",
        width=CANVAS_SIDE,
        height=CANVAS_SIDE,
        initial_drawing=drawing.mounted,
        return_image_data=True,
        key=canvas_key(),
    )


def _render_corrections(tools: st.delta_generator.DeltaGenerator, *, disabled: bool) -> None:
    """Render the buttons that take strokes back."""
    tools.button(
        "Undo",
        icon=":material/undo:",
        help="Undo the last stroke, or bring back what was cleared.",
        on_click=_undo,
        disabled=disabled,
        key="undo",
    )
    tools.button(
        "Clear",
        icon=":material/delete:",
        help="Clear the drawing.",
        on_click=_clear,
        disabled=disabled or not session().drawing.strokes,
        key="clear",
    )


def _shown() -> PreparedDrawing | None:
    """Return what the network is to read: what covers the drawing, or the drawing."""
    cover = session().cover
    return cover.prepared if cover else session().drawing.prepared


def _put_away() -> None:
    """Remove what covers the drawing."""
    session().cover = None


def _undo() -> None:
    """Remove the last stroke; on a blank canvas, bring back what was cleared."""
    receive_canvas()
    teaching.forget(session().drawing.undo())


def _clear() -> None:
    """Remove all strokes."""
    receive_canvas()
    session().taught = ""
    session().drawing.clear()


@messages.show_store_errors()
def _belief(run: Run | None) -> None:
    """Render what the network believes, with its newest or best weights, about the drawing or its cover."""
    receive_canvas()  # a drawing whose request was lost comes with the next one
    drawing, cover, prepared = session().drawing, session().cover, _shown()
    store, newest, used = app_state().store, None, None
    problem = cover.problem if cover else drawing.problem
    try:
        if run:
            used = best_reader(store, run.id) if best_switch.is_on(run) else None
            newest = newest_reader(store, run.id)
    except WeightsError as error:
        problem = str(error)
    reading = shown_reading(run.config.reading_order if run else "down")
    hint = problem or _hint(run, drawn=prepared is not None)
    shown: ShownBelief = {"reading": reading, "hint": hint, "note": ""}
    if prepared is not None:
        shown["picture"] = prepared.picture.ravel().tolist()
        rows, columns = (prepared.top, prepared.row_height), (prepared.left, prepared.column_width)
        shown["begin"], shown["size"] = columns if reading["columns"] else rows
    if cover is not None:
        shown["caption"], shown["photo"] = cover.caption, cover.photo
    if isinstance(cover, TestDigit):
        shown["label"] = cover.label
    used = used or newest
    if used is not None and prepared is not None:
        reader, step = used
        found = answer(reader, prepared.picture)
        shown["beliefs"], shown["decided_at"] = found.rounded_beliefs(4), found.decided_at
        shown["decision"], shown["sure"] = found.decision, found.is_sure
        shown["note"] = test_digit.note(run, step) + _note(run, step)
    belief_panel(shown, key="belief")
    if run is not None:
        best_switch.render(run, newest[1] if newest else None)


def _hint(run: Run | None, *, drawn: bool) -> str:
    """Return a hint on what to do, or what to wait for, while there is no belief."""
    if not drawn:
        if teaching.is_on():
            return teaching.hint()
        return (lesson.in_lines(run) if run else "") or "Draw a digit from 0 to 9."
    if run is None:
        return "No network yet: start a run, and it reads your digit."
    if run.state.is_active:
        return "The network is getting ready to read."
    if run.has_begun:
        return WEIGHTS_ARE_GONE
    return "This run ended before it learned anything; open or start another one."


def _note(run: Run | None, step: int) -> str:
    """Return a note on which weights read, and whether their belief before the end can be trusted."""
    read = f"Read with the weights of step {step:,}."
    if run is not None and run.config.row_loss_mix == 0:
        return f"{read} {ReadingWords(run.config.reading_order).last_only}."
    return read
