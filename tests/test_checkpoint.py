"""Checkpoints, and resuming from one exactly as if the run had never stopped."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rnnlab.config import Config
from rnnlab.config_changes import Change
from rnnlab.data.datasets import Dataset
from rnnlab.presets import config_from
from rnnlab.runs import AccuracyPoint, RunState
from rnnlab.training.backend import Network
from rnnlab.training.checkpoint import Checkpoint, CheckpointError
from rnnlab.training.keras_backend import KerasNetwork
from rnnlab.training.loop import CONTINUE, Callback, Decision, Outcome, TrainingState, train
from rnnlab.training.numpy_backend import NumpyNetwork
from tests.test_loop import Recorder, go_on
from tests.weights import random_weights

SMALL = config_from(
    {
        "dataset": "digits",
        "neurons": 16,
        "batch_size": 32,
        "iterations": 130,
        "averaging": 30,
        "clip_norm": 1.0,
        "warm_up": 20,
        "rotation": 10,
        "bending": 0.5,
    }
)


def outcome_and_points(
    config: Config, data: Dataset, callback: Callback = go_on, **options: object
) -> tuple[Outcome, list[AccuracyPoint]]:
    recorder = Recorder()
    outcome = train(config, data, recorder, callback, **options)  # type: ignore[arg-type]
    return outcome, recorder.points


def pause_at(step: int) -> Callback:
    return lambda state: Decision(RunState.PAUSED) if state.step >= step else CONTINUE


def change_at(step: int, *changes: tuple[str, float]) -> Callback:
    """Return a callback that makes changes after a step."""

    def callback(state: TrainingState) -> Decision:
        if state.step != step:
            return CONTINUE
        return Decision(changes=[Change(step, name, value) for name, value in changes])

    return callback


def without_time(points: list[AccuracyPoint]) -> list[AccuracyPoint]:
    return [replace(point, seconds=0.0) for point in points]


def assert_same_weights(first: Outcome, second: Outcome) -> None:
    assert first.checkpoint
    assert second.checkpoint
    assert first.checkpoint.network.keys() == second.checkpoint.network.keys()
    for name, array in first.checkpoint.network.items():
        np.testing.assert_array_equal(array, second.checkpoint.network[name], err_msg=name)


@pytest.mark.slow
@pytest.mark.usefixtures("every_core")
def test_a_run_that_goes_on_from_a_file_equals_one_that_was_never_away(
    digits: Dataset, tmp_path: Path
) -> None:
    whole, points = outcome_and_points(SMALL, digits)
    paused, first = outcome_and_points(SMALL, digits, pause_at(61))
    assert paused.checkpoint
    assert (paused.state, paused.step, paused.test_accuracy) == (RunState.PAUSED, 61, None)
    paused.checkpoint.save(tmp_path / "checkpoint.npz")
    loaded = Checkpoint.load(tmp_path / "checkpoint.npz")
    resumed, second = outcome_and_points(SMALL, digits, checkpoint=loaded)
    assert without_time(first + second) == without_time(points)
    assert second[0].seconds >= first[-1].seconds
    assert_same_weights(resumed, whole)
    assert resumed.test_accuracy == whole.test_accuracy


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [[("learning_rate", 0.01)], [("batch_size", 48)], [("learning_rate", 0.002), ("batch_size", 8)]],
)
def test_a_change_on_the_way_holds_from_the_next_step_and_is_made_again_when_resumed(
    digits: Dataset, changes: list[tuple[str, float]]
) -> None:
    _, unchanged = outcome_and_points(SMALL, digits)
    whole, points = outcome_and_points(SMALL, digits, change_at(41, *changes))
    assert without_time(points)[:3] == without_time(unchanged)[:3]
    assert without_time(points)[3:] != without_time(unchanged)[3:]
    paused, first = outcome_and_points(SMALL, digits, pause_at(21))
    made = [Change(41, name, value) for name, value in changes]
    resumed, second = outcome_and_points(SMALL, digits, checkpoint=paused.checkpoint, changes=made)
    assert without_time(first + second) == without_time(points)
    assert_same_weights(resumed, whole)


def test_training_further_is_one_run_of_the_whole_length(digits: Dataset) -> None:
    config = replace(SMALL, schedule="constant", iterations=81)
    short, first = outcome_and_points(config, digits)
    further = [Change(81, "iterations", 130)]
    longer, second = outcome_and_points(config, digits, checkpoint=short.checkpoint, changes=further)
    whole, points = outcome_and_points(replace(config, iterations=130), digits)
    assert without_time(first + second) == without_time(points)
    assert longer.step == 130
    assert_same_weights(longer, whole)


def keras_of(config: Config, data: Dataset) -> Network:
    return KerasNetwork(config, data, random_weights(16))


def fast_of(config: Config, data: Dataset) -> Network:
    return NumpyNetwork(config, data, random_weights(16))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [keras_of, fast_of])
def test_a_restored_network_learns_as_the_one_that_was_kept(
    digits: Dataset, kind: Callable[[Config, Dataset], Network]
) -> None:
    from rnnlab.training.batches import Batches

    batches = Batches(SMALL, len(digits.train_images)).between(0, 12)
    with kind(SMALL, digits) as network, kind(SMALL, digits) as other:
        network.train(batches[:6])
        other.restore(network.state())
        assert other.train(batches[6:]) == network.train(batches[6:])
        for name, array in network.state().items():
            np.testing.assert_array_equal(array, other.state()[name], err_msg=name)


def kept(digits: Dataset) -> Checkpoint:
    with fast_of(SMALL, digits) as network:
        return Checkpoint(20, 1.5, network.state())


@pytest.mark.parametrize("left", [0, 1, 100, -1])
def test_a_damaged_checkpoint_is_refused_in_one_sentence(digits: Dataset, tmp_path: Path, left: int) -> None:
    path = tmp_path / "checkpoint.npz"
    kept(digits).save(path)
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(CheckpointError, match="damaged"):
        Checkpoint.load(path)
    with pytest.raises(CheckpointError, match="no checkpoint"):
        Checkpoint.load(tmp_path / "none.npz")


def test_damage_to_the_archives_own_bookkeeping_is_told_as_damage_or_does_none(
    digits: Dataset, tmp_path: Path
) -> None:
    outcome, _ = outcome_and_points(SMALL, digits, pause_at(21))
    assert outcome.checkpoint is not None
    outcome.checkpoint.save(tmp_path / "whole.npz")
    content = (tmp_path / "whole.npz").read_bytes()
    directory = content.index(b"PK\x01\x02")
    for place in range(directory, directory + 46):
        path = tmp_path / f"{place}.npz"
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x41]) + content[place + 1 :])
        with suppress(CheckpointError):  # and nothing else
            Checkpoint.load(path)


def test_a_checkpoint_of_another_network_is_refused_and_changes_nothing(digits: Dataset) -> None:
    state = kept(digits).network
    with fast_of(replace(SMALL, averaging=0), digits) as network, keras_of(SMALL, digits) as keras:
        before = network.state()
        for name, array in (("parameters", np.ones(3, np.float32)), ("adam_squares", np.full(7, np.nan))):
            with pytest.raises(CheckpointError):
                network.restore({**state, name: array})
        np.testing.assert_array_equal(network.state()["adam_gradients"], before["adam_gradients"])
        with pytest.raises(CheckpointError, match="another kind of network"):
            keras.restore(state)


@pytest.mark.parametrize(
    ("step", "seconds"), [(-1, 1.0), (200_001, 1.0), (2**62, 1.0), (20, -1.0), (20, np.inf)]
)
def test_a_checkpoint_of_a_step_or_a_time_that_cannot_be_is_refused(
    digits: Dataset, tmp_path: Path, step: int, seconds: float
) -> None:
    replace(kept(digits), step=step, seconds=seconds).save(tmp_path / "checkpoint.npz")
    with pytest.raises(CheckpointError, match="its step or its time cannot be"):
        Checkpoint.load(tmp_path / "checkpoint.npz")


def test_steps_of_the_optimizer_that_cannot_be_are_refused(digits: Dataset) -> None:
    state = kept(digits).network
    with fast_of(SMALL, digits) as network:
        for name in ("adam_steps", "average_steps"):
            for steps in (-1, 2**62):
                with pytest.raises(CheckpointError, match="counts steps that no run can have made"):
                    network.restore({**state, name: np.array(steps)})


def test_a_checkpoint_that_cannot_be_written_leaves_the_last_one(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "checkpoint.npz"
    checkpoint = kept(digits)
    checkpoint.save(path)

    def disk_is_full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", disk_is_full)
    with pytest.raises(OSError, match="No space"):
        replace(checkpoint, step=40).save(path)
    assert Checkpoint.load(path).step == 20
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.npz"]


def test_a_run_says_from_which_step_it_goes_on_whenever_its_network_is_made_anew(digits: Dataset) -> None:
    changed, resumed = Recorder(), Recorder()
    train(SMALL, digits, changed, change_at(41, ("batch_size", 48)))
    assert changed.begun == [0, 41]
    paused, _ = outcome_and_points(SMALL, digits, pause_at(61))
    train(SMALL, digits, resumed, go_on, checkpoint=paused.checkpoint)
    assert resumed.begun == [61]
