"""Hyperparameters that are changed while a run is under way, and what they make of its configuration."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

from rnnlab.config import HYPERPARAMETERS, Config, ConfigError, Value

CHANGEABLE: Final = ("learning_rate", "batch_size", "iterations")
"""Hyperparameters that can be changed on the way: they shape the steps, not the network."""


@dataclass(frozen=True)
class Change:
    """A hyperparameter that has another value from some step on.

    Attributes:
        step: Training steps that were completed before; the next one is the first with the new value.
        name: One of `CHANGEABLE`.
        value: The new value.
    """

    step: int
    name: str
    value: Value


def checked(values: Mapping[str, object]) -> dict[str, Value]:
    """Return new values for a run under way in their own types.

    Raises:
        ConfigError: A value cannot be used, or its hyperparameter cannot be changed on the way.
    """
    for name in values:
        if name not in CHANGEABLE:
            known = HYPERPARAMETERS[name].label if name in HYPERPARAMETERS else repr(name[:40])
            raise ConfigError(f"{known} cannot be changed while a run is under way; start a new run.")
    return {name: HYPERPARAMETERS[name].parse(value) for name, value in values.items()}


def changed(config: Config, changes: Iterable[Change]) -> Config:
    """Return the configuration with all changes made, in their order."""
    for change in changes:
        config = replace(config, **{change.name: change.value})  # type: ignore[arg-type]
    return config


def merged(known: Iterable[Change], new: Sequence[Change]) -> tuple[Change, ...]:
    """Return changes in the order of their steps, new ones, made at one step, among them.

    A run that goes on from before a change makes it again, unless it has been told otherwise since.
    """
    told = {change.name: change.step for change in new}
    kept = [each for each in known if each.name not in told or each.step <= told[each.name]]
    return tuple(sorted([*kept, *new], key=lambda change: change.step))


def config_at(config: Config, changes: Iterable[Change], step: int) -> Config:
    """Return the configuration of the step after so many completed ones."""
    return changed(config, (change for change in changes if change.step <= step))


def stretches(config: Config, changes: Sequence[Change]) -> list[tuple[int, Config]]:
    """Return the stretches of a run with one configuration throughout, each with its first step."""
    found = [(0, config)]
    for change in changes:
        config = changed(config, [change])
        if found[-1][0] == change.step:
            found.pop()
        found.append((change.step, config))
    return found


def to_json(changes: Iterable[Change]) -> str:
    """Return changes as a JSON array."""
    return json.dumps([asdict(change) for change in changes])


def from_json(text: str) -> tuple[Change, ...]:
    """Read what `to_json` wrote."""
    return tuple(
        Change(int(entry["step"]), entry["name"], HYPERPARAMETERS[entry["name"]].parse(entry["value"]))
        for entry in json.loads(text)
    )
