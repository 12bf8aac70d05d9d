"""What the dashboard remembers about one visitor, in one typed place."""

from __future__ import annotations

import base64
import json
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.runtime.scriptrunner import get_script_run_ctx

from rnnlab.config import Config
from rnnlab.dashboard.pacing import PACING
from rnnlab.data import outside_pictures
from rnnlab.data.datasets import TestSet
from rnnlab.data.hand import Removed
from rnnlab.data.image_files import load_drawing, load_picture
from rnnlab.data.preprocessing import DrawingError, PreparedDrawing, prepare
from rnnlab.digits import SIDE

_KEY = "rnnlab_session"

CANVAS_KEY = "canvas"
"""How the widget key of the canvas component begins; the name of the session follows."""

PEN_KEY = "pen_width"
"""Widget key of the pen's width."""

PEN_WIDTHS = (8, 20, 40)
"""Thinnest, usual and thickest pen, in pixels of the canvas."""


SECOND_PRESS: Final = 2.0
"""Seconds after Start in which another press, also of what has appeared under the pointer, does nothing."""


def canvas_key() -> str:
    """Return the widget key of this session's canvas.

    A browser that outlives a session, because the server was restarted or the tab slept, still has a canvas.
    What that one sends while another takes its place must not be taken for what the other one sends.
    """
    return f"{CANVAS_KEY}_{session().name}"


def control_key(name: str) -> str:
    """Return the widget key of the sidebar's control of a hyperparameter."""
    return f"control_{name}"


NOTHING_STANDS_OUT: Final = (
    "No digit stands out in this picture; take it closer, in better light, or with a stronger pen."
)

_MAX_NAME: Final = 40
"""Most characters of a file's name that are shown."""


@dataclass(frozen=True, eq=False)
class ClearedDrawing:
    """A drawing that was taken off the canvas and can be brought back.

    Attributes:
        strokes: As `Drawing.strokes`.
        prepared: As `Drawing.prepared`.
        problem: As `Drawing.problem`.
        kept: The id under which it was kept as a labelled drawing when it was cleared; empty if it was not.
    """

    strokes: list[dict[str, Any]]
    prepared: PreparedDrawing | None
    problem: str
    kept: str


@dataclass
class Drawing:
    """A visitor's drawing, remembered while the page changes around it.

    Attributes:
        strokes: The strokes as the canvas describes them (Fabric.js objects).
        mounted: What the canvas was last given to show; giving it something else replaces its drawing.
        revision: Counts what the canvas was given, so that giving it the same strokes again has an effect.
        seen: The last picture (PNG) that the canvas sent.
        prepared: The drawing as the network sees it, or `None` for a blank canvas.
        problem: Why the picture cannot be read; empty if it can.
        is_known: Whether the browser has told what was drawn during an earlier session.
        cleared: The drawing that was cleared last, until it is brought back.
    """

    strokes: list[dict[str, Any]] = field(default_factory=list)
    mounted: dict[str, Any] = field(default_factory=lambda: {"objects": []})
    revision: int = 0
    seen: bytes | None = None
    prepared: PreparedDrawing | None = None
    problem: str = ""
    is_known: bool = False
    cleared: ClearedDrawing | None = None

    def receive(self, picture: bytes | None, strokes: list[dict[str, Any]]) -> None:
        """Take in what the canvas sent, unless it has sent the same before.

        Args:
            picture: The canvas as a PNG, or `None` before it has sent any.
            strokes: Its strokes, as Fabric.js objects.
        """
        if picture is None or picture == self.seen:
            return
        self.seen, self.strokes = picture, strokes
        try:
            self.prepared, self.problem = prepare(load_drawing(picture)), ""
        except DrawingError as error:
            self.prepared, self.problem = None, str(error)

    def restore(self, picture: bytes, strokes: list[dict[str, Any]]) -> None:
        """Show a drawing of an earlier session, with what has been drawn on top of it in the meantime.

        Args:
            picture: It as a PNG, without that.
            strokes: Its strokes, as Fabric.js objects.
        """
        drawn, self.is_known = self.strokes, True
        if not drawn:
            self.receive(picture, strokes)
        self.show([*strokes, *drawn])

    def show(self, strokes: list[dict[str, Any]]) -> None:
        """Have the canvas show these strokes."""
        self.strokes = strokes
        self.revision += 1
        self.mounted = {"objects": strokes, "revision": self.revision}
        if not strokes:
            self.prepared, self.problem = None, ""

    @property
    def can_undo(self) -> bool:
        """Whether there is a stroke to undo, or a drawing to bring back."""
        return bool(self.strokes or self.cleared)

    def clear(self, kept: str = "") -> None:
        """Clear the canvas; what was drawn on it can be brought back.

        Args:
            kept: The id of the labelled drawing as which it was kept, if it was.
        """
        if self.strokes:
            self.cleared = ClearedDrawing(self.strokes, self.prepared, self.problem, kept)
        self.show([])

    def undo(self) -> str:
        """Undo the last stroke; if there is none, bring back what was cleared.

        Returns:
            The id of the labelled drawing as which that was kept; empty if there is none.
        """
        if self.strokes or not self.cleared:
            self.show(self.strokes[:-1])
            return ""
        cleared, self.cleared = self.cleared, None
        self.show(cleared.strokes)
        # The canvas may send the picture that it sent before it was cleared, which then counts as known.
        self.prepared, self.problem = cleared.prepared, cleared.problem
        return cleared.kept


