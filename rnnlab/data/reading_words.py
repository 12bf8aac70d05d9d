"""What is said about how far an image has been read: the same on the page and on the command line.

Reading down, the number of a row is also how many rows have been read, and it names both. In any other order
the two differ, so what has been read is counted: "after 12 of 28 columns".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rnnlab.data.reading_order import reads_columns
from rnnlab.digits import ROWS

_EMPTY_AT_FIRST: Final = {
    "down": "the empty rows at their top",
    "up": "the empty rows at their bottom",
    "right": "the empty columns at their left",
    "left": "the empty columns at their right",
    "shuffled": "empty rows",
}


@dataclass(frozen=True)
class ReadingWords:
    """The words for a reading order.

    Attributes:
        reading_order: One of the choices of the hyperparameter.
    """

    reading_order: str = "down"

    @property
    def part(self) -> str:
        """What is read at each step: `row` or `column`."""
        return "column" if reads_columns(self.reading_order) else "row"

    @property
    def parts(self) -> str:
        """The same for several steps."""
        return f"{self.part}s"

    @property
    def head(self) -> str:
        """The head of a column of a table that says how much has been read."""
        return "row" if self._is_down else self.parts

    @property
    def so_far(self) -> str:
        """The name of the control that says how much has been read."""
        return "Row read so far" if self._is_down else f"{self.parts.capitalize()} read so far"

    @property
    def by(self) -> str:
        """What leads from something to how much had to be read for it, as `count` has it: `by` or `after`."""
        return "by" if self._is_down else "after"

    @property
    def empty_at_first(self) -> str:
        """What of several images is read before their first ink."""
        return _EMPTY_AT_FIRST[self.reading_order]

    @property
    def last_only(self) -> str:
        """The beginning of a sentence about a network that was graded on its last step only."""
        rest = f"row {ROWS}" if self._is_down else f"all {ROWS} {self.parts} are read"
        return (
            f"This network was trained on its last {self.part} only: what it believes before {rest} "
            "means little"
        )

    def count(self, step: int) -> str:
        """Return how much has been read after a step, 1 to 28: `row 12` or `12 columns`."""
        return f"row {step}" if self._is_down else f"{step} {self.part if step == 1 else self.parts}"

    def progress(self, step: int | str) -> str:
        """Return how much of all has been read after a step: `row 12 of 28` or `12 of 28 columns`.

        Args:
            step: The step, 1 to 28, or what stands in its place.
        """
        return f"row {step} of {ROWS}" if self._is_down else f"{step} of {ROWS} {self.parts}"

    def at(self, step: int | str) -> str:
        """Return when something is: `at row 12` or `after 12 of 28 columns`; `step` as for `progress`."""
        return f"at row {step}" if self._is_down else f"after {self.progress(step)}"

    def decision(self, decided_at: int, first_ink: int) -> str:
        """Return when an image was decided.

        Args:
            decided_at: The step, 1 to 28, from which the favourite never changes again.
            first_ink: The first step at which there is ink.
        """
        if decided_at < first_ink:
            where = f"row {first_ink}" if self._is_down else f"{_ordinal(first_ink)} {self.part} read"
            return f"decided before the first ink ({where})"
        return (
            f"decided at {self.progress(decided_at)}" if self._is_down else f"decided {self.at(decided_at)}"
        )

    @property
    def _is_down(self) -> bool:
        """Whether the number of a row is also how many rows have been read."""
        return self.reading_order == "down"


def _ordinal(number: int) -> str:
    """Return which one it is, for numbers up to 28: `1st`, `2nd`, `3rd`, `4th`."""
    ending = "th" if 10 < number < 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
