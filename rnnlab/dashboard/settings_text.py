"""What a run was trained with, in words as short as they can be: its preset, and what differs from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from rnnlab.config import HYPERPARAMETERS, STOP_RULES, Config
from rnnlab.config_changes import Change
from rnnlab.hyperparameter import Value
from rnnlab.presets import nearest_preset
from rnnlab.runs import Run

_FEW: Final = 3
"""If at most so many hyperparameters differ among runs, each run is told by its values of all of them."""

ENGINE_NAMES: Final = {"keras": "Keras", "numpy": "numpy"}
"""The engines as people write them."""

_COUNTED: Final = ("neurons", "layers", "iterations", "minutes")
"""Hyperparameters whose number comes first, such as `64 neurons`."""


def value_text(value: Value) -> str:
    """Return the value of a hyperparameter for people, such as `20,000` or `0.01`."""
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:.10g}"


def describe_setting(name: str, value: Value) -> str:
    """Return a hyperparameter and its value in words, such as `learning rate 0.01` or `patience off`."""
    if name in STOP_RULES and not value:
        return f"{HYPERPARAMETERS[name].label} off"
    return (
        _phrase(name, value) if name in STOP_RULES else f"{HYPERPARAMETERS[name].label} {value_text(value)}"
    )


def what_differs(run: Run) -> str:
    """Return the preset of a run and all that differs from it, changes during the run included.

    The preset is the nearest one to what the run began with. An example: `default, learning rate 0.01 (0.001
    until step 4,021), 64 neurons`. It costs next to nothing, so it may be called with every update.
    """
    preset, differing = _differences(run.config, run.changes)
    return ", ".join([preset, *dict(differing).values()])


def what_tells_apart(runs: Iterable[Run]) -> dict[str, str]:
    """Return for each run, by its id, the settings in which it differs from the others.

    Three runs that differ in their learning rate are told by it alone: `learning rate 0.001` and so on. If
    runs differ in many things, each is told by its preset and what differs from that. Runs with the same
    settings have the same text; if all have, it is that of `what_differs`.
    """
    runs = list(runs)
    told = {run.id: _differences(run.config, run.changes) for run in runs}
    parts = {run_id: dict(differing) for run_id, (_, differing) in told.items()}
    presets = {preset for preset, _ in told.values()}
    names = [name for name in HYPERPARAMETERS if len({_told(run, parts[run.id], name) for run in runs}) > 1]
    if not names:
        return {run.id: what_differs(run) for run in runs}
    if len(names) <= _FEW:
        return {run.id: ", ".join(_told(run, parts[run.id], name) for name in names) for run in runs}
    shared = [name for name in HYPERPARAMETERS if name not in names] if len(presets) == 1 else []
    return {
        run_id: ", ".join([preset, *(text for name, text in parts[run_id].items() if name not in shared)])
        for run_id, (preset, _) in told.items()
    }


def _told(run: Run, differing: Mapping[str, str], name: str) -> str:
    """Return the value of one hyperparameter of a run in words, whether it differs from its preset or not."""
    return differing.get(name) or _phrase(name, getattr(run.config, name))


@lru_cache(maxsize=256)
def _differences(config: Config, changes: tuple[Change, ...]) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return the nearest preset, and by name in words what differs from it or was changed during the run."""
    preset, differing = nearest_preset(config)
    changed = {change.name for change in changes}
    return preset, tuple(
        (name, _phrase(name, getattr(config, name), [each for each in changes if each.name == name]))
        for name in HYPERPARAMETERS
        if name in differing or name in changed
    )


def _phrase(name: str, first: Value, changes: Iterable[Change] = ()) -> str:
    """Return a hyperparameter in words, with its newest value first; see `what_differs`.

    Args:
        name: The hyperparameter.
        first: Its value at the beginning of the run.
        changes: Those of this hyperparameter, in order.
    """
    values: list[tuple[int, Value]] = [(0, first)]  # each with the step from which it counts
    for change in changes:
        if values[-1][0] == change.step:
            values.pop()
        if not values or values[-1][1] != change.value:
            values.append((change.step, change.value))
    label, now = HYPERPARAMETERS[name].label, value_text(values[-1][1])
    if HYPERPARAMETERS[name].choices:
        text = f"{label.partition(' (')[0]}: {now}"
    else:
        text = f"{now} {label}" if name in _COUNTED else f"{label.partition(' (')[0]} {now}"
    if len(values) == 1:
        return text
    steps = (step for step, _ in values[1:])
    before = (
        f"{value_text(value)} until step {step:,}" for (_, value), step in zip(values, steps, strict=False)
    )
    return f"{text} ({', '.join(before)})"
