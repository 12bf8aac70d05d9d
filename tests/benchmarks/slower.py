"""Makes processes slower: `python -m tests.benchmarks.slower SHARE PID …`, for a share of the time to run.

They are stopped and continued 50 times a second, together, until this process ends, so a fast machine can
stand for a slow one. Where numpy has kernels for AVX-512, `OPENBLAS_CORETYPE=Haswell` gives it those of AVX2.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

_PERIOD: Final = 0.02
"""Seconds from one stop to the next."""


def _send(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _slow_down(pids: list[int], share: float) -> None:
    parent = os.getppid()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        while os.getppid() == parent:
            _send(pids, signal.SIGSTOP)
            time.sleep(_PERIOD * (1 - share))
            _send(pids, signal.SIGCONT)
            time.sleep(_PERIOD * share)
    finally:
        _send(pids, signal.SIGCONT)


@contextmanager
def slower(pids: Iterable[int], share: float) -> Iterator[None]:
    """Let processes run for a share of the time only, while the block lasts.

    Args:
        pids: The processes.
        share: From 0 to 1; 1 changes nothing.
    """
    if share >= 1:
        yield
        return
    command = [sys.executable, "-m", "tests.benchmarks.slower", str(share), *map(str, pids)]
    with subprocess.Popen(command) as process:
        try:
            yield
        finally:
            process.terminate()


if __name__ == "__main__":
    _slow_down([int(pid) for pid in sys.argv[2:]], float(sys.argv[1]))
