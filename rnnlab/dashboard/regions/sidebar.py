"""The sidebar: hyperparameters, presets, Start."""

from __future__ import annotations

import itertools
from typing import Any

import streamlit as st

from rnnlab.config import HYPERPARAMETERS, Config
from rnnlab.dashboard import address, controls
from rnnlab.dashboard.app_state import app_state
from rnnlab.dashboard.components.shortcut_switch import START, shortcut_switch
from rnnlab.dashboard.controls import control_key
from rnnlab.dashboard.regions import messages
from rnnlab.dashboard.regions.exact_number import refusal, slider_with_field, take_over_slider, take_over_text
from rnnlab.dashboard.session import session
from rnnlab.dashboard.text import plain
from rnnlab.dashboard.visitor import visitor
from rnnlab.data import datasets
from rnnlab.hyperparameter import ConfigError, Hyperparameter, Value
from rnnlab.model.architecture import Architecture
from rnnlab.presets import FREE, PRESET_HELP, PRESETS, config_from, nearest_preset, preset_of, settings_query
from rnnlab.runs import Run

_FEW_FOR_BEST = 6_000
"""Steps below which nobody has measured the preset `best`; with those of `PRESETS` it reads best."""

_PRESET_KEY = "control_preset"

_KEEP_PARAMETERS_KEY = "keep_parameters"

_KEEP_PARAMETERS_HELP = (
    "Parameters are the numbers that the network learns: its weights and biases. With this switch on, "
    "another cell or number of layers gets as many neurons as give the same number of parameters, so that "
    "a comparison is fair."
)

_NETWORK_KEYS = (control_key("cell"), control_key("layers"))


def render(run: Run | None) -> None:
    """Render the controls, the button that starts a run with their values, and the data set in use."""
    with st.container(gap="small"):
        _presets()
        for hyperparameter in HYPERPARAMETERS.values():
            if hyperparameter.name == "neurons":
                with st.container(key="size", horizontal=True, gap="small"):
                    _control(hyperparameter)
                    _control(HYPERPARAMETERS["cell"])
            elif not hyperparameter.advanced and hyperparameter.name != "cell":
                _control(hyperparameter)
        _steps_of_best()
        with st.expander("More", icon=":material/tune:"):
            _advanced()
        if app_state().permissions.read_only:
            st.caption("This page is for watching and drawing; nothing is started here.")
        else:
            start_button(st.container(), shortcut=START)
        _data(run)
        if not app_state().permissions.read_only:
            shortcut_switch(key="shortcut_switch")
    remembered = session()
    remembered.settings = settings_query(config())
    remembered.address |= remembered.settings


def _advanced() -> None:
    """Render the controls under More, group by group."""
    advanced = [hyperparameter for hyperparameter in HYPERPARAMETERS.values() if hyperparameter.advanced]
    for group, members in itertools.groupby(advanced, key=lambda hyperparameter: hyperparameter.group):
        st.markdown(f"**{group[:1].upper()}{group[1:]}**")
        for hyperparameter in members:
            _control(hyperparameter)
            if hyperparameter.name == "layers":
                _parameters()


def start_button(
    place: st.delta_generator.DeltaGenerator,
    label: str = "Start",
    key: str = "start",
    shortcut: str | None = None,
    *,
    wide: bool = True,
) -> None:
    """Render a button that starts a run with the values of the controls; `wide`: as wide as its place."""
    place.button(
        label,
        icon=":material/play_arrow:",
        type="primary",
        width="stretch" if wide else "content",
        key=key,
        shortcut=shortcut,
        on_click=_start,
        help="Trains a new network with these values in the background.",
    )


def config() -> Config:
    """Return the configuration that Start would begin with."""
    return config_from(_values())


def _values() -> dict[str, Value]:
    """Return the values of the controls, or defaults before they have been rendered."""
    return {name: controls.value(control_key(name), h.default) for name, h in HYPERPARAMETERS.items()}


def _presets() -> None:
    """Render the choice of a preset; if the controls match none, it names the nearest one as changed."""

    def choose() -> None:
        controls.receive(_PRESET_KEY)
        chosen = controls.value(_PRESET_KEY, current)
        if chosen in PRESETS:
            # Steps that nobody has chosen are those of the preset, such as the few of `quick`.
            dropped = {"iterations"} if has_its_steps else set()
            unchanged = {name: _values()[name] for name in FREE if name not in dropped}
            address.set_controls(config_from(unchanged, chosen))

    present = config()
    has_its_steps = present.iterations == PRESETS[nearest_preset(present)[0]].iterations
    current = preset_of(present) or f"{nearest_preset(present)[0]}, changed"
    options = [*PRESETS, *([] if current in PRESETS else [current])]
    help_text = "\n".join(f"- **{name}**: {text}" for name, text in PRESET_HELP.items())
    controls.set_value(_PRESET_KEY, current)
    key = controls.widget_key(_PRESET_KEY)
    with st.container(key="preset"):
        st.selectbox("preset", options, options.index(current), key=key, on_change=choose, help=help_text)


