"""Files and folders in a home that the lab has not made, and files of its own that say what cannot be."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from PIL import Image

from rnnlab.__main__ import main
from rnnlab.data.labelled_drawings import LabelledDrawings
from rnnlab.presets import config_from
from rnnlab.runs import RunState
from rnnlab.store.database import StoreError
from rnnlab.store.run_files import labelled_drawings_folder
from rnnlab.store.store import Store
from rnnlab.training.checkpoint import Checkpoint
from rnnlab.worker.job import execute
from tests.pens import draw_digit, png
from tests.workers import SHORT, give_weights


def trained(store: Store) -> str:
    """Return a finished run with 60 steps, and a snapshot every 20 of them."""
    run = store.create_run(SHORT)
    give_weights(store, run)
    claimed = store.reports.claim(run.id)
    assert claimed is not None
    assert execute(store, claimed) is RunState.FINISHED
    return run.id


def litter(folder: Path) -> list[Path]:
    """Put into a run's folder what people and programs leave there; return it."""
    (folder / "steps").mkdir(exist_ok=True)
    files = [
        *("steps/000000020 (copy).npz", "steps/000000020.npz~", "steps/.DS_Store", "steps/1.npz"),
        *(".notes.npz.txt", "weights (1).npz", "checkpoint.npz.bak", "Thumbs.db", "hand.txt"),
    ]
    folders = ["steps/000000999.npz", "steps/000000080.npz", "weights", ".kept.npz.1.2"]
    for name in files:
        (folder / name).write_bytes(b"somebody's")
    for name in folders:
        (folder / name).mkdir()
    return [folder / name for name in [*files, *folders]]


def test_a_run_is_read_and_trained_further_whatever_else_lies_in_its_folder(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(store)
    strays = litter(store.files(run).folder)
    picture = tmp_path / "seven.png"
    Image.fromarray(draw_digit("7")).save(picture)
    assert main(["read", run, str(picture), "--step", "39", "--json"]) == 0
    printed = capsys.readouterr()
    assert "digit" in json.loads(printed.out)
    assert "using those of step 20" in printed.err
    store.requests.train_further(run, 60)
    claimed = store.reports.claim(run)
    assert claimed is not None
    assert execute(store, claimed) is RunState.FINISHED
    assert store.run(run).step == 120
    assert all(path.exists() for path in strays)


def test_a_run_learns_from_drawings_whatever_else_lies_beside_them(store: Store) -> None:
    drawings = store.labelled_drawings()
    drawings.add(png("7"), 7)
    folder = labelled_drawings_folder(store.home)
    (folder / "notes.txt").write_text("mine")
    (folder / "lost.png").symlink_to(folder / "nowhere.png")
    (folder / "3-0000000000000000-00000000.png").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe")
    files = store.files(store.create_run(config_from({"your_hand": 0.3})).id)
    files.copy_labelled_drawings("")
    assert len(LabelledDrawings(files.labelled_drawings).drawings()) == 1
    assert len(list(files.labelled_drawings.iterdir())) == 1


def test_what_no_run_can_be_called_is_no_run(store: Store, own_home: Path) -> None:
    run = store.create_run(SHORT).id
    record = (own_home / run / "run.json").read_bytes()
    for name in (f"{run} (copy)", run.upper(), "x-y", "a" * 100 + "-b-0000"):
        (own_home / name).mkdir()
        (own_home / name / "run.json").write_bytes(record)
    store.close()
    (own_home / "runs.sqlite3").write_bytes(b"")
    with Store(own_home) as again:
        assert [each.id for each in again.runs()] == [run]


@pytest.mark.parametrize(
    ("step", "said"),
    [(2**62, "is damaged (its step or its time cannot be)"), (61, "a step beyond the 60 that the run has")],
)
def test_a_checkpoint_of_a_step_that_its_run_does_not_have_does_not_finish_it(
    store: Store, step: int, said: str
) -> None:
    run = trained(store)
    path = store.files(run).checkpoint
    Checkpoint(step, 1.0, Checkpoint.load(path).network).save(path)
    store.requests.train_further(run, 60)
    claimed = store.reports.claim(run)
    assert claimed is not None
    assert execute(store, claimed) is RunState.FAILED
    ended = store.run(run)
    assert said in ended.message
    assert len(ended.message.splitlines()) == 1
    assert (ended.state, ended.step) == (RunState.FAILED, 60)
    assert [point.step for point in store.points(run)] == [0, 20, 40]


@pytest.mark.parametrize("kind", ["folder", "pipe", "link"])
def test_something_else_in_the_place_of_the_list_is_said_in_a_sentence(own_home: Path, kind: str) -> None:
    own_home.mkdir()
    path = own_home / "runs.sqlite3"
    if kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to(own_home / "no-folder" / "runs.sqlite3")
    elif hasattr(os, "mkfifo"):
        os.mkfifo(path)
    else:
        pytest.skip("this system has no pipes with names")
    with pytest.raises(StoreError) as told:
        Store(own_home)
    assert len(str(told.value).splitlines()) == 1
