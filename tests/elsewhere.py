"""Processes of other machines and containers, as tests see them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from rnnlab.system import process_identity


class Clock:
    """A clock that moves only on request."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@contextmanager
def another_machine() -> Iterator[None]:
    """Let this process be one of another machine in the block."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process_identity, "this_machine", lambda: "another-boot/pid:[1]")
        process_identity._identity_text.cache_clear()
        yield
    process_identity._identity_text.cache_clear()


def in_a_container(*command: str) -> list[str]:
    """Return the command that runs another one among process numbers of its own; skip if that is forbidden.

    No process in it can be seen from here by the number that it has there, nor the other way round.
    """
    unshare = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    try:
        subprocess.run([*unshare, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"this machine gives no process numbers of their own: {error}")
    return [*unshare, *command]
