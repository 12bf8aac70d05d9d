"""Pictures that runs learn from beside MNIST, prepared once and shipped: to draw them takes seconds.

So a run begins at once, and learns from the same pictures with whatever versions of Pillow and SciPy.
`python -m rnnlab.data.prepared_pictures` makes the file anew; for the bundled digits it needs scikit-learn.

Bundled digits: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
Repository, 1998, CC BY 4.0, as bundled with scikit-learn; enlarged.
"""

from __future__ import annotations

import functools
import gzip
import importlib.util
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rnnlab.data.errors import DatasetError
from rnnlab.data.non_digits import make_dots_and_scribbles
from rnnlab.data.preprocessing import prepared_picture
from rnnlab.data.synthetic_digits import make_synthetic_digits
from rnnlab.system.array_files import NpzArchive, in_words
from rnnlab.system.atomic_files import atomic_write

PATH: Final = Path(__file__).with_suffix(".npz")

DOTS_AND_SCRIBBLES: Final = 400
"""How many pictures of dots and scribbles there are."""

Pictures = NDArray[np.uint8]
"""`uint8` of shape (N, 28, 28), or labels of shape (N,)."""


@functools.cache
def prepared_pictures() -> dict[str, Pictures]:
    """Return the pictures by name; read-only, because all callers share them.

    They are `bundled` (1,797 digits, the pictures of `make_synthetic_digits` as `synthetic`, both with their
    `…_labels`) and `dots_and_scribbles`.

    Raises:
        DatasetError: The file is missing or damaged.
    """
    try:
        archive = NpzArchive(PATH.read_bytes())
        forms = {name: (np.dtype(np.uint8), archive.header(name).shape) for name in archive.names}
        found = archive.read(forms)
    except Exception as error:  # a damaged archive can raise almost anything
        raise DatasetError(
            f"{PATH.name} cannot be read ({in_words(error)}); install RNN Lab again."
        ) from error
    for array in found.values():
        array.flags.writeable = False
    return found


def make(share: float = 1.0) -> dict[str, Pictures]:
    """Draw and prepare the first ones of all pictures.

    Args:
        share: How many of each kind, above 0 to 1.
    """
    bundled, labels = _enlarged_bundle(share)
    synthetic, synthetic_labels = make_synthetic_digits(share)
    return {
        "bundled": bundled,
        "bundled_labels": labels,
        "synthetic": synthetic,
        "synthetic_labels": synthetic_labels,
        "dots_and_scribbles": make_dots_and_scribbles(round(share * DOTS_AND_SCRIBBLES)),
    }


def _enlarged_bundle(share: float) -> tuple[Pictures, Pictures]:
    """Return the first bundled digits in MNIST's form, and their labels."""
    table = _read_bundle()
    table = table[: round(share * len(table))]
    pictures = np.stack([_enlarge(image) for image in table[:, :-1].reshape(-1, 8, 8)])
    return pictures, table[:, -1].astype(np.uint8)


def _read_bundle() -> NDArray[np.float64]:
    """Read scikit-learn's file of digits: 64 grey levels of 0 to 16 and the label per line, shape (1797, 65).

    Its own `load_digits` does the same, but importing it takes 2 s and 160 MB.
    """
    package = importlib.util.find_spec("sklearn")
    origin = package.origin if package else None
    path = Path(origin or "sklearn").parent / "datasets" / "data" / "digits.csv.gz"
    with gzip.open(path, "rt") as file:
        return np.loadtxt(file, delimiter=",")


def _enlarge(image: NDArray[np.float64]) -> Pictures:
    """Turn 8 x 8 pixels of 0 to 16 into 28 x 28 of 0 to 255, with soft edges all around."""
    framed = Image.fromarray(np.pad(image * (255.0 / 16.0), 1).astype(np.float32))
    return prepared_picture(np.asarray(framed.resize((80, 80), Image.Resampling.BICUBIC)))


if __name__ == "__main__":
    with atomic_write(PATH) as file:
        np.savez_compressed(file, **make())  # type: ignore[arg-type]