@dataclass(frozen=True, eq=False)
class TestDigit:
    """A test digit that is shown instead of the drawing.

    Attributes:
        picture: `uint8` of shape (28, 28), 0 = background, 255 = ink.
        index: Its position in its test set, counted from 0.
        label: The digit that it is.
        data: The name of its data set, as `TestSet` has it.
        title: The name of its data set, for people.
        problem: Always empty: it can be read.
        photo: Always empty: the picture is all there is.
    """

    __test__ = False  # tells pytest that this is not a class of tests

    picture: NDArray[np.uint8]
    index: int
    label: int
    data: str
    title: str
    problem: str = ""
    photo: str = ""

    @classmethod
    def of(cls, test_set: TestSet, index: int) -> Self:
        """Return one digit of a test set."""
        picture = test_set.images[index].copy()  # a view would keep the whole test set in memory
        return cls(picture, index, int(test_set.labels[index]), test_set.name, test_set.title)

    @property
    def prepared(self) -> PreparedDrawing:
        """The test digit as a drawing that fills the canvas."""
        return PreparedDrawing(self.picture, top=0.0, row_height=1 / SIDE)

    @property
    def caption(self) -> str:
        """The test digit in words, with its number and its data set."""
        return f"Test digit {self.index:,} of {self.title}"


@dataclass(frozen=True, eq=False)
class BroughtPicture:
    """A picture that the visitor brought, shown instead of the drawing.

    Attributes:
        caption: What it is, for people.
        prepared: The digit in it as the network sees it, or `None` if none is found.
        problem: Why it cannot be read; empty if it can.
        photo: The picture as it came, a small square one, as a data URL; empty if it is no picture.
    """

    caption: str
    prepared: PreparedDrawing | None
    problem: str
    photo: str

    @classmethod
    def from_file(cls, data: bytes, name: str) -> Self:
        """Find the digit in an image file; whatever is wrong with it becomes `problem`."""
        caption = f"Your picture {name}" if len(name) <= _MAX_NAME else f"Your picture {name[:_MAX_NAME]}…"
        photo = ""
        try:
            picture = load_picture(data)
            photo = outside_pictures.thumbnail(picture)
            prepared = outside_pictures.prepare_picture(picture)
        except DrawingError as error:
            return cls(caption, None, str(error), photo)
        if prepared is None:
            return cls(caption, None, NOTHING_STANDS_OUT, photo)
        return cls(caption, outside_pictures.on_square(prepared, picture.shape), "", photo)


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
        chosen_run_id: The run chosen on the Runs page.
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
        url_read: Whether the controls have taken over the hyperparameters in the URL.
        is_prepared: Whether the visit began with settings in the URL and no run.
        has_taken_over: Whether it has what the tab kept for an earlier session.
        visitor_secret: The secret that the browser keeps in its storage; empty if it has sent none.
        is_forgotten: Whether the browser keeps nothing by which its visitor could be known again.
        problems: Sentences about what could not be done, to be shown.
        has_acted: Whether the person has just asked for something and waits for the next update.
        started: The settings that were last started, with the time of `time.monotonic`; or `None`.
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
    chosen_run_id: str | None = None
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
    url_read: bool = False
    is_prepared: bool = False
    has_taken_over: bool = False
    visitor_secret: str = ""
    is_forgotten: bool = False
    problems: list[str] = field(default_factory=list)
    has_acted: bool = False
    started: tuple[Config, float] | None = None
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
        """Whether Start was pressed a moment ago, so that another press is most likely not meant as one."""
        return self.started is not None and time.monotonic() - self.started[1] < SECOND_PRESS

    def is_second_press(self, config: Config) -> bool:
        """Return whether Start with these settings is a double click, an impatient tap or a key held down.

        Each of these counts as a press, so a key may be held down for as long as one likes.
        """
        repeated = self.has_just_started and self.started is not None and self.started[0] == config
        self.started = config, time.monotonic()
        return repeated


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
