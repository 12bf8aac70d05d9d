"""The choice of a network in the sidebar, its number of parameters, and the map of the error."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from rnnlab.config import Config
from rnnlab.dashboard.charts.error_map import describe_reach, error_reach_json
from rnnlab.model.architecture import Architecture
from rnnlab.presets import PRESETS
from rnnlab.store.error_history import ErrorReaches
from rnnlab.store.store import Store
from tests.pages import add_run, component, key_now, lab, preset_box, shown


def choose(app: AppTest, name: str, value: str) -> AppTest:
    return shown(app.selectbox(key_now(app, f"control_{name}")).select(value).run())


def neurons(app: AppTest) -> int:
    return int(app.number_input(key_now(app, "control_neurons")).value or 0)


def captions(app: AppTest) -> str:
    return " ".join(caption.value for caption in app.sidebar.caption)


@pytest.mark.parametrize(
    ("architecture", "expected"),
    [
        (Architecture("lstm", 1, 128), 28 * 128 + 128 + 128 * 4 * 257 + 1290),
        (Architecture("gru", 1, 128), 28 * 128 + 128 + 128 * 3 * 258 + 1290),
        (Architecture("simple_rnn", 2, 64), 28 * 64 + 64 + 2 * 64 * 129 + 650),
    ],
)
def test_parameters_are_counted(architecture: Architecture, expected: int) -> None:
    assert architecture.parameters == expected


@pytest.mark.parametrize("cell", ["gru", "simple_rnn"])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_networks_of_other_cells_can_have_about_as_many_parameters(cell: str, layers: int) -> None:
    lstm = Architecture("lstm", 1, 96)
    like = Architecture(cell, layers, 8).with_parameters_like(lstm)
    assert like.parameters == pytest.approx(lstm.parameters, rel=0.02)
    back = Architecture("lstm", 1, 8).with_parameters_like(like)
    assert back.neurons == pytest.approx(96, abs=1)


def test_the_page_says_how_many_parameters_the_network_has() -> None:
    app = lab()
    assert f"{Architecture().parameters:,} parameters" in captions(app)
    choose(app, "cell", "gru")
    assert f"{Architecture('gru').parameters:,} parameters" in captions(app)
    assert neurons(app) == 128


def test_a_switch_keeps_the_parameters_when_the_cell_or_the_layers_change() -> None:
    app = lab()
    shown(app.toggle("keep_parameters").set_value(True).run())
    choose(app, "cell", "simple_rnn")
    expected = Architecture("simple_rnn", 1).with_parameters_like(Architecture())
    assert neurons(app) == expected.neurons
    assert f"{expected.parameters:,} parameters" in captions(app)
    choose(app, "cell", "lstm")
    assert neurons(app) == pytest.approx(128, abs=1)
    shown(app.number_input(key_now(app, "control_layers")).set_value(2).run())
    two = Architecture("lstm", 2).with_parameters_like(Architecture("lstm", 1, neurons(app)))
    assert neurons(app) == pytest.approx(two.neurons, abs=60)
    assert neurons(app) < 128


def test_an_address_chooses_the_network(store: Store) -> None:
    app = lab(cell="gru", layers="2", reading_order="right", neurons="16")
    app.button("start").click().run()
    (run,) = store.runs()
    assert Architecture.of(run.config) == Architecture("gru", 2, 16, "right")


def test_old_links_and_old_runs_are_an_lstm_of_one_layer_that_reads_down() -> None:
    old = json.loads(Config(neurons=16).to_json())
    for name in ("cell", "layers", "reading_order"):
        del old[name]
    assert Architecture.of(Config.from_json(json.dumps(old))) == Architecture("lstm", 1, 16, "down")


def test_the_map_of_the_error_is_shown_below_the_curve_if_it_is_switched_on(store: Store) -> None:
    run = add_run(store)
    history = store.files(run.id).error_history()
    for step in (0, 20, 40):
        history.add(step, np.geomspace(1e-3, 1, 28).astype(np.float32))
    app = lab()
    assert "error_reach" not in {element.key for element in app.get("bidi_component")}
    shown(app.toggle("with_reach").set_value(True).run())
    plot = component(app, "error_reach")
    (shown_map,) = plot["figure"]["data"]
    assert (shown_map["type"], shown_map["z"]["shape"]) == ("heatmap", "28, 3")
    assert "0.001 times as much reaches the first row as the last" in plot["description"]


def test_of_a_run_without_records_the_page_says_that_none_are_known(store: Store) -> None:
    add_run(store)
    app = lab()
    shown(app.toggle("with_reach").set_value(True).run())
    assert any("Nothing is known" in caption.value for caption in app.main.caption)


def test_of_a_long_run_some_steps_are_shown_and_the_newest() -> None:
    steps = np.arange(0, 20_000, 20)
    reaches = ErrorReaches(steps, np.ones((len(steps), 28), np.float32))
    (shown_map,) = error_reach_json(reaches, "run")["data"]
    found = np.frombuffer(base64.b64decode(shown_map["x"]["bdata"]), np.float32)
    assert len(found) <= 241
    assert (found[0], found[-1]) == (0, steps[-1])


def test_a_preset_brings_its_steps_unless_somebody_has_chosen_others() -> None:
    app = lab()
    preset_box(app).select("quick").run()
    steps = app.number_input(key=key_now(app, "control_iterations"))
    assert steps.value == PRESETS["quick"].iterations
    preset_box(app).select("default").run()
    assert app.number_input(key=key_now(app, "control_iterations")).value == 20_000
    app.number_input(key=key_now(app, "control_iterations")).set_value(500).run()
    preset_box(shown(app)).select("quick").run()
    assert app.number_input(key=key_now(app, "control_iterations")).value == 500


def test_the_map_of_a_network_that_reads_columns_speaks_of_columns() -> None:
    reaches = ErrorReaches(np.array([0]), np.ones((1, 28), np.float32))
    figure = error_reach_json(reaches, "run", "left")
    assert figure["layout"]["yaxis"]["title"]["text"] == "columns read"
    assert "of the last column's" in figure["data"][0]["hovertemplate"]
    assert "the first column as the last" in describe_reach(reaches, "left")
    assert error_reach_json(reaches, "run")["layout"]["yaxis"]["title"]["text"] == "rows read"