def _parameters() -> None:
    """Say how many parameters the network has, with a switch that keeps their number."""
    with st.container(key="parameters", horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f"{Architecture.of(config()).parameters:,} parameters")
        st.toggle(
            "keep this number", key=_KEEP_PARAMETERS_KEY, persist_state="session", help=_KEEP_PARAMETERS_HELP
        )


def _change_network(key: str) -> None:
    """Take over another cell or number of layers; keep the number of parameters if that is switched on."""
    before = Architecture.of(config())
    controls.receive(key)
    after = Architecture.of(config())
    if st.session_state.get(_KEEP_PARAMETERS_KEY):
        controls.set_value(control_key("neurons"), after.with_parameters_like(before).neurons)


def _steps_of_best() -> None:
    """Say that the steps are too few for the preset `best`, if so."""
    present = config()
    if preset_of(present) == "best" and present.iterations < _FEW_FOR_BEST:
        st.caption(f"**best** needs about {PRESETS['best'].iterations:,} steps.")


def _control(hyperparameter: Hyperparameter) -> None:
    """Render the control of one hyperparameter."""
    hyperparameter_control(hyperparameter, control_key(hyperparameter.name), hyperparameter.default)


def hyperparameter_control(hyperparameter: Hyperparameter, key: str, value: Value) -> Value:
    """Render a control of a hyperparameter and return its value.

    The browser is told the value with every rendering. If only the first told it, and the next came before
    that one was sent, the browser would show a value of its own, and send it with the next click.

    Args:
        hyperparameter: Its label, help, kind and bounds.
        key: Key of the control.
        value: What it is set to when it is rendered for the first time.
    """
    h = hyperparameter
    now = controls.value(key, value)
    controls.set_value(key, now)
    label = f"{h.label} ({h.unit})" if h.unit else h.label
    if h.scale == "log":
        return slider_with_field(h, key, label, _help_of(h))
    receive = _change_network if key in _NETWORK_KEYS else controls.receive
    common: dict[str, Any] = {"key": controls.widget_key(key), "on_change": receive, "args": (key,)}
    common |= {"help": _help_of(h), "persist_state": "session"}
    if h.choices:
        options = list(h.choices)
        index = options.index(now)
        chosen: Value = st.selectbox(label, options, index, format_func=h.choices.__getitem__, **common)
        return chosen
    if h.typed:
        return float(st.number_input(label, h.minimum, h.maximum, now, step=h.step, format="%g", **common))
    if h.kind is float:
        return float(st.slider(label, h.minimum, h.maximum, now, step=h.step, **common))
    bounds = int(h.minimum or 0), int(h.maximum or 0)
    return int(st.number_input(label, *bounds, now, step=int(h.step or 1), **common))


def _help_of(hyperparameter: Hyperparameter) -> str:
    """Return the help text beside the control of a hyperparameter."""
    h = hyperparameter
    return h.help if h.choices else f"{h.help} From {h.minimum:,g} to {h.maximum:,g}."


def _start() -> None:
    """Queue a run with the values of the controls and wake a worker; a second press at once does nothing."""
    remembered = session()
    known = len(remembered.problems)
    with messages.collect_errors():
        wanted = config_from(
            {h.name: value_at_press(h, control_key(h.name)) for h in HYPERPARAMETERS.values()}
        )
        if remembered.is_second_press(wanted):
            return
        remembered.run_id = app_state().start(wanted, visitor()).id
    remembered.answered += 1
    remembered.is_refused = len(remembered.problems) > known
    if remembered.is_refused:
        remembered.started = None  # so that a second press says again why


def value_at_press(hyperparameter: Hyperparameter, key: str) -> Value:
    """Return the value of a control, with what was chosen or typed just before another one was pressed.

    Args:
        hyperparameter: What it is a control of.
        key: Key of the control.

    Raises:
        ConfigError: What was typed is no value of it.
    """
    if hyperparameter.scale == "log":
        take_over_slider(key)
        take_over_text(hyperparameter, key)
        if problem := refusal(key):
            raise ConfigError(problem)
    else:
        controls.receive(key)
    value: Value = controls.value(key, hyperparameter.default)
    return value


def _data(run: Run | None) -> None:
    """Say which data set the run on show uses, or a new run would use."""
    if run is not None and run.data:
        text = run.data
    elif config().dataset in datasets.BUNDLED:
        text = datasets.BUNDLED[config().dataset]
    else:
        text = datasets.availability()
    st.caption(f"Data: {plain(text)}")
    if run is not None and run.data_note:
        st.warning(plain(run.data_note), icon=":material/info:")
