"""What the dashboard remembers about one visitor, in one typed place."""

from __future__ import annotations

import base64
import json
import math
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from rnnlab.config import Config
from rnnlab.dashboard.drawing import BroughtPicture, Drawing, TestDigit
from rnnlab.dashboard.pacing import PACING
from rnnlab.data.hand import Removed

_KEY = "rnnlab_session"

CANVAS_KEY = "canvas"
"""How the widget key of the canvas component begins; the name of the session follows."""

PEN_KEY = "pen_width"
"""Widget key of the pen's width."""

PEN_WIDTHS = (8, 20, 40)
"""Thinnest, usual and thickest pen, in pixels of the canvas."""


_NO_PAGE: Final = "-"
"""Stands for the path of a page while none is shown."""

SECOND_PRESS: Final = 2.0
"""Seconds after the answer to Start in which another press, also of what appeared with it, does nothing."""


def canvas_key() -> str:
    """Return the widget key of this session's canvas.

    A browser that outlives a session, because the server was restarted or the tab slept, still has a canvas.
    What that one sends while another takes its place must not be taken for what the other one sends.
    """
    return f"{CANVAS_KEY}_{session().name}"


@dataclass(frozen=True)
class GalleryFocus:
    """The thumbnail that is to be brought into view, once.

    Attributes:
        index: The position of its digit in the test set; if that is not shown, the first thumbnail counts.
        count: How often the visitor has asked for one; the browser follows each wish once.
    """

    index: int
    count: int


@dataclass
class Press:
    """A press of Start.

    Attributes:
        config: The settings that it was to start.
        answered_at: When the page was rendered that answers it, by `time.monotonic`; infinite until then.
    """

    config: Config
    answered_at: float = math.inf


@dataclass
class Session:
    """One visitor's session.

    Attributes:
        name: A random name for the session.
        page: The path of the page that was shown last.
        run_id: The run on show, or `None` before there is any.
        address: What the URL of the page is to say: the run, and in the Lab the settings.
        has_read_run: Whether the run in the URL has been looked up.
        has_read_digit: Whether the test digit in the URL has been looked up.
        settings: The hyperparameters of the controls as URL parameters, or `None` before these are rendered.
        best_of: The run that is to read with the weights of its best test; empty if none is.
        chosen_run_id: The run chosen on the Runs page.
        run_tables: The runs in the rows of the table there, by the number of its version: the last ones.
        drawing: The visitor's drawing.
        cover: What covers the drawing and is read instead, a test digit or a picture; or `None`.
        pictures: How many test digits the visitor has taken from the popover, and how many pictures brought.
        gallery: Which thumbnail of the gallery of mistakes is to be in view.
        gallery_followed: The last of these wishes that has been followed.
        gallery_shows: What the gallery consists of: the evaluation, and which of its mistakes.
        adjusted: How often this visitor has asked for other hyperparameters of a run that had begun.
        is_teaching: Whether digits can be tapped to keep the drawing as one of them.
        taught: What happened to the last drawing that was labelled, in words; may be empty.
        removed: The labelled drawing that was removed last, until it is brought back.
        set_controls: How often the page has set each of its controls itself; see `controls`.
        url_read: Whether the controls have taken over the hyperparameters in the URL.
        is_prepared: Whether the visit began with settings in the URL, which can be started, and no run.
        has_taken_over: Whether it has what the tab kept for an earlier session.
        visitor_secret: The secret that the browser keeps in its storage; empty if it has sent none.
        is_forgotten: Whether the browser keeps nothing by which its visitor could be known again.
        problems: Sentences about what could not be done, to be shown.
        has_acted: Whether the person has just asked for something and waits for the next update.
        started: The last press of Start; or `None`.
        answered: How many presses of Start have been answered; a second press at once is none.
        is_refused: Whether the last of them started nothing.
    """

    name: str = field(default_factory=lambda: secrets.token_hex(8))
    page: str | None = None
    run_id: str | None = None
    address: dict[str, str] = field(default_factory=dict)
    has_read_run: bool = False
    has_read_digit: bool = False
    settings: dict[str, str] | None = None
    best_of: str = ""
    chosen_run_id: str | None = None
    run_tables: dict[int, list[str]] = field(default_factory=dict)
    drawing: Drawing = field(default_factory=Drawing)
    cover: TestDigit | BroughtPicture | None = None
    pictures: int = 0
    gallery: GalleryFocus = field(default_factory=lambda: GalleryFocus(-1, 0))
    gallery_followed: int = 0
    gallery_shows: tuple[object, ...] = ()
    adjusted: int = 0
    is_teaching: bool = False
    taught: str = ""
    removed: Removed | None = None
    set_controls: dict[str, int] = field(default_factory=dict)
    url_read: bool = False
    is_prepared: bool = False
    has_taken_over: bool = False
    visitor_secret: str = ""
    is_forgotten: bool = False
    problems: list[str] = field(default_factory=list)
    has_acted: bool = False
    started: Press | None = None
    answered: int = 0
    is_refused: bool = False

    @property
    def awaits_start(self) -> bool:
        """Whether settings from the URL wait for Start, and the visitor has chosen no run either."""
        return self.is_prepared and self.run_id is None

    def focus_in_gallery(self, index: int) -> None:
        """Have the gallery bring a thumbnail into view when it is rendered next."""
        self.gallery = GalleryFocus(index, self.gallery.count + 1)

    @property
    def has_just_started(self) -> bool:
        """Whether Start was pressed a moment ago, so that another press is most likely not meant as one.

        What somebody presses who has not seen an answer yet may wait here for long if the machine is busy.
        """
        return self.started is not None and time.monotonic() - self.started.answered_at < SECOND_PRESS

    def is_second_press(self, config: Config) -> bool:
        """Return whether Start with these settings is a double click, an impatient tap or a key held down.

        Each of these counts as a press, so a key may be held down for as long as one likes.
        """
        repeated = self.has_just_started and self.started is not None and self.started.config == config
        self.started = Press(config)
        return repeated

    def answer_press(self) -> None:
        """Note that the page has been rendered since Start was pressed, if it was."""
        if self.started is not None and self.started.answered_at == math.inf:
            self.started.answered_at = time.monotonic()


