"""The rules that end a run before its last step: its goal is reached, its patience or its time is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rnnlab.config import Config
from rnnlab.runs import TestPoint


@dataclass(frozen=True)
class Stop:
    """A rule that has ended a run.

    Attributes:
        rule: One of `STOP_RULES`.
        reason: What it found, in a sentence for people.
    """

    rule: str
    reason: str


def due_stop(config: Config, tests: Sequence[TestPoint], step: int, seconds: float) -> Stop | None:
    """Return the rule that ends a run now, if any.

    Args:
        config: The hyperparameters in force.
        tests: The accuracies on the whole test set up to now, in order; empty if it was not read just now.
        step: Training steps completed.
        seconds: Time spent training.
    """
    ended = f"Ended early, at step {step:,}"
    if tests and 0 < config.stop_at <= tests[-1].accuracy:
        read, goal = percent(tests[-1].accuracy), f"{config.stop_at * 100:.10g} %"
        return Stop("stop_at", f"{ended}: it reads {read} of the test digits, and was to stop at {goal}.")
    if config.patience and (count := count_since_best(tests)) >= config.patience:
        best = tests[-1 - count]
        in_a_row = f"{count:,} tests in a row were" if count > 1 else "a test was"
        return Stop(
            "patience",
            f"{ended}: {in_a_row} no better than that of step {best.step:,}, {percent(best.accuracy)}, and "
            f"its patience was {config.patience:,}.",
        )
    if 0 < config.minutes * 60 <= seconds:
        limit = f"{config.minutes:.10g} minute{'s' if config.minutes != 1 else ''}"
        return Stop("minutes", f"{ended}: it has trained for {limit}, as long as it was to.")
    return None


def count_since_best(tests: Sequence[TestPoint]) -> int:
    """Return how many tests have come after the best one, the first of several that are equally good."""
    if not tests:
        return 0
    best = max(range(len(tests)), key=lambda at: tests[at].accuracy)
    return len(tests) - 1 - best


def percent(fraction: float) -> str:
    """Return a fraction as a percentage with two digits, such as `98.12 %`."""
    return f"{fraction * 100:.2f} %"
