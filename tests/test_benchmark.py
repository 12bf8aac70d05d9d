"""The bench command: what it measures and how it prints it."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rnnlab.__main__ import main
from rnnlab.cli.benchmark import Comparison, compare
from rnnlab.cli.machine import machine
from rnnlab.cli.pytorch import PYTORCH_HINT, has_torch, torch_module
from rnnlab.cli.step_growth import growth
from rnnlab.config import Config
from rnnlab.data.datasets import Dataset, load
from rnnlab.presets import config_from
from rnnlab.training import step_cost
from rnnlab.training.step_cost import multiplications, multiplications_per_second

TINY = config_from({"dataset": "digits", "neurons": 8, "batch_size": 16})


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


def run_bench(*arguments: str) -> int:
    """Run the command in this process, which has TensorFlow loaded; return its exit status."""
    tiny = ["--dataset", "digits", "--neurons", "8", "--batch-size", "16", "--rounds", "1", "--seconds", "1"]
    try:
        return main(["bench", *tiny, *arguments])
    except SystemExit as end:
        return int(end.code or 0)


@pytest.mark.slow
def test_bench_prints_nothing_but_the_json_of_the_contract(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_bench("--json") == 0
    (line,) = capsys.readouterr().out.splitlines()
    answer: dict[str, Any] = json.loads(line)
    speeds = answer["steps_per_second"]
    assert set(speeds) == {"rnnlab", "engine_keras", "keras_fit", "torch"}
    assert speeds["rnnlab"] > 0
    assert speeds["keras_fit"] > 0
    assert (speeds["torch"] is None) is not has_torch()
    assert answer["limit_steps_per_second"] > 0
    assert (answer["batch_size"], answer["neurons"], answer["rounds"]) == (16, 8, 1)


@pytest.mark.slow
def test_bench_names_the_machine_and_says_how_to_compare_with_pytorch(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_bench() == 0
    named, loss, heading, row, *hint = capsys.readouterr().out.splitlines()
    assert machine() in named
    assert "50% of the loss" in loss
    assert len(heading.split("   ")) >= 6
    assert row.split()[:4] == ["lstm", "1", "16", "8"]
    assert hint == ([] if has_torch() else [PYTORCH_HINT])


def test_pytorch_is_loaded_without_triton_which_ends_a_process_that_has_tensorflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "triton.py").touch()
    (tmp_path / "torch.py").write_text("try:\n    import triton\nexcept ImportError:\n    triton = None\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("torch", "triton"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    torch: Any = torch_module()
    assert torch is not None
    assert torch.triton is None
    del sys.modules["torch"]  # this one is for no other test


@pytest.mark.parametrize("arguments", [["--rounds", "0"], ["--seconds", "none"], ["--grid", "--growth"]])
def test_bench_refuses_bad_arguments_with_status_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_bench(*arguments) == 2
    assert arguments[0].lstrip("-") in capsys.readouterr().err


@pytest.mark.slow
def test_every_round_gives_everyone_a_turn(digits: Dataset) -> None:
    compared = compare(TINY, digits, rounds=2, seconds=0.1)
    assert {"rnnlab", "engine_keras", "keras_fit"} <= set(compared.turns)
    for turns in compared.turns.values():
        assert len(turns) == 2
        assert min(turns) > 0


def test_a_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    turns = {"rnnlab": [10.0, 30.0, 90.0], "keras_fit": [5.0, 10.0, 90.0]}
    compared = Comparison(Config(), 2, turns, None, 100.0)
    assert compared.ratio("keras_fit") == 2
    assert compared.ratio("torch") is None
    assert compared.to_json()["steps_per_second"] == {
        "rnnlab": 30,
        "engine_keras": None,
        "keras_fit": 10,
        "torch": None,
    }


@pytest.mark.parametrize(("cell", "gates"), [("lstm", 4), ("gru", 3), ("simple_rnn", 1)])
def test_the_multiplications_are_those_of_two_products_forward_and_back_in_every_row(
    cell: str, gates: int
) -> None:
    batch_size, neurons, rows = 8, 16, 28
    read_out = 3 * 10 * neurons  # logits, their weights' gradients, and that of the hidden state
    forward = gates * neurons * (neurons + 29)  # gates of row, bias and hidden state
    to_the_row_above = gates * neurons * neurons
    first = 2 * forward + to_the_row_above
    second = gates * neurons * (2 * (2 * neurons + 1) + 2 * neurons)  # reads the hidden state of the first
    config = config_from({"batch_size": batch_size, "neurons": neurons, "cell": cell})
    assert multiplications(config) == batch_size * rows * (first + read_out)
    assert multiplications(replace(config, layers=2)) == batch_size * rows * (first + second + read_out)


def test_the_multiply_limit_is_what_the_fastest_of_several_large_products_makes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds = iter([0.0, 0.5, 1.0, 1.25, 2.0, 3.0])  # three products: of 0.5, 0.25 and 1 s
    monkeypatch.setattr(step_cost, "time", SimpleNamespace(perf_counter=lambda: next(seconds)))
    assert multiplications_per_second(repeats=2) == 2048**3 / 0.25


@pytest.mark.slow
def test_growth_covers_batch_neurons_rows_and_length_of_run(digits: Dataset) -> None:
    grown = {
        each.by: each.milliseconds
        for each in growth(digits, seconds=0.05, batch_sizes=(8, 16), neurons=(8,), rows=(7, 28))
    }
    batch_size, neurons, rows, length = grown.values()
    assert list(batch_size) == [8, 16]
    assert list(neurons) == [8]
    assert list(rows) == [7, 28]
    assert list(length) == sorted(length)
    assert all(cost > 0 for costs in grown.values() for cost in costs.values())


@pytest.mark.slow
def test_a_turn_on_a_machine_that_stalls_has_a_speed_all_the_same(digits: Dataset) -> None:
    for each in growth(digits, seconds=0.0, batch_sizes=(8,), neurons=(), rows=()):
        assert all(np.isfinite(cost) and cost > 0 for cost in each.milliseconds.values())


@pytest.mark.slow
def test_a_run_too_short_for_ten_parts_is_told_in_fewer(digits: Dataset) -> None:
    grown = growth(digits, seconds=0.001, batch_sizes=(), neurons=(), rows=())
    (length,) = (each.milliseconds for each in grown if each.by.startswith("step of a run"))
    assert len(length) < 10
    assert all(cost > 0 for cost in length.values())


def test_pytorch_learns_from_the_same_batches_as_the_others(digits: Dataset) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed; bench measures without it")
    compared = compare(TINY, digits, rounds=1, seconds=0.1)
    assert compared.turns["torch"][0] > 0
    assert compared.torch_threads in (1, compared.cores)


@pytest.mark.slow
def test_the_seconds_to_an_accuracy_are_those_at_which_a_test_found_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_bench("--to", "1", "--to", "100", "--limit", "2", "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    names = [line["name"] for line in lines]
    assert names[:3] == ["RNN Lab, quick", "RNN Lab, default", "Keras fit, usual"]
    assert len(names) == (5 if has_torch() else 3)
    for line in lines:
        reached, perfect = line["seconds"]["0.01"], line["seconds"]["1"]
        assert (reached is None) == (line["best"] < 0.01), line
        assert (perfect is None) == (line["best"] < 1), line
    assert lines[0]["seconds"]["0.01"] > 0


@pytest.mark.parametrize("goal", ["0", "101", "nan", "many"])
def test_a_goal_that_is_no_percentage_is_refused_in_a_sentence(
    goal: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_bench("--to", goal) == 2
    assert "--to" in capsys.readouterr().err
