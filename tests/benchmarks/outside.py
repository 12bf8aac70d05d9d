"""How well pictures from outside are read: `python -m tests.benchmarks.outside RUN [--count 1000]`.

Pen drawings (`tests/benchmarks/hands.py`) as the files that people have (`tests/papers.py`): each kind is
compared with the plain canvas picture of the same digits.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

import numpy as np

from rnnlab.data.outside_pictures import SeveralDigitsError, prepare_file
from rnnlab.model.reader import Reader
from rnnlab.model.weights import Weights
from rnnlab.store.store import Store, default_home
from tests.benchmarks.hands import pen_digits, random_style, render
from tests.papers import KINDS, Ink, Kind


def drawings(count: int, seed: int) -> list[tuple[int, Ink]]:
    """Return some pen drawings: digit and ink."""
    generator, digits = np.random.default_rng(seed), pen_digits()
    chosen = generator.permutation(len(digits))[:count]
    return [(digits[n].label, render(digits[n], random_style(generator)) / 255.0) for n in chosen]


def read(reader: Reader, data: bytes) -> str:
    """Return which digit is read in a file, or why none is."""
    try:
        prepared = prepare_file(data)
    except SeveralDigitsError:
        return "several"
    if prepared is None:
        return "blank"
    return str(int(reader.read(prepared.picture[None]).beliefs[0, -1].argmax()))


def measure(reader: Reader, name: str, kind: Kind, digits: list[tuple[int, Ink]], seed: int) -> None:
    """Print how well one kind is read."""
    generator, seconds, answers = np.random.default_rng(seed), 0.0, Counter[str]()
    for label, ink in digits:
        data = kind(ink, generator)
        start = time.perf_counter()
        found = read(reader, data)
        seconds += time.perf_counter() - start
        answers["right" if found == str(label) else found if not found.isdigit() else "wrong"] += 1
    refused = answers["blank"], answers["several"]
    print(
        f"{name:<22}{answers['right'] / len(digits):>8.1%}   blank, several: {refused[0]}, {refused[1]}"
        f"   {1000 * seconds / len(digits):.0f} ms a picture",
        flush=True,
    )


def main() -> None:
    """Do what the options say."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", metavar="RUN", help="an id, a unique beginning of one, or latest")
    parser.add_argument("--home", type=Path, default=default_home(), help="folder of runs")
    parser.add_argument("--count", type=int, default=1000, help="pen drawings of each kind")
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="this one alone (repeatable)")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with Store(arguments.home) as store:
        run = store.find(arguments.run)
        reader = Reader(Weights.load(store.files(run.id).weights)[0])
    digits = drawings(arguments.count, arguments.seed)
    for name in arguments.kind or KINDS:
        measure(reader, name, KINDS[name], digits, arguments.seed)


if __name__ == "__main__":
    main()
