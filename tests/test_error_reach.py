"""How far back the error reaches: measured as Keras' tape would, and kept with the run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from rnnlab.config import Config
from rnnlab.data.datasets import Dataset
from rnnlab.data.reading_order import as_read
from rnnlab.model.architecture import Architecture
from rnnlab.model.weights import LayerWeights, Weights
from rnnlab.runs import RunState
from rnnlab.store.error_history import ErrorHistory
from rnnlab.store.store import Store
from rnnlab.training.error_reach import ErrorReach
from rnnlab.training.initializers import initial_weights
from rnnlab.training.libraries import keras
from rnnlab.training.loop import train
from rnnlab.worker.job import execute
from tests.test_loop import Recorder, go_on
from tests.weights import ARCHITECTURES, named, random_weights_of

CONFIG = Config(neurons=16, batch_size=64, iterations=81, dataset="digits")


def keras_cell(cell: str, weights: LayerWeights) -> keras.layers.Layer:
    """Return one of Keras' own cells with given weights."""
    kinds = {
        "lstm": keras.layers.LSTMCell,
        "gru": keras.layers.GRUCell,
        "simple_rnn": keras.layers.SimpleRNNCell,
    }
    made = kinds[cell](len(weights.recurrent_kernel))
    made.build((None, len(weights.kernel)))
    made.set_weights(list(weights))
    return made


def norms_by_tape(weights: Weights, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return what `ErrorReach` measures, computed row by row with Keras' cells and TensorFlow's tape."""
    architecture = weights.architecture
    cells = [keras_cell(architecture.cell, layer) for layer in weights.recurrent_layers()]
    inputs = tf.constant(as_read(images, architecture.reading_order) / np.float32(255))
    with tf.GradientTape() as tape:
        zeros = tf.zeros((len(images), architecture.neurons))
        states = [[zeros, zeros] if architecture.cell == "lstm" else [zeros] for _ in cells]
        of_rows = []
        for row in range(28):
            value = inputs[:, row] @ weights.input_kernel + weights.input_bias
            for index, cell in enumerate(cells):
                value, states[index] = cell(value, states[index])
                tape.watch(value)
                states[index] = [value, *states[index][1:]]
                of_rows.append(value)
        logits = value @ weights.output_kernel + weights.output_bias
        loss = tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(labels.astype(np.int32), logits))
    gradients = np.array(tape.gradient(loss, of_rows))  # (28 * layers, N, n)
    squares = (gradients**2).sum(axis=2).reshape(28, len(cells), len(images)).sum(axis=1)
    return np.asarray(np.sqrt(squares).mean(axis=1))


@pytest.mark.parametrize("architecture", ARCHITECTURES[::2], ids=named)
def test_it_is_what_keras_and_its_tape_compute(architecture: Architecture, digits: Dataset) -> None:
    weights = random_weights_of(replace(architecture, reading_order="right"), scale=0.4)
    found = ErrorReach(digits, 64).norms(weights)
    expected = norms_by_tape(weights, digits.test_images[:8], digits.test_labels[:8])
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5 * expected.max())


def test_with_the_notebooks_weights_it_fades_in_a_simple_rnn_and_not_in_an_lstm(digits: Dataset) -> None:
    share = {}
    for cell in ("simple_rnn", "lstm"):
        recorder = Recorder()
        config = replace(CONFIG, cell=cell, neurons=32, initializers="notebook")
        train(config, digits, recorder, go_on)
        norms = recorder.reaches[80]
        share[cell] = norms[0] / norms[27]
    assert share["lstm"] > 30 * share["simple_rnn"]


def test_every_report_has_one_with_both_engines(digits: Dataset) -> None:
    reaches = {}
    for engine in ("numpy", "keras"):
        recorder = Recorder()
        train(replace(CONFIG, iterations=41, engine=engine), digits, recorder, go_on)
        assert list(recorder.reaches) == [point.step for point in recorder.points] == [0, 20, 40]
        reaches[engine] = recorder.reaches[40]
    np.testing.assert_allclose(reaches["numpy"], reaches["keras"], rtol=0.01)


def test_it_is_kept_with_the_run(store: Store) -> None:
    run = store.create_run(replace(CONFIG, iterations=45), claimed=True)
    assert execute(store, run) is RunState.FINISHED
    kept = store.files(run.id).error_history().read()
    assert kept.steps.tolist() == [0, 20, 40]
    assert kept.norms.shape == (3, 28)
    assert (kept.norms[:, -1] > 0).all()


def test_a_run_that_is_resumed_forgets_what_it_will_report_again(tmp_path: Path) -> None:
    history = ErrorHistory(tmp_path / "run" / "reach.bin")
    for step in (0, 20, 40, 60):
        history.add(step, np.full(28, step + 1, np.float32))
    history.discard_from(41)
    assert history.read().steps.tolist() == [0, 20, 40]
    history.add(60, np.full(28, 9, np.float32))
    assert history.read().norms[:, 0].tolist() == [1, 21, 41, 9]


def test_of_a_step_that_was_reported_twice_the_last_counts(tmp_path: Path) -> None:
    history = ErrorHistory(tmp_path / "reach.bin")
    for step, value in ((0, 1), (20, 2), (20, 3)):
        history.add(step, np.full(28, value, np.float32))
    found = history.read()
    assert (found.steps.tolist(), found.norms[:, 0].tolist()) == ([0, 20], [1, 3])


def test_numbers_that_are_not_finite_are_not_kept(tmp_path: Path) -> None:
    history = ErrorHistory(tmp_path / "reach.bin")
    history.add(0, np.full(28, np.inf, np.float32))
    assert len(history.read().steps) == 0


@pytest.mark.parametrize("content", [b"", b"x" * 50, b"\xff" * 1160, None, "folder"])
def test_whatever_lies_in_the_place_of_the_file_is_no_more_than_no_record(
    tmp_path: Path, content: bytes | str | None
) -> None:
    path = tmp_path / "reach.bin"
    if content == "folder":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    history = ErrorHistory(path)
    assert history.read().norms.shape == (0, 28)
    history.discard_from(20)
    history.add(20, np.ones(28, np.float32))


def test_a_record_that_is_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "reach.bin"
    history = ErrorHistory(path)
    for step in (0, 20):
        history.add(step, np.ones(28, np.float32))
    path.write_bytes(path.read_bytes()[:-1])
    assert history.read().steps.tolist() == [0]


def test_a_network_without_weights_that_are_finite_has_no_reach_that_stops_the_run(digits: Dataset) -> None:
    weights = initial_weights(Architecture(neurons=8), "keras", 0)
    for array in weights.arrays.values():
        array[...] = 3e38
    assert ErrorReach(digits, 8).norms(weights).shape == (28,)
