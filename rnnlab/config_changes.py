"""Hyperparameters that are changed during a run, and the configuration that results."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

from rnnlab.config import HYPERPARAMETERS, STOP_RULES, Config
from rnnlab.hyperparameter import ConfigError, Value, parse_json

_DAMAGED: Final = "The list of the run's changes is damaged; start a new run."

CHANGEABLE: Final = ("learning_rate", "batch_size", "iterations", *STOP_RULES)
"""Hyperparameters that can be changed during a run: they shape or end the steps, not the network."""


@dataclass(frozen=True)
class Change:
    """A new value of a hyperparameter from some step on.

    Attributes:
        step: Training steps completed before the change; the next one is the first with the new value.
        name: One of `CHANGEABLE`.
        value: The new value.
    """

    step: int
    name: str
    value: Value


def validate(values: Mapping[str, object]) -> dict[str, Value]:
    """Return new values for a run in their own types.

    Raises:
        ConfigError: A value cannot be used, or its hyperparameter cannot be changed during a run.
    """
    for name in values:
        if name not in CHANGEABLE:
            known = HYPERPARAMETERS[name].label if name in HYPERPARAMETERS else repr(name[:40])
            raise ConfigError(f"{known} cannot be changed while a run is under way; start a new run.")
    return {name: HYPERPARAMETERS[name].parse(value) for name, value in values.items()}


def with_changes(config: Config, changes: Iterable[Change]) -> Config:
    """Return the configuration with all changes made, in their order."""
    for change in changes:
        config = replace(config, **{change.name: change.value})  # type: ignore[arg-type]
    return config


def merge_changes(known: Iterable[Change], new: Sequence[Change]) -> tuple[Change, ...]:
    """Return known and new changes in the order of their steps; all new ones are made at the same step.

    A run that resumes from a step before a known change makes that change again, unless a new change of the
    same hyperparameter replaces it.
    """
    replaced = {change.name: change.step for change in new}
    remaining = [each for each in known if each.name not in replaced or each.step <= replaced[each.name]]
    return tuple(sorted([*remaining, *new], key=lambda change: change.step))


def config_at(config: Config, changes: Iterable[Change], step: int) -> Config:
    """Return the configuration in force once `step` steps are completed."""
    return with_changes(config, (change for change in changes if change.step <= step))


def constant_segments(config: Config, changes: Sequence[Change]) -> list[tuple[int, Config]]:
    """Return the parts of a run during which its configuration stays the same, each with its first step."""
    found = [(0, config)]
    for change in changes:
        config = with_changes(config, [change])
        if found[-1][0] == change.step:
            found.pop()
        found.append((change.step, config))
    return found


def to_json(changes: Iterable[Change]) -> str:
    """Return changes as a JSON array."""
    return json.dumps([asdict(change) for change in changes])


def from_json(text: str) -> tuple[Change, ...]:
    """Read what `to_json` wrote.

    Raises:
        ConfigError: It is something else.
    """
    found = parse_json(text)
    if not isinstance(found, list):
        raise ConfigError(_DAMAGED)
    return tuple(_parse_change(entry) for entry in found)


def _parse_change(entry: object) -> Change:
    """Return one change; see `from_json`."""
    match entry:
        case {"step": int(step), "name": str(name), "value": value} if name in CHANGEABLE and step >= 0:
            return Change(step, name, HYPERPARAMETERS[name].parse(value))
    raise ConfigError(_DAMAGED)
