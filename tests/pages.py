"""Helpers that run the pages with Streamlit's own `AppTest`, and add runs for them to show."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from PIL import Image
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Selectbox

from rnnlab.config import Config
from rnnlab.dashboard.session import Session
from rnnlab.runs import AccuracyPoint, Run
from rnnlab.store.store import Store
from tests.pens import draw_digit
from tests.weights import random_weights

APP = Path(__file__).parents[1] / "app.py"


def lab(**query: str) -> AppTest:
    """Open the Lab with URL parameters."""
    app = AppTest.from_file(str(APP), default_timeout=30)
    for name, value in query.items():
        app.query_params[name] = value
    return shown(app.run())


def shown(app: AppTest) -> AppTest:
    """Return the page after making sure that it shows no exception."""
    assert [error.value for error in app.exception] == []
    return app


def preset_box(app: AppTest) -> Selectbox[str]:
    """Return the choice of a preset."""
    return app.selectbox(key_now(app, "control_preset"))


def key_now(app: AppTest, control: str) -> str:
    """Return the key of a control's widget; it is another one each time the page sets the control."""
    count = app.session_state["rnnlab_session"].set_controls.get(control, 0)
    return f"{control}_{count}" if count else control


def component(app: AppTest, key: str) -> dict[str, Any]:
    """Return what a component of the page was given; the canvas' key ends with the name of the session."""
    keys = {key, f"{key}_{app.session_state['rnnlab_session'].name}"}
    found = [element for element in app.get("bidi_component") if element.key in keys]
    return dict(json.loads(found[0].proto.json))


def address(app: AppTest) -> dict[str, str]:
    """Return what the page's URL is to say."""
    return dict(app.session_state["rnnlab_session"].address)


def add_run(store: Store, config: Config | None = None, *, points: int = 3) -> Run:
    """Add a run that trains, with points and weights."""
    run = store.create_run(config or Config())
    store.reports.claim(run.id)
    for index in range(points):
        store.reports.add_point(run.id, AccuracyPoint(20 * index, 0.3 * index, 1.0, float(index)))
    random_weights().save(store.files(run.id).make_folder() / "weights.npz", 20 * points)
    return store.run(run.id)


def texts(app: AppTest) -> str:
    """Return all words of the page."""
    elements = [
        *app.markdown,
        *app.caption,
        *app.info,
        *app.warning,
        *app.error,
        *app.header,
        *app.subheader,
        *app.title,
    ]
    progress = [bar.proto.text for bar in app.get("progress")]
    return "\n".join([str(element.value) for element in elements] + progress)


def drawn(digit: str = "7") -> Session:
    """Return a visit during which a digit was drawn."""
    png = io.BytesIO()
    Image.fromarray(draw_digit(digit)).save(png, "PNG")
    visit = Session(page="")
    visit.drawing.receive(png.getvalue(), [{"type": "Path"}, {"type": "Path"}])
    return visit


def open_with_drawing() -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=30)
    app.session_state["rnnlab_session"] = drawn()
    return shown(app.run())
