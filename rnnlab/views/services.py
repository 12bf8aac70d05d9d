"""What all visitors of one dashboard process share: store, launcher, curves, evaluations, readers."""

from __future__ import annotations

import functools
import gc
import importlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import streamlit as st

from rnnlab.config import Config
from rnnlab.curves import CurveCache
from rnnlab.database import StoreError
from rnnlab.evaluation_cache import EvaluationCache
from rnnlab.launcher import Launcher, LocalLauncher
from rnnlab.memory import shortage
from rnnlab.reader import Reader, Weights
from rnnlab.runs import Run
from rnnlab.settings import RefusalError, Settings, SettingsError
from rnnlab.store import Store, default_home

REAP_INTERVAL: Final = 0.8
"""Seconds between two looks for dead workers, however many people watch."""

_SETTLE_INTERVAL: Final = 20.0
"""Seconds between two looks through all objects."""


@dataclass
class Services:
    """One home folder and everything that works on it.

    Attributes:
        store: The runs.
        launcher: Starts workers.
        curves: Curves that are being looked at.
        evaluations: Evaluations that have been made.
        settings: What visitors may do.
        placing: Held from the look whether there is a place for one more run until it is taken, so that two
            visitors of this dashboard cannot take the same.
    """

    store: Store
    launcher: Launcher
    curves: CurveCache
    evaluations: EvaluationCache
    settings: Settings
    placing: threading.Lock = field(default_factory=threading.Lock)
    _troubles: dict[str, str] = field(default_factory=dict)
    _reaped: float = float("-inf")
    _settled: float = float("-inf")

    def start(self, config: Config, owner: str, parent: str | None = None) -> Run:
        """Queue a run and wake a worker; one that cannot be woken now is tried again, and its trouble told.

        Args:
            config: Its hyperparameters.
            owner: The visitor who starts it.
            parent: The run whose newest weights it starts from, if any.

        Raises:
            RefusalError: The settings do not allow it, or it would not fit into the memory there is.
            StoreError: The store cannot be written, or the parent has no weights.
        """
        with self.placing:
            refusal = self.settings.refusal(config, self.store.active_runs(), owner)
            if refusal := refusal or shortage(config, loaded=self.store.workers.any()):
                raise RefusalError(refusal)
            run = self.store.create_run(config, owner=owner, parent=parent)
        self._try("reap", self.launcher.wake)  # to reap is to wake, too: that is where it is tried again
        return run

    def settle_memory(self) -> None:
        """Take what is loaded by now out of the garbage collector's sight, for some seconds.

        Streamlit collects garbage after every run of a script, and each of the live regions is one, once a
        second. Looking through all objects of all libraries and visitors takes some 100 ms each time, though
        hardly any is garbage. What visitors leave behind is found when everything is looked through again.
        """
        now = time.monotonic()
        if now - self._settled >= _SETTLE_INTERVAL:
            self._settled = now
            gc.unfreeze()
            gc.collect()
            gc.freeze()

    def reap(self) -> None:
        """Look for dead workers, unless that was done a moment ago for another viewer."""
        now = time.monotonic()
        if now - self._reaped >= REAP_INTERVAL:
            self._reaped = now
            # To watch is to start nothing; that a worker has died must be said all the same.
            self._try("reap", self.store.mark_interrupted if self.settings.read_only else self.launcher.reap)
            if "warm" in self._troubles:
                self.warm()
            self.settle_memory()

    def warm(self) -> None:
        """Have a worker ready for the next run, where there may be one."""
        if not self.settings.read_only:
            self._try("warm", self.launcher.warm)

    @property
    def trouble(self) -> str:
        """Why something cannot be written or started at present; empty where it can."""
        return next(iter(list(self._troubles.values())), "")

    def _try(self, name: str, act: Callable[[], object]) -> None:
        """Do what needs a disk to write to; where it cannot be done, the pages can say so until it can."""
        try:
            act()
        except StoreError as error:
            self._troubles[name] = str(error)
        else:
            self._troubles.pop(name, None)


_REPLACED: Final = (
    "The list of runs was removed or replaced by another one meanwhile; this is what is there now."
)

_opening = threading.Lock()
"""Held while services are looked up: two visitors at once must not open them twice."""


@functools.cache
def _services_of(home: Path) -> Services:
    # Streamlit imports it when it first needs it. Plotly looks whether it is there, and breaks where another
    # visitor's thread is just about to import it.
    importlib.import_module("pandas")
    store = Store(home)
    settings = Settings.from_environment()
    launcher = LocalLauncher(store, settings.workers)
    return Services(store, launcher, CurveCache(store), EvaluationCache(store), settings)


def services() -> Services:
    """Return the services of this process; where the store cannot be opened, say so and end the page."""
    try:
        with _opening:
            found = _services_of(default_home())
            if not found.store.is_current:
                _services_of.cache_clear()
                found = _services_of(default_home())
                found.store.notice = found.store.notice or _REPLACED
            return found
    except (StoreError, SettingsError) as error:
        st.error(str(error), icon=":material/folder_off:")
        st.stop()


@functools.lru_cache(maxsize=8)
def _reader_of(path: Path, _modified: int, _size: int) -> tuple[Reader, int]:
    weights, step = Weights.load(path)
    return Reader(weights), step


def newest_reader(store: Store, run_id: str) -> tuple[Reader, int] | None:
    """Return a reader with the newest weights of a run and their step, or `None` where there are none yet.

    Raises:
        WeightsError: The weights file is damaged.
    """
    path = store.weights_path(run_id)
    try:
        status = path.stat()
    except OSError:
        return None
    return _reader_of(path, status.st_mtime_ns, status.st_size)