@contextmanager
def answers_press() -> Iterator[None]:
    """Note at the end of the block that it has answered the last press of Start, unless it was cut short."""
    try:
        yield
    except Exception:
        session().answer_press()
        raise
    session().answer_press()


def session() -> Session:
    """Return what is remembered about this visitor."""
    if _KEY not in st.session_state:
        st.session_state[_KEY] = Session()
    remembered: Session = st.session_state[_KEY]
    return remembered


def mark_user_action() -> None:
    """Note that the person has asked for something; a callback for controls that have no other."""
    session().has_acted = True


def yield_to_strokes() -> None:
    """Wait until others' strokes are answered, unless this update is one that the person has asked for."""
    remembered = session()
    if not remembered.has_acted:
        PACING.yield_to_strokes()
    remembered.has_acted = False


def receive_canvas() -> None:
    """Take in what the canvas has sent, even if it came together with a click elsewhere."""
    _receive(st.session_state.get(canvas_key()) or {})


def _receive(state: Mapping[str, Any]) -> None:
    """Take in the state of a canvas."""
    sent = state.get("drawing") or {}
    if sent.get("data"):
        picture = base64.b64decode(sent["data"].partition(",")[2])
        session().drawing.receive(picture, sent["raw"].get("objects", []))


def _receive_canvas_of_earlier_session() -> None:
    """Take in what was drawn on a canvas whose session is gone: the browser still has it, and sends it."""
    context = get_script_run_ctx()
    for state in context.session_state.get_widget_states() if context else ():
        if re.search(rf"-{CANVAS_KEY}_[0-9a-f]+$", state.id) and not state.id.endswith(canvas_key()):
            _receive(json.loads(state.json_value or "{}"))
            session().drawing.is_known = True


def enter_page(path: str) -> None:
    """Note which page is shown; on another page the canvas is created anew and gets its drawing back."""
    receive_canvas()
    remembered = session()
    remembered.address = {}
    if path != remembered.page:
        if remembered.page is None:
            _receive_canvas_of_earlier_session()
        remembered.page = path
        remembered.drawing.show(remembered.drawing.strokes)


def leave_page() -> None:
    """Note that the page gives way to a message, so that its canvas gets its drawing back with the page."""
    session().page = _NO_PAGE
