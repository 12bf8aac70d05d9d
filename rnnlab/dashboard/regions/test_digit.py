"""A test digit in the Lab: the way to the mistake before and after, back to the gallery, and its address."""

from __future__ import annotations

from typing import Final

import numpy as np
import streamlit as st

from rnnlab.dashboard import navigation, tab
from rnnlab.dashboard.address import DIGIT, name_digit
from rnnlab.dashboard.app_state import app_state
from rnnlab.dashboard.caches import data_of
from rnnlab.dashboard.drawing import TestDigit
from rnnlab.dashboard.regions import best_switch, mistake_filter
from rnnlab.dashboard.session import session
from rnnlab.data.errors import DatasetError
from rnnlab.model.evaluation import Mistakes
from rnnlab.model.weights import WeightsError
from rnnlab.runs import Run

BUTTONS: Final = 3
"""How many buttons a test digit has."""


def render(place: st.delta_generator.DeltaGenerator, cover: TestDigit, run: Run | None) -> None:
    """Render the buttons that lead to the gallery and to the mistakes before and after.

    Args:
        place: The container for them.
        cover: The test digit on show.
        run: The run on show.
    """
    to_gallery = place.button(
        "Gallery",
        icon=":material/apps:",
        type="primary",
        help="Back to its place among the digits read wrong.",
        key="to_gallery",
        disabled=run is None,
    )
    at, count = place_among_mistakes(cover, run)
    known = count is not None
    belongs = run is not None and cover.data == data_of(run)
    place.button(
        "The mistake before",
        icon=":material/chevron_left:",
        help="The mistake before, of which it is surer (left arrow key).",
        key="mistake_before",
        on_click=turn,
        args=(run, -1),
        disabled=not belongs or (known and not at),
    )
    place.button(
        "The next mistake",
        icon=":material/chevron_right:",
        help="The next mistake, of which it is less sure (right arrow key).",
        key="mistake_after",
        on_click=turn,
        args=(run, 1),
        disabled=not belongs or (known and (at + 1 if at is not None else 0) >= (count or 0)),
    )
    if to_gallery:
        session().focus_in_gallery(cover.index)
        navigation.EVALUATION.open(session().address)


def note(run: Run | None, step: int) -> str:
    """Return which test digit is on show, as a sentence that others follow; empty if none is.

    Args:
        run: The run on show.
        step: The step of the weights that have read it. While a run trains, the gallery is of an earlier one.
    """
    cover = session().cover
    if not isinstance(cover, TestDigit):
        return ""
    at, count = place_among_mistakes(cover, run)
    if run is None or at is None:
        return f"{cover.caption}. "
    found = app_state().evaluations.last(run.id)
    earlier = f" at step {found.step:,}" if found and found.step != step else ""
    return f"{cover.caption}, mistake {at + 1:,} of {count:,}{earlier}. "


def place_among_mistakes(cover: TestDigit, run: Run | None) -> tuple[int | None, int | None]:
    """Return where a test digit is among the mistakes that the gallery shows, and how many these are.

    Args:
        cover: The test digit.
        run: The run whose mistakes they are.

    Returns:
        The place, counted from 0, or `None` if it is none of them; their number, or `None` if that is not
        known.
    """
    if run is None or cover.data != data_of(run):
        return None, None
    found = app_state().evaluations.last(run.id)
    if found is None:
        return None, None
    shown = mistake_filter.chosen(found.evaluation.mistakes)
    return _place_of(cover.index, shown), len(shown)


def turn(run: Run | None, by: int) -> None:
    """Show the mistake after (`by` = 1) or before (-1) the one on show, as the gallery is filtered.

    After a digit that is none of them comes the surest one.
    """
    cover = session().cover
    if run is None or not isinstance(cover, TestDigit) or cover.data != data_of(run):
        return
    evaluations = app_state().evaluations
    try:
        found = evaluations.last(run.id) or evaluations.newest(run, best=best_switch.is_on(run))
    except (DatasetError, WeightsError) as error:
        session().problems.append(str(error))
        return
    if found is None:
        return
    shown = mistake_filter.chosen(found.evaluation.mistakes)
    at = _place_of(cover.index, shown)
    wanted = at + by if at is not None else (0 if by > 0 else -1)
    if 0 <= wanted < len(shown):
        session().cover = TestDigit.of(found.test_set, int(shown.indices[wanted]))


def _place_of(index: int, mistakes: Mistakes) -> int | None:
    """Return the place of a test digit among mistakes, or `None` if it is none of them."""
    places = np.flatnonzero(mistakes.indices == index)
    return int(places[0]) if len(places) else None


def keep_in_address(run: Run | None) -> None:
    """Have the address of the page name the test digit on show, or none."""
    named = session().address.get(DIGIT)
    name_digit(run)
    with st.container(key="kept_digit"):
        if session().address.get(DIGIT) or named:
            tab.keep_page("tab_digit")
