"""Damages files of every kind that is read, many times, and reads them: `python -m tests.fuzz weights png`.

Each must be read, or be refused with the project's own error and one sentence, within a limit of memory.
Which damage is done follows from kind, seed and number alone, so that what is found can be found again.
"""

from __future__ import annotations

import argparse
import faulthandler
import io
import os
import random
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rnnlab import config_changes
from rnnlab.config import Config
from rnnlab.config_changes import Change
from rnnlab.data import mnist_files
from rnnlab.data.errors import DatasetError
from rnnlab.data.image_files import load_picture, read_file
from rnnlab.data.labelled_drawings import LabelledDrawingError, LabelledDrawings
from rnnlab.data.preprocessing import DrawingError
from rnnlab.digits import SIDE
from rnnlab.hyperparameter import ConfigError
from rnnlab.model.architecture import Architecture
from rnnlab.model.reader import Reader
from rnnlab.model.weights import Weights, WeightsError
from rnnlab.store.database import StoreError
from rnnlab.store.run_records import read_records
from rnnlab.store.store import Store
from rnnlab.sweep.search_space import Dimension
from rnnlab.sweep.specification import Specification, specify
from rnnlab.sweep.study import Study
from rnnlab.sweep.sweep_files import Progress, SweepFiles, create_sweep
from rnnlab.sweep.trials import SweepState, Trial, TrialState
from rnnlab.system.processes import stderr_to
from rnnlab.training.checkpoint import Checkpoint, CheckpointError, restored_array
from rnnlab.training.optimizer import Adam
from rnnlab.training.parameters import Parameters
from tests.mnist import few_digits, write_archive, write_idx_files
from tests.mutations import Mutate, mutated, mutated_gzip, mutated_png, mutated_zip
from tests.weights import random_weights

MEMORY = 800_000_000
"""Bytes that reading may take beside what the process has: a picture of 64 megapixels fits, no bomb does."""

