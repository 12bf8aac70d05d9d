"""The commands that read with a trained network: `read`, `evaluate`, `export`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rnnlab.cli.arguments import LAST
from rnnlab.cli.file_patterns import expand_patterns, is_pattern
from rnnlab.cli.output import CommandError, print_json, print_line
from rnnlab.data import datasets
from rnnlab.data.image_files import read_file
from rnnlab.data.outside_pictures import SeveralDigitsError, prepare_file
from rnnlab.data.preprocessing import DrawingError
from rnnlab.data.reading_order import as_read, row_order
from rnnlab.data.reading_words import ReadingWords
from rnnlab.digits import with_article
from rnnlab.model import evaluation
from rnnlab.model.answer import Answer, answer
from rnnlab.model.reader import Reader
from rnnlab.model.weights import Weights
from rnnlab.runs import Run
from rnnlab.store.store import Store
from rnnlab.system.file_errors import reason_of
from rnnlab.system.processes import stderr_to
from rnnlab.system.standard_streams import printable, write_error
from rnnlab.training.engine import has_tensorflow, lacks_tensorflow

_BLANK: Final = "blank"
"""The command line's answer to a picture without ink."""

_SEVERAL: Final = "several"
"""The command line's answer to a picture with several digits."""

_NO_DIGIT: Final = {
    _BLANK: "a blank image: nothing stands out from the paper",
    _SEVERAL: "several digits; show one at a time, or cut the others off",
}
"""The same in words."""

_INK: Final = " .:-=+*#%@"
"""Grey levels from paper to ink, as characters."""


def load_weights(store: Store, run: Run, which: str) -> tuple[Weights, int]:
    """Return the newest weights of a run or those of its best test, and their step.

    Raises:
        WeightsError: The weights are missing or damaged.
        CommandError: It has kept none of a best test.
    """
    files = store.files(run.id)
    if which == LAST:
        return Weights.load(files.weights)
    best = files.best.newest()
    if best is None:
        raise CommandError(
            f"{run.id} has kept no best weights, as a run does from its first test on; use --weights {LAST}."
        )
    return Weights.load(best[0])


def load_reader(store: Store, run: Run, step: int | None = None, which: str = LAST) -> tuple[Reader, int]:
    """Return a reader with weights of a run, and their step.

    Args:
        store: The store.
        run: The run.
        step: If given, those count that were saved at or before this step.
        which: Otherwise, whether the newest ones count or those of its best test.

    Raises:
        WeightsError: The weights are missing, damaged or too large.
        CommandError: No such weights were saved.
    """
    if step is None:
        weights, found = load_weights(store, run, which)
        return Reader(weights), found
    path = store.files(run.id).weights
    if step < run.step:
        snapshot = store.files(run.id).history().at_or_before(step)
        if snapshot is None:
            raise CommandError(f"{run.id} saved no weights at or before step {step:,}; choose a later one.")
        path = snapshot
    weights, found = Weights.load(path)
    if found != step:
        write_error(f"{run.id} has no weights of step {step:,}; using those of step {found:,}.")
    return Reader(weights), found


def read(
    store: Store, name: str, images: Iterable[str], step: int | None, which: str = LAST, *, as_json: bool
) -> None:
    """Read image files: drawings of the canvas, scans, photographs.

    Raises:
        CommandError: At least one file could not be read; the others have been.
    """
    reader, _ = load_reader(store, store.find(name), step, which)
    unreadable = []
    for image in expand_patterns(images):
        found = _read_image(reader, image)
        if isinstance(found, str) and found not in _NO_DIGIT:
            unreadable.append(image)
        if as_json:
            print_json(image=image, **_to_json(found))
        else:
            print_line(f"{printable(image)}: {_in_words(found)}")
    if unreadable:
        raise CommandError(
            f"{len(unreadable)} of the images could not be read, the first is {unreadable[0]}."
        )


def _read_image(reader: Reader, image: str) -> tuple[Answer, NDArray[np.uint8]] | str:
    """Read one image file; return the answer and the picture that the network saw, or why there is none."""
    try:
        with stderr_to(Path(os.devnull)):  # libtiff talks about damage; one sentence is enough
            prepared = prepare_file(read_file(Path(image)))
    except OSError as error:
        if is_pattern(image):
            return "No file matches this pattern; check the folder and the ending."
        return f"The file cannot be opened ({reason_of(error)}); check its name."
    except MemoryError:
        return "There is not enough memory to read the picture; make it smaller, or close other programs."
    except SeveralDigitsError:
        return _SEVERAL
    except DrawingError as error:
        return str(error)
    return _BLANK if prepared is None else (answer(reader, prepared.picture), prepared.picture)


