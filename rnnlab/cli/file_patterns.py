"""Patterns such as `*.png` among the names of files: the shells of Windows leave them to the program."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator


def is_pattern(name: str) -> bool:
    """Return whether a name stands for files that match it: it has `*`, `?` or `[`, and no file has it."""
    return glob.has_magic(name) and not os.path.lexists(name)


def expand_patterns(names: Iterable[str]) -> Iterator[str]:
    """Yield names of files, with the matching ones, in order, in place of each pattern.

    A pattern that matches no file stays as it is.
    """
    for name in names:
        matching = (
            sorted(filter(os.path.isfile, glob.iglob(name, recursive=True))) if is_pattern(name) else []
        )
        yield from matching or [name]
