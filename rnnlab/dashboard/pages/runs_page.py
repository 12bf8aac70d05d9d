"""The Runs page: all runs, newest first."""

from __future__ import annotations

import datetime

import streamlit as st

from rnnlab.config import HYPERPARAMETERS
from rnnlab.dashboard import address, navigation, tab
from rnnlab.dashboard.app_state import app_state
from rnnlab.dashboard.components.copy_link import copy_link
from rnnlab.dashboard.components.shown_version import render_version, shown_version
from rnnlab.dashboard.components.table_keys import table_keys
from rnnlab.dashboard.navigation import Destination
from rnnlab.dashboard.regions import lesson, messages
from rnnlab.dashboard.session import session
from rnnlab.dashboard.settings_text import ENGINE_NAMES, what_differs
from rnnlab.dashboard.text import (
    BATCH_ACCURACY_HELP,
    STATE_BADGES,
    duration,
    log_in_time_zone,
    percent,
    plain,
)
from rnnlab.dashboard.visitor import time_zone
from rnnlab.presets import settings_query
from rnnlab.runs import Run
from rnnlab.system.regular_files import read_end

_REFRESH_INTERVAL = 2.0
"""Seconds between two updates of the table."""

_TABLE_KEY = "run_table"
_VERSION_KEY = "run_table_version"

_MAX_VERSIONS = 20
"""Versions of the table that are remembered: more than a browser can be behind."""

_SETTINGS_HELP = (
    "Its preset, and what differs from it. The columns further right say what it trains with now, or trained "
    "with in the end."
)

_LOG_LINES = 200
"""Lines of a log that are shown: its end, which says why a run failed."""

_LOG_BYTES = 100_000
"""Bytes that are read of it, at most."""


def render() -> None:
    """Render the page."""
    st.title("Runs")
    st.caption("Every training run on this machine, newest first. Choose one to open it in the Lab.")
    messages.render()
    remembered = session()
    remembered.chosen_run_id = address.named_run() or remembered.chosen_run_id
    st.fragment(_history, run_every=_REFRESH_INTERVAL)()


@messages.show_store_errors()
def _history() -> None:
    """Render the table of runs, and details and buttons of the run chosen in it."""
    app_state().reap()
    kept = st.container(key="kept_choice")
    messages.render_trouble()
    runs = app_state().store.runs()
    with st.container():  # so that the table keeps its place
        for entry in app_state().store.damaged_runs():
            st.warning(plain(entry.problem), icon=":material/broken_image:")
    if not runs:
        st.info("There is no run yet. Start one in the Lab.", icon=":material/science:")
        if st.button("To the Lab", type="primary"):
            navigation.LAB.open({})
        return
    _table(runs)
    with kept:
        table_keys(_TABLE_KEY, key="run_table_keys")
        render_version(_version_of([run.id for run in runs]), key=_VERSION_KEY)
    chosen = [run for run in runs if run.id == session().chosen_run_id]
    if chosen:
        session().address["run"] = chosen[0].id
        _chosen(chosen[0])
    else:
        session().address.pop("run", None)
        st.caption("Click the box at the left of a row to choose that run, or press Enter in the row.")
    with kept:
        tab.keep_page("tab_choice", is_history=False)


