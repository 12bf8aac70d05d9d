"""Fingers, hands and pens on the canvas, as Chromium gets them from the system."""

from __future__ import annotations

import itertools

from playwright.sync_api import CDPSession, Page

from tests.pens import STROKES

Place = tuple[float, float]


def stroke_on(page: Page, digit: str, index: int) -> list[Place]:
    """Return where on the page a stroke of a digit goes, in short steps."""
    box = page.locator("canvas.upper-canvas").bounding_box()
    assert box is not None
    corners = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in STROKES[digit][index]]
    steps = [
        (x + (next_x - x) * step / 8, y + (next_y - y) * step / 8)
        for (x, y), (next_x, next_y) in itertools.pairwise(corners)
        for step in range(8)
    ]
    return [*steps, corners[-1]]


class Fingers:
    """Touches the page with fingers, each known by a number of its own, and with a pen."""

    def __init__(self, page: Page) -> None:
        self._devtools: CDPSession = page.context.new_cdp_session(page)
        self._places: dict[int, Place] = {}

    def down(self, finger: int, place: Place) -> None:
        """Put a finger down beside those that are down."""
        self._places[finger] = place
        self._touch("touchStart", {finger: place})

    def move(self, **places: Place) -> None:
        """Move fingers: `_0=(x, y)` moves the finger 0."""
        moved = {int(name.removeprefix("_")): place for name, place in places.items()}
        self._places.update(moved)
        self._touch("touchMove", moved)

    def up(self, finger: int) -> None:
        """Lift a finger; the others stay."""
        self._touch("touchEnd", {finger: self._places.pop(finger)})

    def taken_away(self) -> None:
        """Have the system take all fingers away, as it does when it shows a message."""
        self._places.clear()
        self._touch("touchCancel", {})

    def draw(self, places: list[Place], finger: int = 0) -> None:
        """Draw a stroke with a finger."""
        self.down(finger, places[0])
        for place in places[1:]:
            self.move(**{f"_{finger}": place})
        self.up(finger)

    def draw_with_pen(self, places: list[Place]) -> None:
        """Draw a stroke with a pen."""
        self._pen("mouseMoved", places[0], pressed=False)
        self._pen("mousePressed", places[0], pressed=True)
        for place in places[1:]:
            self._pen("mouseMoved", place, pressed=True)
        self._pen("mouseReleased", places[-1], pressed=False)

    def _touch(self, kind: str, places: dict[int, Place]) -> None:
        points = [{"x": x, "y": y, "id": finger} for finger, (x, y) in places.items()]
        self._devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def _pen(self, kind: str, place: Place, *, pressed: bool) -> None:
        button = "none" if kind == "mouseMoved" else "left"
        event = {"type": kind, "x": place[0], "y": place[1], "pointerType": "pen", "button": button}
        self._devtools.send(
            "Input.dispatchMouseEvent", event | {"buttons": int(pressed), "clickCount": int(button == "left")}
        )