NEURONS = 8
PICTURE = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE), np.uint8)


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        make: Writes whole files into a folder and returns their paths; one of them is damaged at a time.
        read: Reads the file, or what it belongs to.
        error: What reading it may raise.
        within: Damages what is packed in it, if anything is.
        one_in: It is read only once for so many times that others are, as it takes that much longer.
    """

    make: Callable[[Path], list[Path]]
    read: Callable[[Path], object]
    error: type[Exception]
    within: Mutate | None = None
    one_in: int = 1


def _pictures(form: str, *variants: tuple[str, dict[str, Any]]) -> Callable[[Path], list[Path]]:
    """Return what makes small pictures of a format, one per mode and options of saving."""

    def make(folder: Path) -> list[Path]:
        grey = Image.fromarray(np.random.default_rng(1).integers(0, 256, (24, 20), np.uint8))
        paths = []
        for number, (mode, options) in enumerate(variants):
            paths.append(folder / f"{number}.{form.lower()}")
            grey.convert("L" if mode.startswith("I;") else mode).convert(mode).save(
                paths[-1], form, **options
            )
        return paths

    return make


def _turned() -> bytes:
    """Return metadata that say that a picture lies on its side."""
    metadata = Image.Exif()
    metadata[0x0112] = 6
    return metadata.tobytes()


def _read_picture(path: Path) -> None:
    picture = load_picture(read_file(path))
    assert picture.ndim == 3
    assert picture.dtype == np.float32
    assert np.isfinite(picture).all()
    assert max(picture.shape) <= 800


def _make_drawing(folder: Path) -> list[Path]:
    path = folder / "hand" / f"7-{1:016x}-{2:08x}.png"
    path.parent.mkdir()
    pixels = np.zeros((60, 60, 4), np.uint8)
    pixels[10:50, 25:35] = 255
    Image.fromarray(pixels).save(path)
    return [path]


def _read_drawing(path: Path) -> None:
    """Read it as one of the set, which never fails, and take it into a set."""
    for drawing in LabelledDrawings(path.parent).drawings():
        assert drawing.picture.shape == (SIDE, SIDE)
    new = LabelledDrawings(path.parent.with_name("new"))
    new.remove(new.add(path.read_bytes(), 7).id)


def _make_weights(folder: Path) -> list[Path]:
    random_weights(NEURONS).save(folder / "weights.npz", 20)
    return [folder / "weights.npz"]


def _read_weights(path: Path) -> None:
    beliefs = Reader(Weights.load(path)[0]).read(PICTURE).beliefs
    assert np.isfinite(beliefs).all()


def _make_checkpoint(folder: Path) -> list[Path]:
    vector = Parameters(Architecture(neurons=NEURONS)).vector
    state = {"parameters": vector, **Adam(vector).state(), "average": vector, "average_steps": np.array(20)}
    Checkpoint(20, 1.5, state).save(folder / "checkpoint.npz")
    return [folder / "checkpoint.npz"]


def _read_checkpoint(path: Path) -> None:
    checkpoint, parameters = (
        Checkpoint.load(path, Architecture(neurons=NEURONS)),
        Parameters(Architecture(neurons=NEURONS)),
    )
    parameters.vector[:] = restored_array(checkpoint.network, "parameters", parameters.vector)
    optimizer = Adam(parameters.vector)
    optimizer.restore(checkpoint.network)
    with np.errstate(all="ignore"):
        optimizer.step(np.ones_like(parameters.vector), 0.001)


def _make_idx(folder: Path) -> list[Path]:
    return sorted(write_idx_files(folder / "mnist", few_digits(train=12, test=10), packed=False).iterdir())


def _make_packed_idx(folder: Path) -> list[Path]:
    return sorted(write_idx_files(folder / "mnist", few_digits(train=12, test=10)).iterdir())


def _make_archive(folder: Path) -> list[Path]:
    return [write_archive(folder / "mnist.npz", few_digits(train=12, test=10))]


def _make_config(folder: Path) -> list[Path]:
    (folder / "config.json").write_text(Config().to_json())
    return [folder / "config.json"]


def _make_changes(folder: Path) -> list[Path]:
    changes = Change(20, "learning_rate", 0.01), Change(40, "batch_size", 64), Change(60, "iterations", 100)
    (folder / "changes.json").write_text(config_changes.to_json(changes))
    return [folder / "changes.json"]


def _make_record(folder: Path) -> list[Path]:
    with Store(folder / "home") as store:
        return [store.files(store.create_run(Config()).id).record]


def _read_record(path: Path) -> None:
    if not list(read_records(path.parents[1])):
        raise StoreError("There is no sound record of this run.")


def _sweep() -> Specification:
    vary = ("neurons=8,16", "learning_rate=0.001:0.1")
    return specify(Config(dataset="digits"), [Dimension.parse(text) for text in vary], trials=3)


def _make_sweep(folder: Path) -> list[Path]:
    return [create_sweep(folder, _sweep()).specification]


def _make_progress(folder: Path) -> list[Path]:
    files = create_sweep(folder, _sweep())
    trials = [
        Trial(n, {"neurons": 8}, TrialState.FINISHED, ("calm-otter-0001",), (0.9,), 0.9) for n in (0, 1)
    ]
    files.write_progress(Progress(SweepState.FINISHED, tuple(trials)))
    return [files.folder / "progress.json"]


def _make_study(folder: Path) -> list[Path]:
    files = create_sweep(folder, _sweep())
    study = Study(files.study, files.name, _sweep())
    for value in (0.5, 0.9):
        trial = study.ask()
        study.report(trial.number, {1: value})
        study.tell(replace(trial, state=TrialState.FINISHED, value=value, values=(value,)))
    study.ask()
    return [files.study]


def _read_study(path: Path) -> None:
    study = Study(path, path.parent.name, _sweep())
    trials = study.trials()
    begun = study.ask()
    study.report(begun.number, {1: 0.5})
    study.tell(replace(begun, state=TrialState.FAILED))
    assert len(study.trials()) > len(trials)


def _files_of(path: Path) -> SweepFiles:
    return SweepFiles(path.parents[2], path.parent.name)


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace")


KINDS: dict[str, Kind] = {
    "png": Kind(
        _pictures(
            "PNG",
            ("RGBA", {}),
            ("P", {"transparency": 3}),
            ("I;16", {}),
            ("1", {}),
            ("L", {"exif": _turned()}),
        ),
        _read_picture,
        DrawingError,
        mutated_png,
    ),
    "jpeg": Kind(
        _pictures("JPEG", ("RGB", {"exif": _turned()}), ("L", {"progressive": True}), ("CMYK", {})),
        _read_picture,
        DrawingError,
    ),
    "gif": Kind(
        _pictures("GIF", ("P", {}), ("L", {"interlace": 1}), ("P", {"transparency": 3})),
        _read_picture,
        DrawingError,
    ),
    "bmp": Kind(
        _pictures("BMP", ("RGB", {}), ("P", {}), ("1", {}), ("RGBA", {})), _read_picture, DrawingError
    ),
    "tiff": Kind(
        _pictures(
            "TIFF",
            ("RGB", {}),
            ("L", {"compression": "tiff_lzw"}),
            ("1", {"compression": "group4"}),
            ("RGB", {"compression": "jpeg"}),
            ("F", {"compression": "tiff_adobe_deflate"}),
            ("P", {"compression": "packbits"}),
            ("RGBA", {"exif": _turned(), "big_tiff": True}),
        ),
        _read_picture,
        DrawingError,
    ),
    "webp": Kind(
        _pictures("WEBP", ("RGB", {}), ("RGBA", {"lossless": True}), ("RGBA", {"exif": _turned()})),
        _read_picture,
        DrawingError,
    ),
    "drawing": Kind(_make_drawing, _read_drawing, LabelledDrawingError, mutated_png),
    "weights": Kind(_make_weights, _read_weights, WeightsError, mutated_zip),
    "checkpoint": Kind(_make_checkpoint, _read_checkpoint, CheckpointError, mutated_zip),
    "idx": Kind(_make_idx, lambda path: mnist_files.read(path.parent), DatasetError),
    "idx.gz": Kind(_make_packed_idx, lambda path: mnist_files.read(path.parent), DatasetError, mutated_gzip),
    "mnist.npz": Kind(_make_archive, mnist_files.read, DatasetError, mutated_zip),
    "config": Kind(_make_config, lambda path: Config.from_json(_text(path)), ConfigError),
    "changes": Kind(_make_changes, lambda path: config_changes.from_json(_text(path)), ConfigError),
    "record": Kind(_make_record, _read_record, StoreError),
    "sweep": Kind(_make_sweep, lambda path: _files_of(path).read_specification(), StoreError),
    "progress": Kind(_make_progress, lambda path: _files_of(path).progress(), StoreError),
    "study": Kind(_make_study, _read_study, StoreError, one_in=300),
}


@dataclass(frozen=True)
class Tally:
    """How often a kind of file was read, and refused, in how many seconds."""

    read: int
    refused: int
    seconds: float


def is_one_sentence(text: str) -> bool:
    """Return whether an error is one that may be shown to people."""
    return text.isprintable() and 10 < len(text) < 600 and text.endswith(".") and "Traceback" not in text


def fuzz(kind: Kind, name: str, count: int, seed: int) -> Tally:
    """Damage and read files of a kind.

    Raises:
        AssertionError: Reading one ended in another way than it may; its text tells which one, and how.
    """
    read, began = 0, time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        paths = kind.make(Path(folder))
        wholes = [path.read_bytes() for path in paths]
        for path in paths:
            kind.read(path)
        for number in range(count):
            chance = random.Random(f"{name} {seed} {number}")  # noqa: S311
            which = number % len(paths)
            path, whole = paths[which], wholes[which]
            within = kind.within is not None and chance.random() < 0.5
            _replace(path, (kind.within if within and kind.within else mutated)(chance, whole))
            try:
                kind.read(path)
                read += 1
            except kind.error as error:
                if not is_one_sentence(str(error)):
                    raise AssertionError(f"{name}, seed {seed}, number {number}: {str(error)!r}") from error
            except BaseException as error:
                raise AssertionError(f"{name}, seed {seed}, number {number}: {error!r}") from error
            for aside in path.parent.glob(f"{path.name}.damaged*"):
                aside.unlink()
            if len(paths) > 1:
                _replace(path, whole)
    return Tally(read, count - read, time.monotonic() - began)


def _replace(path: Path, content: bytes) -> None:
    """Write a file anew: some file systems wait for the disk if a file is shortened and written again."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def limit_memory(more: int) -> bool:
    """Limit the memory of this process to so many bytes more than it has; return whether that is possible."""
    if sys.platform != "linux":
        return False
    import resource

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
    return True


