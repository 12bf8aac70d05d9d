"""How fast drawings and test images are read: `python -m tests.benchmarks.reading`.

Prints the server's time from canvas pixels to the belief after every row, and the time that the commands
`evaluate` (10,000 images) and `read` (3,500 PNG files) take from start to end, for a network of 128 neurons.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from rnnlab.config import Config
from rnnlab.data.image_files import load_drawing
from rnnlab.data.preprocessing import prepare
from rnnlab.model.reader import Reader
from rnnlab.runs import RunState
from rnnlab.store.store import Store
from tests.pens import STROKES, draw_digit
from tests.weights import random_weights

NEURONS: Final = 128
PICTURES: Final = 3_500


def png(index: int) -> bytes:
    """Return a canvas with a digit as the page sends it; no two are alike."""
    digit = sorted(STROKES)[index % len(STROKES)]
    pen, scale = 12 + index % 13, 0.5 + 0.4 * ((index * 7) % 100) / 100
    file = io.BytesIO()
    Image.fromarray(draw_digit(digit, pen=pen, scale=scale)).save(file, "PNG")
    return file.getvalue()


def from_canvas_to_belief() -> None:
    """Measure the time from canvas pixels to the belief."""
    reader, pictures = Reader(random_weights(NEURONS, scale=0.1)), [png(index) for index in range(200)]
    times: list[list[float]] = []
    for picture in pictures:
        marks = [time.perf_counter()]
        pixels = load_drawing(picture)
        marks.append(time.perf_counter())
        prepared = prepare(pixels)
        marks.append(time.perf_counter())
        assert prepared is not None
        reader.read(prepared.picture[None])
        marks.append(time.perf_counter())
        times.append((1000 * np.diff(marks)).tolist())
    decoding, preparing, reading = np.median(times, axis=0)
    whole = np.sum(times, axis=1)
    print(f"canvas to belief: median {np.median(whole):.2f} ms, 95 % under {np.percentile(whole, 95):.2f} ms")
    print(f"  PNG {decoding:.2f} ms, crop and centre {preparing:.2f} ms, read {reading:.2f} ms")


def seconds_of(home: Path, *arguments: str) -> float:
    """Return how long a command takes from start to end."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "rnnlab", *arguments, "--json", "--home", str(home)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - began


def in_bulk() -> None:
    """Measure the two commands on a run that exists."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        with Store(home) as store:
            run = store.create_run(Config(neurons=NEURONS, dataset="mnist"), claimed=True)
            store.files(run.id).make_folder()
            random_weights(NEURONS, scale=0.1).save(store.files(run.id).weights, 20)
            store.reports.end_run(run.id, RunState.FINISHED, step=20, seconds=1.0)
        print(f"evaluate, the whole test set: {seconds_of(home, 'evaluate', run.id):.2f} s from start to end")
        files = []
        for index in range(PICTURES):
            files.append(Path(folder) / f"{index}.png")
            files[-1].write_bytes(png(index))
        took = seconds_of(home, "read", run.id, *map(str, files))
        print(f"read, {PICTURES:,} PNG files: {took:.1f} s from start to end")


if __name__ == "__main__":
    from_canvas_to_belief()
    in_bulk()