def _table(runs: list[Run]) -> None:
    """Render the table: the same one at each update, so that it stays as it was scrolled and sorted."""
    remembered, ids = session(), [run.id for run in runs]

    def choose() -> None:
        # A selection is a row number, and a run that somebody starts moves all others: what counts is what
        # stood in the row when the visitor saw it.
        rows, version = st.session_state[_TABLE_KEY].selection.rows, shown_version(_VERSION_KEY)
        seen = ids if version is None else remembered.run_tables.get(version)
        if seen is not None:
            remembered.chosen_run_id = seen[rows[0]] if rows and rows[0] < len(seen) else None

    rows = [ids.index(remembered.chosen_run_id)] if remembered.chosen_run_id in ids else []
    if _TABLE_KEY in st.session_state and list(st.session_state[_TABLE_KEY].selection.rows) != rows:
        st.session_state[_TABLE_KEY] = {"selection": {"rows": rows}}
    st.dataframe(
        [_row(run) for run in runs],
        hide_index=True,
        on_select=choose,
        selection_mode="single-row",
        selection_default={"selection": {"rows": rows}},
        key=_TABLE_KEY,
        column_config={
            "run": st.column_config.TextColumn(pinned=True),  # in sight, however far one scrolls
            "settings": st.column_config.TextColumn(width=260, help=_SETTINGS_HELP),
            "test accuracy": st.column_config.NumberColumn(format="%.2f %%"),
            "batch accuracy": st.column_config.NumberColumn(format="%.1f %%", help=BATCH_ACCURACY_HELP),
            "started": st.column_config.DatetimeColumn(format="localized"),  # as the browser writes times
        },
    )


def _version_of(ids: list[str]) -> int:
    """Return the number of a table with these runs: the last one's, or the next if they are others."""
    tables = session().run_tables
    last = max(tables, default=0)
    if tables.get(last) != ids:
        last += 1
        tables[last] = ids
        tables.pop(last - _MAX_VERSIONS, None)
    return last


def _row(run: Run) -> dict[str, object]:
    """Return a run as one row of the table."""
    return {
        "run": run.id,
        "state": STATE_BADGES[run.state][0],
        "settings": what_differs(run),
        "test accuracy": _hundredfold(run.test_accuracy),
        "batch accuracy": _hundredfold(run.batch_accuracy),
        "steps done": run.step,
        "training time": duration(run.seconds),
        **{h.label: getattr(run.config_now, name) for name, h in HYPERPARAMETERS.items()},
        "engine used": run.engine or None,
        "data used": run.data,
        "started": datetime.datetime.fromtimestamp(run.created, time_zone()),
    }


def _hundredfold(fraction: float | None) -> float | None:
    """Return a fraction as a number of percent."""
    return None if fraction is None else fraction * 100


def _chosen(run: Run) -> None:
    """Render details and buttons of the chosen run."""
    word, icon, colour = STATE_BADGES[run.state]
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(run.id)}**", width="content")
            st.badge(word, icon=icon, color=colour)
            st.markdown(f"test accuracy {percent(run.test_accuracy, 2)}", width="content")
        if run.parent:
            st.markdown(f"Started from the weights of **{plain(run.parent)}**.")
            lesson.render(run)
        engine = (
            f" The steps were computed by {ENGINE_NAMES[run.engine]}." if run.engine in ENGINE_NAMES else ""
        )
        st.markdown(f"Trained with: {plain(what_differs(run))}.{engine}")
        if run.message:
            st.markdown(plain(run.message))
        with st.container(horizontal=True):
            if st.button("Open in the Lab", icon=":material/science:", type="primary"):
                _show_on(navigation.LAB, run)
            if st.button("Evaluate", icon=":material/fact_check:"):
                _show_on(navigation.EVALUATION, run)
        which = "the settings that it ended with" if run.changes else "the same settings"
        settings = settings_query(run.config_now) or {"preset": "default"}
        copy_link(f"A link for a new run with {which}", settings, key="copy_settings")
        with st.expander("Log", icon=":material/description:"):
            st.code(_log_of(run), language=None)


def _show_on(destination: Destination, run: Run) -> None:
    """Go to another page and show a run there."""
    session().run_id = run.id
    destination.open(session().address)


def _log_of(run: Run) -> str:
    """Return the end of a run's log."""
    try:
        text = read_end(app_state().store.files(run.id).log, _LOG_BYTES).decode("utf-8", "replace")
    except OSError:
        return "This run has no log yet."
    shown = "\n".join(text.splitlines()[-_LOG_LINES:])
    return log_in_time_zone(shown, time_zone()) or "The log is empty."
