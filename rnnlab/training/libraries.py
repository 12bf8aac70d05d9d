"""Imports Keras and TensorFlow, quietly and without what they would load and nobody here uses."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["keras", "tf"]

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # hides TensorFlow's notes on its build
os.environ.setdefault("KERAS_BACKEND", "tensorflow")


@contextmanager
def _hide_modules(*libraries: str) -> Iterator[None]:
    """Hide libraries that are not imported yet from imports in the block."""
    hidden = [library for library in libraries if library not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None means that there is no such module
    try:
        yield
    finally:
        for library in hidden:
            del sys.modules[library]


# Keras imports both if it finds them, for adapters that are not used here: 120 MB and a second per start.
with _hide_modules("pandas", "sklearn"):
    import keras
    import tensorflow as tf
