"""Weights that are finite but so large that sums of them are not: a sentence, and never NaN."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from PIL import Image

from rnnlab.__main__ import main
from rnnlab.dashboard.caches import EvaluationCache, newest_reader
from rnnlab.data.datasets import Dataset
from rnnlab.model.architecture import Architecture
from rnnlab.model.reader import Reader
from rnnlab.model.weights import Weights, WeightsError
from rnnlab.presets import config_from
from rnnlab.runs import AccuracyPoint, RunState
from rnnlab.store.store import Store
from rnnlab.training.checkpoint import Checkpoint
from rnnlab.training.parameters import Parameters
from tests.pens import draw_digit
from tests.weights import random_weights


@pytest.fixture
def huge(store: Store) -> str:
    """Return the id of a stopped run whose weights and checkpoint hold 3e38 and -3e38 alone."""
    config = {"dataset": "digits", "neurons": 8, "iterations": 60, "nonsense": 0, "extra_digits": "none"}
    run = store.create_run(config_from(config), claimed=True)
    files, parameters = store.files(run.id), Parameters(Architecture(neurons=8))
    files.make_folder()
    signs = np.sign(np.random.default_rng(0).normal(size=len(parameters.vector)))
    parameters.vector[:] = np.float32(3e38) * signs
    parameters.weights().save(files.weights, 40)
    store.reports.add_point(run.id, AccuracyPoint(40, 0.5, 1.0, 1.0))
    store.reports.end_run(run.id, RunState.STOPPED, step=41)
    moments = np.zeros_like(parameters.vector)
    state = {"parameters": parameters.vector, "adam_gradients": moments, "adam_squares": moments}
    Checkpoint(41, 1.0, {**state, "adam_steps": np.array(41)}).save(files.checkpoint)
    return run.id


def test_what_reads_with_them_says_so_and_sets_no_file_aside(
    huge: str, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(draw_digit("7")).save(tmp_path / "seven.png")
    for arguments in (
        ["read", huge, str(tmp_path / "seven.png"), "--json"],
        ["evaluate", huge, "--json"],
        ["export", huge, str(tmp_path / "network.keras")],
    ):
        assert main(arguments) == 1
        printed, told = capsys.readouterr()
        assert printed == ""
        assert told.endswith(
            "The weights are so large that the network cannot be computed with; "
            "train a new one with a smaller learning rate.\n"
        )
    with pytest.raises(WeightsError, match="so large"):
        newest_reader(store, huge)
    with pytest.raises(WeightsError, match="so large"):
        EvaluationCache(store).newest(store.run(huge))
    assert Weights.load(store.files(huge).weights)[1] == 40


def not_json(constant: str) -> NoReturn:
    raise ValueError(constant)


def test_a_run_that_resumes_with_them_diverges_in_valid_json_without_a_warning(huge: str) -> None:
    command = [sys.executable, "-m", "rnnlab", "resume", huge, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    events = [json.loads(line, parse_constant=not_json) for line in done.stdout.splitlines()]
    assert [event["event"] for event in events] == ["run", "end"]
    assert events[-1]["state"] == "diverged"
    assert len(done.stderr.splitlines()) == 1
    assert "smaller learning rate" in done.stderr


def test_the_largest_weights_that_are_read_with_give_finite_beliefs(digits: Dataset) -> None:
    for exponent in range(10, 39):
        weights = random_weights(8, seed=exponent, scale=10.0**exponent)
        try:
            reader = Reader(weights)
        except WeightsError:
            assert exponent > 15
        else:
            with np.errstate(over="raise", invalid="raise"):
                reading = reader.read(digits.test_images[:20], states=True)
            assert np.isfinite(reading.beliefs).all()
            assert exponent < 20
