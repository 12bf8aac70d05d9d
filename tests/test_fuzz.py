"""Values from outside that nobody would send in good faith: the reply is a result or a sentence, no crash."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from rnnlab import config_changes
from rnnlab.config import HYPERPARAMETERS, Config
from rnnlab.config_changes import CHANGEABLE
from rnnlab.dashboard.permissions import Permissions, PermissionsError
from rnnlab.data.preprocessing import DrawingError, PreparedDrawing, prepare
from rnnlab.hyperparameter import ConfigError
from rnnlab.model.reader import Reader
from rnnlab.presets import config_from
from rnnlab.store.database import StoreError
from rnnlab.store.store import Store
from tests.pages import lab, texts
from tests.weights import random_weights

ANYTHING = st.one_of(
    st.text(), st.floats(), st.integers(), st.booleans(), st.none(), st.binary(), st.lists(st.integers())
)
PATHS = [
    "",
    ".",
    "..",
    "../..",
    "/etc/passwd",
    "hand",
    "runs.sqlite3",
    "a/b",
    "a\\b",
    "%2e%2e/",
    "latest\x00",
]
MARKUP = ["<script>alert(1)</script>", "[x](javascript:alert(1))", "\u202egnp", "x" * 10_000, "' OR 1=1 --"]
NAMES = st.one_of(st.text(), st.sampled_from(PATHS + MARKUP))
many = settings(max_examples=1000, deadline=None)
some = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def one_sentence(error: Exception) -> None:
    text = str(error)
    assert text
    assert "\n" not in text
    assert len(text) < 600


@many
@given(st.sampled_from(list(HYPERPARAMETERS.values())), ANYTHING)
def test_a_hyperparameter_takes_what_is_within_its_bounds_and_nothing_else(
    hyperparameter: Any, value: object
) -> None:
    try:
        parsed = hyperparameter.parse(value)
    except ConfigError as error:
        one_sentence(error)
        return
    assert type(parsed) is hyperparameter.kind
    assert hyperparameter.parse(str(parsed)) == parsed
    if hyperparameter.choices:
        assert parsed in hyperparameter.choices
    else:
        assert hyperparameter.minimum <= parsed <= hyperparameter.maximum


@pytest.mark.slow
@many
@given(st.dictionaries(st.one_of(st.sampled_from(CHANGEABLE), st.text()), ANYTHING))
def test_changes_on_the_way_are_checked_as_strictly(values: dict[str, object]) -> None:
    try:
        checked = config_changes.validate(values)
    except ConfigError as error:
        one_sentence(error)
        return
    assert set(checked) <= set(CHANGEABLE)
    config_from(checked)


@some
@given(
    st.dictionaries(st.sampled_from([f"RNNLAB_{n.upper()}" for n in Permissions.__annotations__]), st.text())
)
def test_settings_are_read_or_refused(environment: dict[str, str]) -> None:
    try:
        assert Permissions.from_environment(environment).max_neurons >= 0
    except PermissionsError as error:
        one_sentence(error)


SHAPES = st.one_of(
    arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=40),
    st.sampled_from([(280, 280, 4), (1, 1), (28, 28), (280, 1), (300, 280, 3), (280, 280, 5)]),
)
KINDS = st.sampled_from([np.uint8, np.float32, np.float64, np.int64, np.bool_, np.complex64, "U3", np.uint16])


def checked_picture(prepared: PreparedDrawing | None) -> None:
    if prepared is not None:
        assert prepared.picture.shape == (28, 28)
        assert prepared.picture.dtype == np.uint8
        assert prepared.picture.any()
        assert prepared.row_height > 0


@pytest.mark.slow
@settings(max_examples=3000, deadline=None)
@given(st.data())
def test_thousands_of_canvases_are_prepared_or_refused(data: st.DataObject) -> None:
    kind: Any = data.draw(KINDS)
    shape = data.draw(SHAPES)
    canvas = np.zeros(shape, kind)
    for _ in range(data.draw(st.integers(0, 3)) if canvas.size and kind != "U3" else 0):
        place = tuple(
            slice(*sorted(data.draw(st.tuples(st.integers(0, n), st.integers(0, n))))) for n in shape
        )
        with np.errstate(all="ignore"):
            value = data.draw(st.sampled_from([0, 1, 20, 21, 255, -1, 1e30, np.nan, np.inf, -np.inf]))
            if np.isfinite(value) or np.issubdtype(kind, np.floating):
                canvas[place] = np.array(value).astype(kind)
    try:
        checked_picture(prepare(canvas))
    except DrawingError as error:
        one_sentence(error)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(-50, 330), st.integers(-50, 330)), min_size=2), max_size=100))
def test_a_hundred_strokes_are_read_like_any_drawing(strokes: list[list[tuple[int, int]]]) -> None:
    from PIL import ImageDraw

    canvas = Image.new("L", (280, 280))
    for stroke in strokes:
        ImageDraw.Draw(canvas).line(stroke, fill=255, width=20)
    prepared = prepare(np.asarray(canvas))
    checked_picture(prepared)
    if prepared:
        beliefs = Reader(random_weights()).read(prepared.picture[None]).beliefs
        np.testing.assert_allclose(beliefs.sum(axis=2), 1, rtol=1e-5)


@some
@given(NAMES)
def test_names_of_runs_from_outside_never_become_paths(store: Store, name: str) -> None:
    before = sorted(store.home.rglob("*"))
    for ask in (
        store.find,
        store.run,
        store.files,
        store.requests.stop,
        store.requests.resume,
        store.requests.step,
        lambda name: store.requests.train_further(name, 100),
        lambda name: store.requests.change(name, {"learning_rate": 0.1}),
    ):
        with pytest.raises(StoreError) as refused:
            ask(name)
        one_sentence(refused.value)
    store.requests.pause(name)
    assert sorted(store.home.rglob("*")) == before


@many
@given(st.dictionaries(st.one_of(st.sampled_from(list(HYPERPARAMETERS)), st.text()), ANYTHING))
def test_a_configuration_that_was_written_elsewhere_is_read_or_refused(values: dict[str, Any]) -> None:
    text = json.dumps({name: repr(v) if isinstance(v, bytes) else v for name, v in values.items()})
    try:
        assert isinstance(Config.from_json(text), Config)
    except ConfigError as error:
        one_sentence(error)


HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "../../etc/passwd",
    "\x00\x01",
    "NaN",
    "1e999",
    "-1",
    "9" * 400,
    "x" * 10_000,
    "$\\frac{1}{0}$ :red[text]",
]


@pytest.mark.usefixtures("no_workers")
@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_every_url_parameter_takes_hostile_text_without_a_traceback_or_markup(
    store: Store, value: str
) -> None:
    before = {path for path in store.home.rglob("*") if path.suffix != ".sqlite3-shm"}
    app = lab(run=value, preset=value, **dict.fromkeys(HYPERPARAMETERS, value))
    shown = [texts(app), *(warning.value for warning in app.warning)]
    for text in shown:
        assert not re.search(r"(?<!\\)<img|(?<!\\)\]\(|(?<!\\)\$", text)
    assert store.runs() == []
    assert {path for path in store.home.rglob("*") if path.suffix != ".sqlite3-shm"} == before