def main() -> int:
    """Run the command; return 1 if anything ended in another way than it may."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"all, or some of: {', '.join(KINDS)}")
    parser.add_argument(
        "--count", type=int, default=3_000, help="files of each kind (default 3,000), fewer of slow ones"
    )
    parser.add_argument("--seed", type=int, default=0, help="another number, other damage (default 0)")
    arguments = parser.parse_args()
    if unknown := set(arguments.kinds) - set(KINDS):
        parser.error(f"there is no kind {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")
    faulthandler.enable(os.dup(2))
    warnings.simplefilter("ignore", UserWarning)  # of zipfile, about names that are there twice
    names = arguments.kinds or list(KINDS)
    with stderr_to(Path(os.devnull)):  # libtiff talks
        for name in names:  # whatever is loaded late is loaded before memory is limited
            fuzz(KINDS[name], name, 3, seed=-1)
        limit_memory(MEMORY)
        return max([_tell(name, arguments.count, arguments.seed) for name in names])


def _tell(name: str, count: int, seed: int) -> int:
    """Damage and read files of a kind, print how it went, and return whether it failed: 0 or 1."""
    print(f"{name}:", end=" ", flush=True)
    try:
        tally = fuzz(KINDS[name], name, -(-count // KINDS[name].one_in), seed)
    except AssertionError as error:
        text = io.StringIO()
        traceback.print_exception(error.__cause__, file=text)
        print(f"{error}\n{text.getvalue()}", flush=True)
        return 1
    print(f"{tally.read} read, {tally.refused} refused, {tally.seconds:.1f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
