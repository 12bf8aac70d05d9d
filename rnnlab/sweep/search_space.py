"""What a sweep varies: for each hyperparameter a range, or a list of values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from rnnlab.config import HYPERPARAMETERS, STOP_RULES
from rnnlab.hyperparameter import ConfigError, Hyperparameter, Scale, Value

GRID_POINTS: Final = 5
"""How many values a grid takes from a range, if the range does not say."""

_MAX_POINTS: Final = 1000
"""Most values that a range may ask a grid to take from it."""

_MAX_VALUES: Final = 50
"""Most values in a list."""

_FIXED: Final = {
    "seed": "every trial begins with the seeds that --seeds asks for",
    "dataset": "all trials learn from the same digits",
    **dict.fromkeys(STOP_RULES, "trials that end sooner than others cannot be compared"),
}
"""Hyperparameters that no sweep varies, and why."""


@dataclass(frozen=True)
class Dimension:
    """One hyperparameter that varies.

    Attributes:
        name: Its name in `Config`.
        values: The values to choose from, in order; empty for a range.
        low: Smallest number of a range.
        high: Largest number of a range.
        scale: `log` if a range is searched by ratios.
        points: How many values a grid takes from a range.
    """

    name: str
    values: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0
    scale: Scale = "linear"
    points: int = GRID_POINTS

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a dimension such as `neurons=32,64,128`, `learning_rate=0.0003:0.03`, `clip_norm=0.1:10:log`.

        A range may also say how many values a grid takes from it: `learning_rate=0.0003:0.03:7`.

        Raises:
            ConfigError: The text is not of that form, or a value is out of bounds.
        """
        given, equals, rest = text.partition("=")
        name = given.strip().replace("-", "_")
        if not equals or name not in HYPERPARAMETERS:
            raise ConfigError(
                "A hyperparameter to vary is written as learning_rate=0.0003:0.03 or neurons=32,64,128, with "
                f"one of {', '.join(varying())}; not {text[:60]!r}."
            )
        if reason := _FIXED.get(name):
            raise ConfigError(f"{HYPERPARAMETERS[name].label} cannot be varied: {reason}.")
        hyperparameter = HYPERPARAMETERS[name]
        if ":" in rest and not hyperparameter.choices:
            return cls(name, **_range(hyperparameter, rest.split(":")))
        return cls(name, values=_list(hyperparameter, rest.split(",")))

    @property
    def is_whole(self) -> bool:
        """Whether its values are whole numbers."""
        return HYPERPARAMETERS[self.name].kind is int

    @property
    def step(self) -> int:
        """Difference of two neighbours in a range of whole numbers: that of its control, if it fits."""
        step = round(HYPERPARAMETERS[self.name].step or 1)
        return step if self.scale == "linear" and (self.high - self.low) % step == 0 else 1

    def grid(self) -> tuple[Value, ...]:
        """Return the values that a grid takes from it, without repetition."""
        if self.values:
            return self.values
        spaced = np.geomspace if self.scale == "log" else np.linspace
        numbers = [float(number) for number in spaced(self.low, self.high, self.points)]
        numbers[0], numbers[-1] = self.low, self.high
        if not self.is_whole:
            return tuple(dict.fromkeys(float(f"{number:.4g}") for number in numbers))
        step = self.step
        return tuple(dict.fromkeys(round((n - self.low) / step) * step + round(self.low) for n in numbers))

    def to_json(self) -> dict[str, Any]:
        """Return it as what JSON has."""
        if self.values:
            return {"name": self.name, "values": list(self.values)}
        return {
            "name": self.name,
            "low": self.low,
            "high": self.high,
            "scale": self.scale,
            "points": self.points,
        }

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> Self:
        """Read what `to_json` has returned.

        Raises:
            ConfigError: It has been changed to something that cannot be used.
        """
        if "values" in given:
            return cls.parse(f"{given['name']}={','.join(str(value) for value in given['values'])}")
        words = (given["low"], given["high"], given["scale"], given["points"])
        return cls.parse(f"{given['name']}={':'.join(str(word) for word in words)}")


def varying() -> list[str]:
    """Return the names of the hyperparameters that a sweep may vary."""
    return [name for name in HYPERPARAMETERS if name not in _FIXED]


def _list(hyperparameter: Hyperparameter, texts: Sequence[str]) -> tuple[Value, ...]:
    """Return the values of a list.

    Raises:
        ConfigError: They are too few, too many, out of bounds or the same.
    """
    values = tuple(hyperparameter.parse(text.strip()) for text in texts if text.strip())
    if not 2 <= len(values) <= _MAX_VALUES or len(set(values)) < len(values):
        raise ConfigError(
            f"{hyperparameter.label} to vary needs 2 to {_MAX_VALUES} different values, such as 32,64, or a "
            f"range of numbers, such as 0.1:0.5; not {','.join(texts)[:60]!r}."
        )
    return values


def _range(hyperparameter: Hyperparameter, texts: Sequence[str]) -> dict[str, Any]:
    """Return the fields of a range from its parts: two ends, then its scale, or points in a grid, or both.

    Raises:
        ConfigError: It is empty, out of bounds, or logarithmic through 0.
    """
    low, high = (hyperparameter.parse(text.strip()) for text in texts[:2])
    scale, points = hyperparameter.scale, GRID_POINTS
    for text in texts[2:]:
        if text.isdecimal() and 2 <= int(text[:9]) <= _MAX_POINTS:
            points = int(text)
        elif text in ("log", "linear"):
            scale = "log" if text == "log" else "linear"
        else:
            raise ConfigError(
                f"After its two ends, a range may say log or linear, and 2 to {_MAX_POINTS} values for a "
                f"grid; not {text[:40]!r}."
            )
    ends = (float(low), float(high))
    if not ends[0] < ends[1]:
        raise ConfigError(
            f"The range of {hyperparameter.label} is empty: write the smaller number first, "
            f"not {texts[0][:30]}:{texts[1][:30]}."
        )
    if scale == "log" and ends[0] <= 0:
        raise ConfigError(
            f"A logarithmic range of {hyperparameter.label} cannot begin at {texts[0]}; begin above 0."
        )
    return {"low": ends[0], "high": ends[1], "scale": scale, "points": points}


def size_of_grid(dimensions: Iterable[Dimension]) -> int:
    """Return how many trials a grid has."""
    size = 1
    for dimension in dimensions:
        size *= len(dimension.grid())
    return size
