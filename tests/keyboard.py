"""Somebody with only a keyboard, in a real browser."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from playwright.sync_api import Locator, Page, expect

MAX_PRESSES: Final = 120
"""Most presses of Tab on the way to something: more than anything on a page takes."""

COLUMNS_OF_A_7: Final = ((7, 5), (21, 5), (14, 12), (14, 23))
"""Corners of a 7: column and row on the drawing surface, from 1 to 28."""

MIDDLE: Final = (15, 15)
"""Where the pen is at first."""


def is_focused(target: Locator) -> bool:
    """Return whether the focus is on something."""
    return bool(target.evaluate_all("(parts) => parts.some((part) => part.matches(':focus'))"))


def tab_to(page: Page, target: Locator, key: str = "Tab") -> None:
    """Press Tab, or another key, until the focus is on something."""
    for _ in range(MAX_PRESSES):
        if is_focused(target):
            return
        page.keyboard.press(key)
    expect(target).to_be_focused(timeout=1)


def surface(page: Page) -> Locator:
    """Return the surface on which keys draw."""
    return page.get_by_role("application", name="Drawing surface")


def said(page: Page) -> Locator:
    """Return what the surface says to a screen reader."""
    return page.locator(".st-key-key_pen [role=status]")


def walk(page: Page, start: tuple[int, int], end: tuple[int, int]) -> None:
    """Move the pen from one place of the surface to another: diagonally, then straight on."""
    across, down = end[0] - start[0], end[1] - start[1]
    sideways = "ArrowRight" if across > 0 else "ArrowLeft"
    lengthways = "ArrowDown" if down > 0 else "ArrowUp"
    both = min(abs(across), abs(down))
    if both:
        page.keyboard.down(sideways)  # the first press, before the other key is down, goes sideways only
        page.keyboard.down(lengthways)
        for _ in range(both - 2):
            page.keyboard.down(lengthways)  # as the system repeats a key that is held
        page.keyboard.up(sideways)
        page.keyboard.press(lengthways)
        page.keyboard.up(lengthways)
    for key, count in ((sideways, abs(across) - both), (lengthways, abs(down) - both)):
        for _ in range(count):
            page.keyboard.press(key)


def draw_a_7(page: Page, start: tuple[int, int] = MIDDLE) -> tuple[int, int]:
    """Draw a 7 in one stroke, with the focus on the surface; return where the pen is then."""
    walk(page, start, COLUMNS_OF_A_7[0])
    page.keyboard.press("Space")
    for corner, following in pairwise(COLUMNS_OF_A_7):
        walk(page, corner, following)
    page.keyboard.press("Space")
    return COLUMNS_OF_A_7[-1]
