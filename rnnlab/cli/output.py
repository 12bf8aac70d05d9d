"""How commands print: for people, or with `--json` one object per line."""

from __future__ import annotations

import json
from typing import Any

from rnnlab.config import Config


class CommandError(RuntimeError):
    """A command that could not do its work; its text is one sentence for people."""


def print_json(**values: Any) -> None:
    """Print one JSON object on a line of its own, without delay."""
    print(json.dumps(values), flush=True)


def describe(config: Config) -> str:
    """Return the most important hyperparameters in words."""
    return (
        f"learning rate {config.learning_rate:g}, batch size {config.batch_size:,}, "
        f"{config.neurons:,} neurons, {config.iterations:,} iterations, seed {config.seed}"
    )


def percent(fraction: float | None) -> str:
    """Return a fraction as a percentage, or a dash for `None`."""
    return "-" if fraction is None else f"{fraction:.2%}"
