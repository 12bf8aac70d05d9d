"""What is known about one hyperparameter: bounds, unit, help, and how a value from outside is read."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Value = int | float | str
Scale = Literal["linear", "log"]


class ConfigError(ValueError):
    """A hyperparameter that cannot be used; its text is one sentence meant for people."""


def parse_json(text: str) -> Any:
    """Return what a text in JSON's form says, or `None` if it is in no such form."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # also a number of thousands of digits, or brackets within brackets
        return None


@dataclass(frozen=True)
class Hyperparameter:
    """All that is known about one hyperparameter.

    Attributes:
        name: Name of the field of `Config`, such as `learning_rate`.
        kind: Type of its values: `int`, `float` or `str` (one of `choices`).
        default: Value of the preset `default`.
        label: Its name for people.
        help: One or two sentences for people.
        unit: Unit of its values; may be empty.
        minimum: Smallest allowed number, inclusive; `None` for choices.
        maximum: Largest allowed number, inclusive; `None` for choices.
        step: Step of a control that counts up and down.
        scale: `log` if ratios matter more than differences.
        choices: The allowed words and what each means; empty for numbers.
        group: Heading of the section in which the page folds it away; empty if it is always in view.
        typed: Whether a fraction is typed on the page: a slider would be too coarse.
    """

    name: str
    kind: type[int] | type[float] | type[str]
    default: Value
    label: str
    help: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    scale: Scale = "linear"
    choices: Mapping[str, str] = field(default_factory=dict)
    group: str = ""
    typed: bool = False

    @property
    def advanced(self) -> bool:
        """Whether the page folds it away at first."""
        return bool(self.group)

    @property
    def option(self) -> str:
        """Its name on the command line, such as `--learning-rate`."""
        return "--" + self.name.replace("_", "-")

    @property
    def bounds(self) -> str:
        """What is allowed, in words, such as `a whole number from 8 to 1,024`."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.kind is int:
            return f"a whole number from {self.minimum:,.0f} to {self.maximum:,.0f}"
        return f"a number from {self.minimum:g} to {self.maximum:g}"

    def parse(self, value: object, called: str | None = None) -> Value:
        """Turn a value from outside (a text, a number) into a valid one.

        Args:
            value: What a control, an option, a URL or a JSON file holds.
            called: Its name in the error sentence; its label by default.

        Raises:
            ConfigError: The value is not of the right kind or out of bounds.
        """
        parsed = self._convert(value)
        if parsed is None:
            shown = str(value)
            shown = shown if len(shown) <= 40 else shown[:40] + "…"
            raise ConfigError(f"{called or self.label} must be {self.bounds}, not {shown!r}.")
        return parsed

    def _convert(self, value: object) -> Value | None:
        """Return the value in its own type, or `None` if that is not possible."""
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            return None
        if self.choices:
            return value if isinstance(value, str) and value in self.choices else None
        try:
            number = float(value)
        except (ValueError, OverflowError):
            return None
        if not math.isfinite(number) or (self.kind is int and not number.is_integer()):
            return None
        if self.minimum is None or self.maximum is None or not self.minimum <= number <= self.maximum:
            return None
        return int(number) if self.kind is int else number
