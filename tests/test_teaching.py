"""Teach it your hand: the page (by Streamlit's `AppTest`), and a worker that learns from saved drawings."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from rnnlab.data.labelled_drawings import LabelledDrawings
from rnnlab.model.weights import Weights
from rnnlab.presets import config_from, teaching_config
from rnnlab.runs import RunState
from rnnlab.store.store import Store
from rnnlab.worker.job import execute
from tests.pages import add_run, address, component, lab, open_with_drawing, shown, texts
from tests.test_labelled_drawings import png

pytestmark = pytest.mark.usefixtures("no_workers")


def is_disabled(app: AppTest, key: str) -> bool:
    return bool(app.button(key=key).disabled)


def teaching(app: AppTest) -> AppTest:
    """Begin to teach."""
    app.button(key="teach").click().run()
    return shown(app)


def own_drawings(store: Store, app: AppTest) -> LabelledDrawings:
    """Return the drawings of the visitor of a page."""
    secret = bytes.fromhex(app.session_state["rnnlab_session"].name)
    return store.labelled_drawings(hashlib.sha256(secret).hexdigest()[:16])


def hint(app: AppTest) -> str:
    """Return what the page says while the canvas is blank."""
    return str(component(app, "belief")["hint"])


def canvas_strokes(app: AppTest) -> list[object]:
    """Return the strokes that the canvas shows."""
    return list(component(app, "canvas")["initialDrawing"]["objects"])


def test_a_tap_on_a_digit_keeps_the_drawing_and_clears_the_canvas_for_the_next(store: Store) -> None:
    add_run(store)
    app = teaching(open_with_drawing())
    app.button(key="teach_7").click().run()
    assert [drawing.label for drawing in own_drawings(store, app).drawings()] == [7]
    assert canvas_strokes(shown(app)) == []
    assert "Kept as a 7." in hint(app)
    assert "1 kept; 19 more are worth it." in hint(app)
    assert store.labelled_drawings().count() == 0


def test_undo_brings_a_kept_drawing_back_and_takes_it_out_of_the_set(store: Store) -> None:
    add_run(store)
    app = teaching(open_with_drawing())
    app.button(key="teach_1").click().run()
    app.button(key="undo").click().run()
    assert own_drawings(store, app).drawings() == []
    assert len(canvas_strokes(shown(app))) == 2
    assert "beliefs" in component(app, "belief")
    app.button(key="teach_7").click().run()
    assert [drawing.label for drawing in own_drawings(store, app).drawings()] == [7]


def test_a_second_tap_on_the_blank_canvas_keeps_nothing_and_a_tap_before_a_drawing_says_so(
    store: Store,
) -> None:
    add_run(store)
    app = teaching(open_with_drawing())
    app.button(key="teach_7").click().run()
    app.button(key="teach_7").click().run()
    assert "Kept as a 7." in hint(shown(app))
    assert own_drawings(store, app).count() == 1
    app = teaching(lab())
    app.button(key="teach_3").click().run()
    assert "Draw a 3 first" in hint(shown(app))
    assert is_disabled(app, "teach_start")
    assert own_drawings(store, app).count() == 0


def test_enough_drawings_are_said_to_be_enough(store: Store) -> None:
    add_run(store)
    app = teaching(open_with_drawing())
    for _ in range(19):
        own_drawings(store, app).add(png("7"), 7)
    app.button(key="teach_7").click().run()
    assert "20 kept, enough to train on." in hint(shown(app))


def test_the_drawings_of_one_visitor_are_not_those_of_another(store: Store) -> None:
    store.labelled_drawings("somebody else").add(png("0"), 0)
    shared = store.labelled_drawings().add(png("1"), 1)
    add_run(store)
    app = with_list(teaching(open_with_drawing()))
    assert app.button(key="teach_start").label == "Train on 1"
    assert removable(app) == []
    assert "Shared" in texts(app)
    app.button(key="teach_7").click().run()
    (own,) = own_drawings(store, app).drawings()
    assert removable(app) == [f"remove_{own.id}"]
    assert app.button(key="teach_start").label == "Train on 2"
    assert [each.id for each in store.labelled_drawings().drawings()] == [shared.id]


def removable(app: AppTest) -> list[str]:
    """Return the keys of the buttons that remove a drawing."""
    return [str(button.key) for button in app.button if str(button.key).startswith("remove_")]


def with_list(app: AppTest) -> AppTest:
    """Open the list of the drawings that are kept."""
    app.session_state["drawings"] = True
    return shown(app.run())


@pytest.fixture
def everybody_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the operator say that all visitors share one set."""
    monkeypatch.setenv("RNNLAB_SHARED_DRAWINGS", "1")


@pytest.mark.usefixtures("everybody_shares")
def test_an_operator_can_have_all_visitors_share_one_set(store: Store) -> None:
    before = store.labelled_drawings().add(png("1"), 1)
    add_run(store)
    app = with_list(teaching(open_with_drawing()))
    app.button(key="teach_7").click().run()
    assert sorted(each.label for each in store.labelled_drawings().drawings()) == [1, 7]
    assert own_drawings(store, app).count() == 0
    app.button(key=f"remove_{before.id}").click().run()
    assert [each.label for each in store.labelled_drawings().drawings()] == [7]