def _to_json(found: tuple[Answer, NDArray[np.uint8]] | str) -> dict[str, Any]:
    """Return an answer as `--json` prints it."""
    if isinstance(found, str):
        return {"error": found}
    said, _ = found
    return {
        "digit": said.digit,
        "probability": said.probability,
        "reading_order": said.reading_order,
        "decided_at": said.decided_at,
        "first_ink_row": said.first_ink_row,
        "beliefs": said.rounded_beliefs(7),
    }


def _in_words(found: tuple[Answer, NDArray[np.uint8]] | str) -> str:
    """Return an answer in words, with the picture as the network read it and its belief after every step."""
    if isinstance(found, str):
        return _NO_DIGIT.get(found, found)
    said, picture = found
    if said.is_sure:
        verdict = f"{said.digit}, {said.probability:.1%} sure, {said.decision}"
    else:
        verdict = f"not sure, perhaps {with_article(said.digit)} ({said.probability:.1%})"
    part = ReadingWords(said.reading_order).part
    lines = [verdict, f"  {part} {'what it saw':<28}" + "".join(f"{digit:>6}" for digit in range(10))]
    read = zip(row_order(said.reading_order), as_read(picture, said.reading_order), said.beliefs, strict=True)
    for place, pixels, belief in read:
        seen = "".join(_INK[int(level) * len(_INK) // 256] for level in pixels)
        shares = "".join(f"{probability:>6.0%}" for probability in belief)
        lines.append(f"  {place + 1:>{len(part)}} {seen}{shares}")
    return "\n".join(lines)


def evaluate(store: Store, name: str, which: str = LAST, *, as_json: bool) -> None:
    """Read the whole test set: accuracy and confidence after each row, when it decides, confusion matrix.

    Raises:
        CommandError: The data set that the run was trained on is not available, or there are no such weights.
    """
    run = store.find(name)
    reader, step = load_reader(store, run, which=which)
    data = datasets.load(run.data_name or run.config.dataset)
    if run.data_name and (reason := datasets.mismatch(data, run.data_name, run.data)):
        raise CommandError(f"{run.id} {reason}")
    result = evaluation.evaluate(reader, data.test_images, data.test_labels)
    if as_json:
        print_json(data=data.description, step=step, **result.to_json())
        return
    print_line(
        f"{run.id} at step {step:,}: {result.test_accuracy:.2%} of {len(data.test_labels):,} test images"
    )
    print_line(f"data: {data.description}")
    words = ReadingWords(result.reading_order)
    head = words.head
    print_line(f"{head}   accuracy   mean confidence   expected calibration error")
    columns = result.accuracy_by_row, result.confidence_by_row, result.calibration_error_by_row
    for row, (accuracy, confidence, error) in enumerate(zip(*columns, strict=True), start=1):
        print_line(f"{row:>{len(head)}} {accuracy:>10.1%} {confidence:>17.1%} {error:>28.1%}")
    decided = ", ".join(
        f"{fraction:.0%} {words.by} {words.count(result.decided_by(fraction))}"
        for fraction in (0.5, 0.9, 0.99)
    )
    print_line(f"decided, the top digit never changes again: {decided}")
    print_line(f"of these before the first {words.part} with ink: {result.decided_before_ink:,} images")
    print_line("digit (row) read as (column)")
    print_line("   " + "".join(f"{digit:>6}" for digit in range(10)))
    for digit, counts in enumerate(result.confusion):
        print_line(f"{digit:>3}" + "".join(f"{count:>6,}" for count in counts))


def export(store: Store, name: str, path: Path, which: str = LAST, *, every_row: bool, as_json: bool) -> None:
    """Save the newest weights of a run, or those of its best test, as a standard Keras file.

    Raises:
        WeightsError: The weights are missing, damaged or too large.
        CommandError: TensorFlow is not installed, there are no such weights, or the file cannot be written.
    """
    if not has_tensorflow():
        raise CommandError(lacks_tensorflow("Saving a .keras file"))
    run = store.find(name)
    weights, step = load_weights(store, run, which)
    weights.check_sums()
    with stderr_to(store.files(run.id).log):
        from rnnlab.training import devices
        from rnnlab.training.export import export as export_keras

        devices.initialize_devices()
    try:
        export_keras(weights, path, every_row=every_row)
    except OSError as error:
        raise CommandError(f"{path} cannot be written ({reason_of(error)}); choose another place.") from error
    if as_json:
        print_json(run=run.id, step=step, path=str(path))
    else:
        print_line(f"{run.id} at step {step:,} is saved as {printable(str(path))}.")
