"""Saves a network as a standard `.keras` file, which older versions of Keras can load, too."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

from rnnlab.model.weights import Weights
from rnnlab.system.atomic_files import atomic_write
from rnnlab.training.keras_backend import build_reading_model

_CONFIG: Final = "config.json"

_NEWER_OPTIONS: Final = {"quantization_config", "ragged", "input_axes", "output_axes"}
"""Options of layers and initializers that Keras 3.8 does not know and refuses, though they are not used."""


def export(weights: Weights, path: Path, *, every_row: bool = False) -> None:
    """Save a network as a standard `.keras` file that loads without RNN Lab, in Keras 3.8 and newer.

    What the model takes and returns: `build_reading_model`. The path must end in `.keras`; the file is
    written under another name, then renamed.

    Raises:
        OSError: The file cannot be written.
    """
    model = build_reading_model(weights, every_row=every_row)
    aside = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        model.save(aside)
        with ZipFile(aside) as saved, atomic_write(path) as file, ZipFile(file, "w") as exported:
            for entry in saved.infolist():
                content = saved.read(entry)
                if entry.filename == _CONFIG:
                    content = json.dumps(_without_newer_options(json.loads(content))).encode("utf-8")
                exported.writestr(entry, content)
    finally:
        aside.unlink(missing_ok=True)


def _without_newer_options(config: Any) -> Any:
    """Return a configuration in JSON's form without options that older versions refuse and nobody has set."""
    if isinstance(config, list):
        return [_without_newer_options(each) for each in config]
    if isinstance(config, dict):
        return {
            name: _without_newer_options(value)
            for name, value in config.items()
            if not (name in _NEWER_OPTIONS and value in (None, False))
        }
    return config