def test_a_drawing_is_removed_without_a_question_and_can_be_brought_back(store: Store) -> None:
    add_run(store)
    app = teaching(open_with_drawing())
    own = own_drawings(store, app)
    gone, kept = own.add(png("3"), 3), own.add(png("0"), 0)
    with_list(app).button(key=f"remove_{gone.id}").click().run()
    assert "A 3 was removed." in texts(shown(app))
    assert [drawing.id for drawing in own.drawings()] == [kept.id]
    app.button(key="undo_removal").click().run()
    shown(app)
    assert [drawing.id for drawing in own.drawings()] == [kept.id, gone.id]
    np.testing.assert_array_equal(own.drawings()[1].picture, gone.picture)


def test_one_button_trains_the_network_on_show_in_a_run_of_its_own(
    store: Store, no_workers: list[str]
) -> None:
    store.labelled_drawings().add(png("7"), 7)
    run = add_run(store)
    app = teaching(lab())
    no_workers.clear()
    app.button(key="teach_start").click().run()
    shown(app)
    newest = store.runs()[0]
    assert (newest.parent, newest.config) == (run.id, teaching_config(run.config))
    assert store.files(newest.id).start.read_bytes() == store.files(run.id).weights.read_bytes()
    assert address(app)["run"] == newest.id
    assert no_workers


def test_a_network_without_weights_cannot_be_taught(store: Store) -> None:
    store.labelled_drawings().add(png("7"), 7)
    store.create_run(config_from({}))
    assert is_disabled(teaching(lab()), "teach_start")


def test_a_full_or_broken_place_for_drawings_is_one_sentence_and_the_drawing_stays(store: Store) -> None:
    add_run(store)
    (store.home / "hands").write_text("in the way")
    app = teaching(open_with_drawing())
    app.button(key="teach_7").click().run()
    assert any("cannot be saved" in warning.value for warning in shown(app).warning)
    assert len(canvas_strokes(app)) == 2


def test_a_taught_network_reads_the_drawing_as_it_was_told(store: Store) -> None:
    """A network that has learned nothing else and is told that a 7 is a 3 learns just that."""
    from rnnlab.data.preprocessing import prepare
    from rnnlab.model.reader import Reader
    from tests.pens import draw_digit

    store.labelled_drawings("ann").add(png("7"), 3)
    parent = add_run(store, config_from({"dataset": "digits", "neurons": 16}))
    config = replace(teaching_config(parent.config), learning_rate=0.01)
    run = store.create_run(config, claimed=True, parent=parent.id, owner="ann")
    assert execute(store, run) is RunState.FINISHED
    prepared = prepare(draw_digit("7"))
    assert prepared is not None
    reader = Reader(Weights.load(store.files(run.id).weights)[0])
    assert int(reader.read(prepared.picture[None]).beliefs[0, -1].argmax()) == 3


def test_a_damaged_start_ends_the_run_with_one_sentence(store: Store) -> None:
    store.labelled_drawings().add(png("7"), 7)
    parent = add_run(store, config_from({"dataset": "digits", "neurons": 16}))
    run = store.create_run(teaching_config(parent.config), claimed=True, parent=parent.id)
    store.files(run.id).start.write_bytes(b"damaged")
    assert execute(store, run) is RunState.FAILED
    assert "is damaged" in store.run(run.id).message


def test_a_run_learns_from_the_drawings_of_its_owner_and_the_shared_ones_and_keeps_them(store: Store) -> None:
    for owner, digit in (("ann", "7"), ("bob", "0"), ("", "1")):
        store.labelled_drawings(owner).add(png(digit), int(digit))
    learned = {}
    for owner in ("ann", "bob", "", "../ann"):
        run = store.create_run(config_from({"your_hand": 0.3}), owner=owner)
        files = store.files(run.id)
        files.copy_labelled_drawings(run.owner)
        store.labelled_drawings(owner).add(png("3"), 3)
        files.copy_labelled_drawings(run.owner)  # as when it is resumed
        learned[owner] = sorted(each.label for each in LabelledDrawings(files.labelled_drawings).drawings())
        for each in store.labelled_drawings(owner).drawings():
            if each.label == 3:
                store.labelled_drawings(owner).remove(each.id)
    assert learned == {"ann": [1, 7], "bob": [0, 1], "": [1], "../ann": [1]}


@pytest.mark.parametrize("owner", ["ann@example.org", "../../etc", "a/b", "C:\\x", "\ud800", "\0", "." * 300])
def test_the_name_of_a_visitor_is_never_part_of_a_path(store: Store, owner: str) -> None:
    store.labelled_drawings(owner).add(png("7"), 7)
    (folder,) = (store.home / "hands").iterdir()
    assert re.fullmatch("[0-9a-f]{32}", folder.name)
    assert store.labelled_drawings(owner).count() == 1
