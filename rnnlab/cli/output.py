"""How commands print: for people, or with `--json` one object per line."""

from __future__ import annotations

import json
import math
from typing import Any

from rnnlab.config import Config


class CommandError(RuntimeError):
    """A command that could not do its work; its text is one sentence for people."""


def print_json(**values: Any) -> None:
    """Print one JSON object on a line of its own, without delay; a number that JSON lacks becomes null."""
    print(json.dumps(_without_nan(values), allow_nan=False), flush=True)


def _without_nan(value: Any) -> Any:
    """Return a value with `None` for every number in it that is infinite or NaN."""
    if isinstance(value, dict):
        return {name: _without_nan(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def describe(config: Config) -> str:
    """Return the most important hyperparameters in words."""
    return (
        f"learning rate {config.learning_rate:g}, batch size {config.batch_size:,}, "
        f"{config.neurons:,} neurons, {config.iterations:,} iterations, seed {config.seed}"
    )


def percent(fraction: float | None) -> str:
    """Return a fraction as a percentage, or a dash for `None`."""
    return "-" if fraction is None else f"{fraction:.2%}"
