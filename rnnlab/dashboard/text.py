"""Words and numbers as the page shows them."""

from __future__ import annotations

import datetime
import re
from typing import Final, Literal

from rnnlab.runs import READINGS_OF_MEAN, RunState

Colour = Literal["gray", "violet", "blue", "green", "orange", "red"]

STATE_BADGES: Final[dict[RunState, tuple[str, str, Colour]]] = {
    RunState.QUEUED: ("waiting", ":material/hourglass_empty:", "gray"),
    RunState.PREPARING: ("preparing", ":material/settings:", "violet"),
    RunState.TRAINING: ("training", ":material/play_arrow:", "blue"),
    RunState.PAUSED: ("paused", ":material/pause:", "violet"),
    RunState.FINISHED: ("finished", ":material/check:", "green"),
    RunState.STOPPED: ("stopped", ":material/stop:", "gray"),
    RunState.DIVERGED: ("diverged", ":material/trending_up:", "orange"),
    RunState.FAILED: ("failed", ":material/error:", "red"),
    RunState.INTERRUPTED: ("interrupted", ":material/power_off:", "orange"),
}
"""How each state is shown: word, icon, colour."""

BATCH_ACCURACY_HELP: Final = (
    f"Share of the batch just trained on that was read correctly: the mean of the last {READINGS_OF_MEAN} "
    "readings, one every 20 steps."
)
"""What `Run.batch_accuracy` is: the help wherever it is shown, as `percent(run.batch_accuracy)`."""

WEIGHTS_ARE_GONE: Final = (
    "The weights of this run are not there, or were damaged; resume it or train another one."
)
"""Said about a run that has learned something, if its weights cannot be read."""


def percent(fraction: float | None, digits: int = 1) -> str:
    """Return a fraction as a percentage, such as `97.8 %`, or a dash for `None`."""
    return "-" if fraction is None else f"{fraction * 100:.{digits}f} %"


def duration(seconds: float) -> str:
    """Return a time in words, such as `3 min 12 s`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


_LOG_TIME = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:,\d{3})?([+-]\d{4})?(?= )", re.MULTILINE)
"""The time at the beginning of a line of a log; those of 0.1.0 have no time zone: it was this machine's."""


def log_in_time_zone(log: str, zone: datetime.tzinfo) -> str:
    """Return a log whose lines begin with times in another time zone, such as `2026-11-26 14:03:05`."""

    def shown(found: re.Match[str]) -> str:
        try:
            moment = datetime.datetime.fromisoformat(found[1] + (found[2] or ""))
            return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}"
        except (ValueError, OverflowError):  # not the time of anything
            return found[0]

    return _LOG_TIME.sub(shown, log)


def plain(text: str) -> str:
    """Return a text from outside, escaped so that Markdown shows it as it is."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>~$:^&])", r"\\\1", printable)
