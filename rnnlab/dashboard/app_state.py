"""What all visitors of one dashboard process share: store, launcher, curves, evaluations, readers."""

from __future__ import annotations

import functools
import importlib
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import streamlit as st
from threadpoolctl import threadpool_limits

from rnnlab.config import Config
from rnnlab.dashboard import reruns
from rnnlab.dashboard.caches import CurveCache, ErrorReachCache, EvaluationCache
from rnnlab.dashboard.permissions import Permissions, PermissionsError, RefusalError
from rnnlab.dashboard.session import leave_page
from rnnlab.dashboard.text import plain
from rnnlab.runs import Run
from rnnlab.store.database import StoreError
from rnnlab.store.store import Store, default_home
from rnnlab.training.engine import problem_of
from rnnlab.training.memory_needed import shortage
from rnnlab.worker.launcher import Launcher, LocalLauncher

REAP_INTERVAL: Final = 0.8
"""Seconds between two checks for dead workers, however many people watch."""


@dataclass
class AppState:
    """One home folder and everything that works on it.

    Attributes:
        store: The runs.
        launcher: Starts workers.
        curves: Cached curves.
        error_reaches: Cached, how far back the error reached.
        evaluations: Cached evaluations.
        permissions: What visitors may do.
        start_lock: Held from checking whether one more run may start until it is in the queue, so that two
            visitors of this dashboard cannot take the same place.
        trouble: Why something cannot be written or started at present; empty if all is well.
    """

    store: Store
    launcher: Launcher
    curves: CurveCache
    error_reaches: ErrorReachCache
    evaluations: EvaluationCache
    permissions: Permissions
    start_lock: threading.Lock = field(default_factory=threading.Lock)
    trouble: str = ""
    _reaped: float = float("-inf")

    def start(self, config: Config, owner: str, parent: str | None = None) -> Run:
        """Queue a run and wake a worker; if none can be woken, say why on the page and try again later.

        Args:
            config: The hyperparameters.
            owner: The name of the visitor who starts it.
            parent: The id of the run whose newest weights it starts from, if any.

        Raises:
            RefusalError: The settings do not allow it, its engine is not installed, or it would not fit into
                the memory there is.
            StoreError: The store cannot be written, or the parent has no weights.
        """
        with self.start_lock:
            refusal = self.permissions.refusal(config, self.store.active_runs(), owner)
            if refusal := refusal or problem_of(config) or shortage(config):
                raise RefusalError(refusal)
            run = self.store.create_run(config, owner=owner, parent=parent)
        self._try(self.launcher.wake)  # `reap` wakes workers, too, so it tries again
        return run

    def reap(self) -> None:
        """Check for dead workers, unless that was done a moment ago for another viewer."""
        now = time.monotonic()
        if now - self._reaped >= REAP_INTERVAL:
            self._reaped = now
            # A read-only dashboard starts no workers, but must still say that one has died.
            self._try(
                self.store.reports.mark_interrupted if self.permissions.read_only else self.launcher.reap,
            )

    def _try(self, act: Callable[[], object]) -> None:
        """Do something that writes to the disk; if it fails, remember why until it succeeds."""
        try:
            act()
        except StoreError as error:
            self.trouble = str(error)
        else:
            self.trouble = ""


_REPLACED: Final = (
    "The list of runs was removed or replaced while the dashboard was open; this page shows the new one."
)

LOOK_AGAIN_INTERVAL: Final = 2.0
"""Seconds between two looks whether the list of runs can be read again."""

_opening = threading.Lock()
"""Held while the shared state is looked up: two visitors at the same time must not open it twice."""


@functools.cache
def _app_state_of(home: Path) -> AppState:
    # Streamlit imports pandas when it first needs it. Plotly checks whether pandas is loaded, and fails if
    # another visitor's thread is importing it at that moment.
    importlib.import_module("pandas")
    reruns.install()
    # Products that read a drawing are small: beside a run on all cores, threads of one wait for each other.
    # That holds for libraries that are loaded by now: numpy's, and SciPy's with `session`.
    threadpool_limits(limits=1, user_api="blas")
    store = Store(home)
    permissions = Permissions.from_environment()
    launcher = LocalLauncher(store, permissions.workers)
    caches = CurveCache(store), ErrorReachCache(store), EvaluationCache(store)
    return AppState(store, launcher, *caches, permissions)


def app_state() -> AppState:
    """Return the shared state of this process; if the store cannot be opened, say so and end the page."""
    try:
        with _opening:
            found = _app_state_of(default_home())
            if not found.store.is_current:
                _app_state_of.cache_clear()
                found = _app_state_of(default_home())
                found.store.notice = found.store.notice or _REPLACED
            return found
    except StoreError as error:
        show_until_readable(str(error))
        st.stop()
    except PermissionsError as error:
        st.error(plain(str(error)), icon=":material/folder_off:")
        st.stop()


def show_until_readable(problem: str) -> None:
    """Show in place of the page why the list of runs cannot be read, and the page as soon as it can.

    Args:
        problem: Why, in a sentence.
    """
    shown = time.monotonic()

    def look_again() -> None:
        if time.monotonic() - shown < LOOK_AGAIN_INTERVAL / 2:
            return  # a page that fails for another reason is not rendered again and again
        with suppress(StoreError):
            _app_state_of(default_home()).store.current_run()
            st.rerun()

    st.error(plain(problem), icon=":material/folder_off:")
    st.fragment(look_again, run_every=LOOK_AGAIN_INTERVAL)()
    leave_page()
