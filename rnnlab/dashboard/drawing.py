"""What is on the drawing pad: the visitor's drawing, and what may cover it and is read in its place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from rnnlab.data import outside_pictures
from rnnlab.data.datasets import TestSet
from rnnlab.data.image_files import load_drawing, load_picture
from rnnlab.data.preprocessing import DrawingError, PreparedDrawing, prepare
from rnnlab.digits import SIDE

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
        kept: The id under which it was kept as a labelled drawing when it was cleared; empty if it was not.
        prepared: As `Drawing.prepared`; `None` also if it is not known after a reload.
        problem: As `Drawing.problem`.
    """

    strokes: list[dict[str, Any]]
    kept: str = ""
    prepared: PreparedDrawing | None = None
    problem: str = ""


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
            self.cleared = ClearedDrawing(self.strokes, kept, self.prepared, self.problem)
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
        part = 1 / SIDE
        return PreparedDrawing(self.picture, top=0.0, left=0.0, row_height=part, column_width=part)

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
