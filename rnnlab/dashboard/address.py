"""What stands in the page's URL: the run on show (the run that a page displays), and the settings."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Final, NoReturn

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from rnnlab.config import HYPERPARAMETERS, Config
from rnnlab.dashboard import controls
from rnnlab.dashboard.app_state import app_state
from rnnlab.dashboard.caches import data_of
from rnnlab.dashboard.controls import control_key
from rnnlab.dashboard.drawing import TestDigit
from rnnlab.dashboard.session import session
from rnnlab.data.datasets import TestSet
from rnnlab.data.errors import DatasetError
from rnnlab.hyperparameter import ConfigError
from rnnlab.presets import config_from
from rnnlab.runs import Run
from rnnlab.store.database import StoreError

DIGIT: Final = "digit"
"""The URL parameter with the number of a test digit."""

_MAX_NAMED: Final = 20
"""Most characters of a value from the URL that are repeated on the page."""


def run_on_show(*, unless_prepared: bool = False) -> Run | None:
    """Return the run that the visitor chose or the URL names, else the current one; put it in the URL.

    Args:
        unless_prepared: Whether there is none if settings from the URL wait for Start: the current run would
            look as if it had been trained with them.
    """
    store, remembered = app_state().store, session()
    remembered.run_id = named_run() or remembered.run_id
    if unless_prepared and remembered.awaits_start:
        return None
    run = store.run(remembered.run_id) if remembered.run_id else store.current_run()
    if run is not None:
        remembered.run_id = remembered.address["run"] = run.id
    return run


def named_run() -> str | None:
    """Return the id of the run that the URL names, or `None`; if there is no such run, say so.

    The URL counts when a visit begins and when the visitor goes back or forward. At any other time a browser
    may ask before it has learned of a new URL, and would bring back the run of before.
    """
    named, remembered = st.query_params.get("run"), session()
    counts = went_back_or_forward() or not remembered.has_read_run
    remembered.has_read_run = True
    if named is None or not counts:
        return None
    try:
        return app_state().store.find(named).id
    except StoreError as error:
        remembered.problems.append(str(error))
        return None


def read_digit(run: Run | None) -> None:
    """Show the test digit that the URL names, if any; if there is no such digit, say so.

    It counts when the URL does: when a visit begins in the Lab, and after going back or forward.

    Args:
        run: The run on show, whose test set it is a part of.
    """
    remembered, named = session(), st.query_params.get(DIGIT)
    counts = went_back_or_forward() or not remembered.has_read_digit
    remembered.has_read_digit = True
    if counts and named is not None and _is_named(run):
        show_digit(run, named)
    elif went_back_or_forward() and isinstance(remembered.cover, TestDigit):
        remembered.cover = None


def _is_named(run: Run | None) -> bool:
    """Return whether a run is the one that the URL names, if any: no digit of another is meant."""
    named = st.query_params.get("run")
    if named is None or run is None:
        return True
    with suppress(StoreError):
        return app_state().store.find(named).id == run.id
    return False


def show_digit(run: Run | None, named: str) -> None:
    """Show a test digit instead of the drawing; if there is no such digit, say so.

    Args:
        run: The run whose test set it is a part of.
        named: Its number, as it comes from outside.
    """
    problems = session().problems
    if run is None:
        problems.append("There is no run yet, so there is no test digit to show; start one first.")
        return
    try:
        test_set = app_state().evaluations.test_set(run)
    except DatasetError as error:
        problems.append(str(error))
        return
    index = _index_of(named, test_set)
    if index is None:
        shown = named if len(named) <= _MAX_NAMED else f"{named[:_MAX_NAMED]}…"
        last = len(test_set.labels) - 1
        problems.append(
            f"There is no test digit {shown!r} in {test_set.title}; they are numbered from 0 to {last:,}."
        )
    else:
        session().cover = TestDigit.of(test_set, index)


def _index_of(named: str, test_set: TestSet) -> int | None:
    """Return which digit of a test set a text names, or `None` if none."""
    if not (named.isascii() and named.isdecimal()):
        return None
    # Python refuses to read numbers of thousands of digits.
    index = int(named) if len(named) <= _MAX_NAMED else len(test_set.labels)
    return index if index < len(test_set.labels) else None


def name_digit(run: Run | None) -> None:
    """Put the test digit on show, if any, into the URL, which names the run as well.

    Args:
        run: The run on show. The number means nothing if it has other test digits.
    """
    remembered, cover = session(), session().cover
    if isinstance(cover, TestDigit) and run is not None and cover.data == data_of(run):
        remembered.address[DIGIT] = str(cover.index)
    else:
        remembered.address.pop(DIGIT, None)


def went_back_or_forward() -> bool:
    """Return whether the page is rendered because the visitor went through the browser's history."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


def read_settings() -> None:
    """Set the sidebar's controls to the hyperparameters in the URL, once per session."""
    remembered = session()
    if not remembered.url_read:
        remembered.url_read = True
        has_settings = take_settings(st.query_params)
        can_start = not app_state().permissions.read_only
        remembered.is_prepared = has_settings and can_start and "run" not in st.query_params


def take_settings(given: Mapping[str, str]) -> bool:
    """Set the sidebar's controls to hyperparameters from outside; report those that cannot be used.

    Args:
        given: URL parameters as `settings_query` returns them; other names are ignored.

    Returns:
        Whether there are any, and all can be used.
    """
    problems = session().problems
    known = len(problems)
    try:
        set_controls(config_from({}, given.get("preset", "default")))
    except ConfigError as error:
        problems.append(str(error))
    for name, hyperparameter in HYPERPARAMETERS.items():
        if name in given:
            try:
                controls.set_value(control_key(name), hyperparameter.parse(given[name]))
            except ConfigError as error:
                problems.append(str(error))
    return len(problems) == known and any(name in given for name in ("preset", *HYPERPARAMETERS))


def set_controls(config: Config) -> None:
    """Set all of the sidebar's controls."""
    for name, value in asdict(config).items():
        controls.set_value(control_key(name), value)


def render_again() -> NoReturn:
    """Render the whole page again, whatever run the URL of this request, which may be an old one, names."""
    st.rerun()
