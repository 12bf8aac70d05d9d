"""What a sweep is after, and how good a run is by that."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, Self

from rnnlab.data.datasets import TestSet, load_test
from rnnlab.digits import ROWS
from rnnlab.hyperparameter import ConfigError
from rnnlab.model.evaluation import evaluate
from rnnlab.model.reader import Reader
from rnnlab.model.weights import Weights
from rnnlab.runs import Run
from rnnlab.store.store import Store

_FORMS: Final = (
    "accuracy, seconds:97 (to 97 % of the validation digits) or row:14 (the accuracy after row 14)"
)


@dataclass(frozen=True)
class Target:
    """What is to be as good as possible, always on the validation part: the test set stays unseen.

    Attributes:
        kind: `accuracy` after the last step, `seconds` of training until an accuracy is reached, or the
            accuracy after a `row`.
        number: The accuracy in percent for `seconds`; the row, from 1 to 28, for `row`.
    """

    kind: Literal["accuracy", "seconds", "row"] = "accuracy"
    number: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a target such as `accuracy`, `seconds:97` or `row:14`.

        Raises:
            ConfigError: There is none such.
        """
        kind, _, rest = text.strip().partition(":")
        try:
            number = float(rest or 0)
        except ValueError:
            number = -1.0
        if kind == "accuracy" and not rest:
            return cls()
        if kind == "seconds" and 0 < number <= 100:
            return cls("seconds", number)
        if kind == "row" and number.is_integer() and 1 <= number <= ROWS:
            return cls("row", number)
        raise ConfigError(f"The target of a sweep must be {_FORMS}; not {text[:40]!r}.")

    def __str__(self) -> str:
        return self.kind if self.kind == "accuracy" else f"{self.kind}:{self.number:g}"

    @property
    def is_minimized(self) -> bool:
        """Whether less is better."""
        return self.kind == "seconds"

    @property
    def title(self) -> str:
        """What it is, for people."""
        if self.kind == "seconds":
            return f"seconds of training to {self.number:g} % of the validation digits"
        if self.kind == "row":
            return f"accuracy on the validation digits after row {self.number:.0f}"
        return "accuracy on the validation digits"

    def in_words(self, value: float | None) -> str:
        """Return a value for people."""
        if value is None:
            return "not reached" if self.kind == "seconds" else "-"
        return f"{value:.1f} s" if self.kind == "seconds" else f"{value:.2%}"

    def is_better(self, value: float, than: float) -> bool:
        """Return whether a value is better than another one."""
        return value < than if self.is_minimized else value > than

    def value_of(self, store: Store, run: Run) -> float | None:
        """Return how good a finished run is, or `None` if it has not reached the accuracy.

        Raises:
            DatasetError: The validation digits cannot be read any more.
            WeightsError: The weights of the run cannot.
        """
        if self.kind == "accuracy":
            return run.test_accuracy
        if self.kind == "seconds":
            return run.seconds if run.ended_by == "stop_at" else None
        test = _test_set(run.data_name)
        reader = Reader(Weights.load(store.files(run.id).weights)[0])
        return float(evaluate(reader, test.images, test.labels).accuracy_by_row[int(self.number) - 1])


@lru_cache(maxsize=1)
def _test_set(name: str) -> TestSet:
    """Return validation digits; they are kept, since a sweep needs the same ones again and again."""
    return load_test(name)
