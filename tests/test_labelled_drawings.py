"""The "your hand" set: real files in a real folder."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rnnlab.config import Config
from rnnlab.data import labelled_drawings
from rnnlab.data.datasets import Dataset
from rnnlab.data.errors import DatasetError
from rnnlab.data.labelled_drawings import LabelledDrawingError, LabelledDrawings
from rnnlab.data.preprocessing import prepare
from rnnlab.data.training_set import load_training_set
from rnnlab.presets import config_from, preset_of, teaching_config
from tests.pens import draw_digit


def png(digit: str, pen: int = 20) -> bytes:
    file = io.BytesIO()
    Image.fromarray(draw_digit(digit, pen=pen)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def own_hand(tmp_path: Path) -> LabelledDrawings:
    return LabelledDrawings(tmp_path / "hand")


def test_a_drawing_is_kept_with_its_digit_and_prepared_as_the_network_sees_it(
    own_hand: LabelledDrawings,
) -> None:
    own_hand.add(png("3"), 3)
    (kept,) = own_hand.drawings()
    prepared = prepare(draw_digit("3"))
    assert prepared is not None
    assert kept.label == 3
    np.testing.assert_array_equal(kept.picture, prepared.picture)


def test_drawings_are_listed_newest_first_and_can_be_learned_from(own_hand: LabelledDrawings) -> None:
    assert own_hand.drawings() == []
    for digit in ("7", "0", "1"):
        own_hand.add(png(digit), int(digit))
    assert [drawing.label for drawing in own_hand.drawings()] == [1, 0, 7]
    pictures, labels = own_hand.examples()
    assert pictures.shape == (3, 28, 28)
    assert labels.tolist() == [1, 0, 7]


def test_each_drawing_can_be_removed_and_no_other_file(own_hand: LabelledDrawings, tmp_path: Path) -> None:
    stranger = tmp_path / "stranger.png"
    stranger.write_bytes(b"stranger")
    first, second = own_hand.add(png("7"), 7), own_hand.add(png("0"), 0)
    own_hand.remove(first.id)
    own_hand.remove(first.id)
    own_hand.remove("../stranger.png")
    assert [drawing.id for drawing in own_hand.drawings()] == [second.id]
    assert stranger.exists()


@pytest.mark.parametrize("picture", [b"", b"no picture", png("3")[:100], b"x" * 2_000_000])
def test_what_is_no_picture_is_refused_in_one_sentence(own_hand: LabelledDrawings, picture: bytes) -> None:
    with pytest.raises(LabelledDrawingError, match=r"^[^\n]*\.$"):
        own_hand.add(picture, 3)
    assert own_hand.drawings() == []


def test_a_blank_canvas_and_a_digit_beyond_nine_are_refused(own_hand: LabelledDrawings) -> None:
    blank = io.BytesIO()
    Image.new("RGBA", (280, 280), "black").save(blank, "PNG")
    for picture, label in ((blank.getvalue(), 3), (png("3"), 10), (png("3"), -1)):
        with pytest.raises(LabelledDrawingError, match="a digit from 0 to 9"):
            own_hand.add(picture, label)


def test_a_full_set_says_so(own_hand: LabelledDrawings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labelled_drawings, "MAX_DRAWINGS", 2)
    own_hand.add(png("7"), 7)
    own_hand.add(png("7"), 7)
    with pytest.raises(LabelledDrawingError, match="remove some first"):
        own_hand.add(png("7"), 7)


def test_damaged_and_foreign_files_are_passed_over(own_hand: LabelledDrawings, tmp_path: Path) -> None:
    kept, damaged = own_hand.add(png("7"), 7), own_hand.add(png("0"), 0)
    (tmp_path / "hand" / damaged.id).write_bytes(b"damaged")
    (tmp_path / "hand" / "notes.txt").write_text("not a drawing")
    assert [drawing.id for drawing in own_hand.drawings()] == [kept.id]


def test_a_place_that_is_no_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "hand").write_text("in the way")
    with pytest.raises(LabelledDrawingError, match="cannot be saved"):
        LabelledDrawings(tmp_path / "hand").add(png("7"), 7)


def test_drawings_make_up_the_share_of_the_training_images_that_is_asked_for(
    own_hand: LabelledDrawings,
) -> None:
    config = config_from({"dataset": "digits", "your_hand": 0.25, "nonsense": 0})
    own_hand.add(png("7"), 7)
    own_hand.add(png("0"), 0)
    plain = load_training_set(config_from({"dataset": "digits", "nonsense": 0}))
    mixed = load_training_set(config, own_hand)
    added = mixed.train_images[len(plain.train_images) :]
    assert len(added) / len(mixed.train_images) == pytest.approx(0.25, abs=0.001)
    assert len(np.unique(added, axis=0)) == 2
    np.testing.assert_array_equal(mixed.test_images, plain.test_images)


def test_without_drawings_there_is_nothing_to_learn_from(own_hand: LabelledDrawings, digits: Dataset) -> None:
    with pytest.raises(DatasetError, match="draw a digit and name it"):
        load_training_set(config_from({"dataset": "digits", "your_hand": 0.25}), own_hand)


@pytest.mark.parametrize("preset", ["default", "best", "notebook"])
def test_a_hand_is_taught_in_a_short_run_of_the_same_network(preset: str) -> None:
    config = config_from({"neurons": 64, "dataset": "digits", "seed": 5}, preset)
    taught = teaching_config(config)
    assert taught.your_hand > 0
    assert taught.iterations <= 500
    for name in ("neurons", "dataset", "seed", "row_loss_mix", "extra_digits", "nonsense"):
        assert getattr(taught, name) == getattr(config, name)
    assert preset_of(taught) is None
    assert preset_of(Config()) == "default"
