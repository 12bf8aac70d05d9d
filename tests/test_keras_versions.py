"""An exported file in an older Keras than the one that wrote it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rnnlab.data.datasets import Dataset
from rnnlab.model.reader import Reader
from rnnlab.training.export import export
from tests.weights import random_weights

pytestmark = pytest.mark.slow

OLDEST = "3.8.0"
"""The oldest Keras that an exported file is meant for."""

LOAD = """
import sys, keras, numpy
assert keras.__version__ == sys.argv[1], keras.__version__
for path in sys.argv[3:]:
    answers = keras.models.load_model(path)(numpy.load(sys.argv[2])).numpy()
    numpy.save(path + ".npy", answers)
assert "rnnlab" not in sys.modules
"""


@pytest.fixture(scope="module")
def old_keras(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fetch an old Keras, 1.3 MB without what it needs, into a folder of its own; skip if that fails."""
    folder = tmp_path_factory.mktemp("keras")
    options = [
        "--quiet",
        "--no-deps",
        "--no-compile",
        "--retries",
        "1",
        "--timeout",
        "10",
        "--target",
        str(folder),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, f"keras=={OLDEST}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = f"Keras {OLDEST} cannot be fetched ({done.stderr.strip().splitlines()[-1][:200]})"
        if os.environ.get("RNNLAB_REQUIRE_OLD_KERAS"):
            pytest.fail(f"RNNLAB_REQUIRE_OLD_KERAS is set, but {reason}.", pytrace=False)
        pytest.skip(reason)
    return folder


def test_an_exported_file_loads_in_an_old_keras_and_answers_the_same(
    old_keras: Path, tmp_path: Path, digits: Dataset
) -> None:
    weights, images = random_weights(24), digits.test_images[:20] / np.float32(255)
    np.save(tmp_path / "images.npy", images)
    last, every = tmp_path / "last.keras", tmp_path / "every.keras"
    export(weights, last)
    export(weights, every, every_row=True)
    done = subprocess.run(
        [sys.executable, "-c", LOAD, OLDEST, str(tmp_path / "images.npy"), str(last), str(every)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(old_keras), "KERAS_BACKEND": "tensorflow"},
    )
    assert done.returncode == 0, done.stderr
    beliefs = Reader(weights).read(digits.test_images[:20]).beliefs
    np.testing.assert_allclose(np.load(f"{every}.npy"), beliefs, atol=1e-5)
    np.testing.assert_allclose(np.load(f"{last}.npy"), beliefs[:, -1], atol=1e-5)
