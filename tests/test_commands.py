"""The command line, as a script would use it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rnnlab.__main__ import main
from rnnlab.config import Config
from rnnlab.model.weights import Weights
from rnnlab.presets import config_from
from rnnlab.runs import AccuracyPoint, RunState
from rnnlab.store.store import Store, default_home
from tests.commands import add_trained_run
from tests.pens import draw_digit
from tests.systems import needs_signals
from tests.waiting import wait_for
from tests.weights import random_weights

TRAIN = ["train", "--dataset", "digits", "--neurons", "8", "--batch-size", "16"]


def run_cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rnnlab", *arguments], capture_output=True, text=True, check=False, timeout=120
    )


def long_training() -> subprocess.Popen[str]:
    """Start a run in the foreground that would take far longer than any test waits.

    It starts from given weights: for fresh ones TensorFlow would have to start, too.
    """
    with Store(default_home()) as store:
        parent = store.create_run(Config(neurons=8), claimed=True)
        store.files(parent.id).make_folder()
        random_weights(8, scale=0.3).save(store.files(parent.id).weights, 0)
        store.reports.end_run(parent.id, RunState.FINISHED)
    command = [
        sys.executable,
        "-m",
        "rnnlab",
        *TRAIN,
        "--iterations",
        "200000",
        "--json",
        "--from",
        parent.id,
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def trained(store: Store) -> str:
    """Return the id of a run with weights, as if it had been trained."""
    run = store.create_run(config_from({"dataset": "digits", "iterations": 60}))
    store.reports.claim()
    store.reports.add_point(run.id, AccuracyPoint(40, 0.5, 1.0, 1.0))
    store.reports.end_run(run.id, RunState.FINISHED, step=60)
    random_weights(16).save(store.files(run.id).make_folder() / "weights.npz", 60)
    return run.id


@pytest.fixture
def canvas(tmp_path: Path) -> Path:
    path = tmp_path / "seven.png"
    Image.fromarray(draw_digit("7")).save(path)
    return path


@pytest.mark.slow
def test_train_prints_nothing_but_the_json_of_the_contract(own_home: Path) -> None:
    done = run_cli(*TRAIN, "--iterations", "50", "--seed", "3", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    first, *steps, test, end = json_lines(done.stdout)
    assert (first["event"], first["config"]["seed"]) == ("run", 3)
    assert [step["step"] for step in steps] == [0, 20, 40]
    for step in steps:
        assert set(step) == {"event", "step", "accuracy", "loss"}
    assert test == {"event": "test", "step": 50, "accuracy": end["test_accuracy"]}
    assert set(end) == {"event", "state", "step", "test_accuracy", "seconds"}
    assert (end["event"], end["state"], end["step"]) == ("end", "finished", 50)
    with Store(own_home) as store:
        assert store.run(first["run"]).step == 50


@pytest.mark.slow
def test_train_can_start_from_the_weights_of_another_run(trained: str, own_home: Path) -> None:
    options = (
        "--from",
        trained[:6],
        "--neurons",
        "16",
        "--learning-rate",
        "1e-5",
        "--iterations",
        "20",
        "--json",
    )
    done = run_cli("train", "--dataset", "digits", *options)
    assert done.returncode == 0, done.stderr
    with Store(own_home) as store:
        run = store.find("latest")
        assert run.parent == trained
        weights, _ = Weights.load(store.files(run.id).weights)
    np.testing.assert_allclose(
        weights.arrays["lstm_kernel"], random_weights(16).arrays["lstm_kernel"], atol=1e-3
    )


def test_starting_from_weights_of_another_size_or_from_none_is_one_sentence(
    trained: str, own_home: Path
) -> None:
    done = run_cli("train", "--dataset", "digits", "--from", trained, "--neurons", "32")
    assert done.returncode == 1
    assert (
        "those of another network (LSTM, 16 neurons, reading down) than this run's (LSTM, 32 neurons"
        in done.stderr
    )
    assert (done.stdout, len(done.stderr.splitlines())) == ("", 1)
    with Store(own_home) as store:
        assert [run.id for run in store.runs()] == [trained]
        (store.home / trained / "weights.npz").unlink()
    done = run_cli("train", "--dataset", "digits", "--from", trained)
    assert done.returncode == 1
    assert "choose a run that has learned" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_train_prints_a_line_per_report_for_people() -> None:
    done = run_cli(*TRAIN, "--iterations", "45")
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("step ")]
    assert [line.split()[1] for line in lines] == ["0", "20", "40", "45"]
    assert "finished after 45 steps" in done.stdout


@needs_signals
@pytest.mark.slow
def test_ctrl_c_stops_the_run_in_order(own_home: Path) -> None:
    with long_training() as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        last = json_lines(process.stdout.read())[-1]
    assert process.returncode == 0
    assert last["state"] == "stopped"
    with Store(own_home) as store:
        assert store.run(first["run"]).step == last["step"]


@needs_signals
@pytest.mark.slow
def test_a_run_that_was_killed_is_resumed_and_then_trained_further(own_home: Path) -> None:
    with long_training() as process, Store(own_home) as store:
        assert process.stdout is not None
        name = json.loads(process.stdout.readline())["run"]
        wait_for(store.files(name).checkpoint.exists, "a checkpoint")
        process.kill()
        process.wait()
        resumed = subprocess.Popen(
            [sys.executable, "-m", "rnnlab", "resume", "latest", "--json"], stdout=subprocess.PIPE, text=True
        )
        assert resumed.stdout is not None
        assert json.loads(resumed.stdout.readline())["run"] == name
        first = json.loads(resumed.stdout.readline())
        assert first["event"] == "step"
        resumed.send_signal(signal.SIGINT)
        resumed.communicate()
        stopped = store.run(name).step
        assert stopped > first["step"]
        done = run_cli("resume", name, "--iterations", "40", "--json")
        end = json_lines(done.stdout)[-1]
        assert (end["state"], end["step"]) == ("finished", stopped + 40)
        points = [point.step for point in store.points(name)]
        assert points == list(range(0, points[-1] + 1, 20))
        again = run_cli("resume", name)
        assert (again.returncode, again.stderr.count("\n")) == (1, 1)
        assert "ask for more with --iterations" in again.stderr


@pytest.mark.slow
def test_stop_in_the_store_ends_a_run_of_the_command_line(own_home: Path) -> None:
    with long_training() as process:
        assert process.stdout is not None
        name = json.loads(process.stdout.readline())["run"]
        with Store(own_home) as store:
            wait_for(lambda: store.points(name), "a point")
            store.requests.stop(name)
        assert json_lines(process.stdout.read())[-1]["state"] == "stopped"


@pytest.mark.slow
def test_a_failed_run_exits_with_status_1_and_its_reason(tmp_path: Path) -> None:
    environment = os.environ | {"RNNLAB_MNIST_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "rnnlab", "train", "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment,
    )
    assert done.returncode == 1
    assert json_lines(done.stdout)[-1]["state"] == "failed"
    assert "train-images-idx3-ubyte.gz is missing" in done.stderr
    assert "Traceback" not in done.stderr


def test_runs_lists_the_newest_first(trained: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "--json"]) == 0
    listed = json_lines(capsys.readouterr().out)
    assert [(run["run"], run["state"], run["step"]) for run in listed] == [(trained, "finished", 60)]
    assert main(["runs"]) == 0
    assert trained in capsys.readouterr().out


def test_runs_of_an_empty_home_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "--json"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["runs"]) == 0
    assert "no run yet" in capsys.readouterr().out


def test_home_may_be_given_as_an_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "--home", str(tmp_path / "elsewhere")]) == 0
    assert (tmp_path / "elsewhere" / "runs.sqlite3").exists()


def test_read_answers_as_the_contract_says(
    trained: str, canvas: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blank = tmp_path / "blank.png"
    Image.new("RGB", (280, 280)).save(blank)
    assert main(["read", trained[:-2], str(canvas), str(blank), "--json"]) == 0
    answer, nothing = json_lines(capsys.readouterr().out)
    steps = {"reading_order", "decided_at", "first_ink_row"}
    assert set(answer) == {"image", "digit", "probability", *steps, "beliefs"}
    assert answer["reading_order"] == "down"
    assert 1 < answer["first_ink_row"] < 14
    beliefs = np.array(answer["beliefs"])
    assert beliefs.shape == (28, 10)
    assert answer["digit"] == beliefs[-1].argmax()
    assert answer["probability"] == pytest.approx(beliefs[-1].max(), abs=1e-6)
    assert (beliefs[answer["decided_at"] - 1 :].argmax(axis=1) == answer["digit"]).all()
    assert nothing == {"image": str(blank), "error": "blank"}


def test_an_unreadable_image_does_not_keep_the_others_from_being_read(
    trained: str, canvas: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "text.png"
    text.write_text("no picture")
    assert main(["read", "latest", str(text), "missing.png", str(canvas), "--json"]) == 1
    out, err = capsys.readouterr()
    bad, missing, good = json_lines(out)
    assert "not a picture" in bad["error"]
    assert "cannot be opened" in missing["error"]
    assert "digit" in good
    assert err.count("\n") == 1


def test_read_takes_the_weights_of_an_earlier_step(
    trained: str, store: Store, canvas: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from rnnlab.store.weight_history import WeightHistory

    WeightHistory(store.files(trained).make_folder()).maybe_snapshot(random_weights(16, seed=5), 20)
    assert main(["read", "latest", str(canvas), "--json"]) == 0
    newest = json_lines(capsys.readouterr().out)[0]
    assert main(["read", "latest", str(canvas), "--step", "20", "--json"]) == 0
    earlier = json_lines(capsys.readouterr().out)[0]
    assert earlier["beliefs"] != newest["beliefs"]
    assert main(["read", "latest", str(canvas), "--step", "30", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json_lines(out)[0]["beliefs"] == earlier["beliefs"]
    assert "using those of step 20" in err
    assert main(["read", "latest", str(canvas), "--step", "10"]) == 1
    assert "saved no weights" in capsys.readouterr().err


def test_a_run_without_weights_is_refused_in_one_line(
    store: Store, canvas: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from rnnlab.config import Config

    store.create_run(Config())
    assert main(["read", "latest", str(canvas)]) == 1
    err = capsys.readouterr().err
    assert "no weights" in err
    assert err.count("\n") == 1


def test_evaluate_answers_as_the_contract_says(trained: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", trained, "--json"]) == 0
    answer = json_lines(capsys.readouterr().out)[0]
    by_row = {"accuracy_by_row", "confidence_by_row", "calibration_error_by_row", "decisions_by_row"}
    named = {"data", "step", "reading_order", "test_accuracy", "decided_before_ink", "confusion", "mistakes"}
    assert set(answer) == {*named, *by_row}
    assert answer["reading_order"] == "down"
    assert answer["data"] == "bundled digits, 1,797 digits"
    confusion = np.array(answer["confusion"])
    assert confusion.shape == (10, 10)
    assert confusion.sum() == 360
    assert answer["test_accuracy"] == pytest.approx(np.trace(confusion) / 360)
    assert answer["accuracy_by_row"][-1] == answer["test_accuracy"]
    assert all(len(answer[name]) == 28 for name in by_row)
    assert sum(answer["decisions_by_row"]) == 360
    assert len(answer["mistakes"]) == 360 - np.trace(confusion)
    assert all(set(each) == {"index", "label", "read_as", "probability"} for each in answer["mistakes"])


def test_evaluate_says_by_which_row_digits_are_decided(
    trained: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["evaluate", trained])
    said = re.search(r"50% by row (\d+), 90% by row (\d+), 99% by row (\d+)", capsys.readouterr().out)
    assert said is not None
    rows = [int(row) for row in said.groups()]
    assert 1 <= rows[0] <= rows[1] <= rows[2] <= 28


def test_evaluate_refuses_other_data_than_the_run_was_trained_on(
    trained: str, store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import socket

    def no_network(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.delenv("RNNLAB_MNIST_DIR", raising=False)
    store.reports.set_data(trained, "mnist", "MNIST, 60,000 digits", "")
    assert main(["evaluate", trained]) == 1
    assert "was trained on MNIST" in capsys.readouterr().err


def test_reading_and_evaluating_need_no_tensorflow(trained: str, canvas: Path) -> None:
    code = (
        "import sys; from rnnlab.__main__ import main\n"
        f"main(['read', 'latest', {str(canvas)!r}]); main(['evaluate', 'latest']); main(['runs'])\n"
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_export_writes_a_file_that_loads_without_rnnlab(trained: str, tmp_path: Path) -> None:
    path = tmp_path / "network.keras"
    done = run_cli("export", "latest", str(path), "--json")
    assert done.returncode == 0, done.stderr
    assert json_lines(done.stdout) == [{"run": trained, "step": 60, "path": str(path)}]
    code = (
        "import sys, keras, numpy\n"
        "model = keras.models.load_model(sys.argv[1])\n"
        "assert model.predict(numpy.zeros((2, 28, 28)), verbose=0).shape == (2, 10)\n"
        "assert 'rnnlab' not in sys.modules"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert loaded.returncode == 0, loaded.stderr


def test_too_little_memory_is_said_in_a_sentence(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lacks(*_: object) -> None:
        np.empty(1 << 60, np.uint8)

    monkeypatch.setattr("rnnlab.model.evaluation.evaluate", lacks)
    assert main(["evaluate", add_trained_run(store)]) == 1
    said = capsys.readouterr().err
    assert said.endswith("There is not enough memory for this; close other programs and try again.\n")
    assert len(said.splitlines()) == 1
