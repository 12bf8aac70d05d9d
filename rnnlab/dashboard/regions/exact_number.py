"""A slider over ratios, and beside it a field in which the exact number can be typed."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from rnnlab.dashboard import controls
from rnnlab.dashboard.session import mark_user_action
from rnnlab.dashboard.text import plain
from rnnlab.hyperparameter import ConfigError, Hyperparameter


@dataclass(frozen=True)
class _Known:
    """What was made of the text in the field.

    Attributes:
        text: The text.
        value: The value of the hyperparameter at that time.
        refusal: Why the text is no value of it; empty if it is one.
    """

    text: str
    value: float
    refusal: str = ""


def slider_with_field(h: Hyperparameter, key: str, label: str, help_text: str) -> float:
    """Render the slider and the field and return the value; a text that is no value of it changes nothing.

    Args:
        h: A hyperparameter whose values are numbers; its label, kind and bounds.
        key: Key of the control, which has a value.
        label: What stands above the slider.
        help_text: What its help says.
    """
    value = float(controls.value(key, h.default))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.select_slider(
            label,
            _logarithmic_steps(h, value),
            value,
            format_func="{:g}".format,
            key=controls.widget_key(key),
            on_change=take_over_slider,
            args=(key,),
            help=help_text,
            persist_state="session",
        )
        known = _known(key, value)
        st.text_input(
            f"{h.label}, exact",
            known.text,
            key=controls.widget_key(_field(key)),
            on_change=take_over_text,
            args=(h, key),
            label_visibility="collapsed",
            width=88,
        )
    if problem := refusal(key):
        st.markdown(f":red[{plain(problem)}]")
    return value


def take_over_slider(key: str) -> None:
    """Set the value to that of the slider, if it has been moved; the text follows."""
    controls.receive(key)
    value = controls.value(key, None)
    if value is not None:
        _known(key, value)


def take_over_text(h: Hyperparameter, key: str) -> None:
    """Set the value to what has been typed, if something has and it is one."""
    mark_user_action()
    field = controls.widget_key(_field(key))
    before: _Known | None = st.session_state.get(_memory(key))
    text: str | None = st.session_state.get(field)
    if before is None or text is None or text == before.text:
        return
    try:
        value = float(h.parse(text.strip().replace(",", ".")))
    except ConfigError as error:
        st.session_state[_memory(key)] = _Known(text, before.value, str(error))
    else:
        controls.set_value(key, value)
        st.session_state[_memory(key)] = _Known(_written(value), value)
        st.session_state[field] = _written(value)  # in its place, so that it keeps the focus


def refusal(key: str) -> str:
    """Return why the text in the field is no value; empty if it is one, or the slider was moved since."""
    known: _Known | None = st.session_state.get(_memory(key))
    return known.refusal if known is not None and known.value == controls.value(key, None) else ""


def _known(key: str, value: float) -> _Known:
    """Return what is known about the text; if the value has changed in another way, the text follows."""
    known: _Known | None = st.session_state.get(_memory(key))
    if known is None or known.value != value:
        known = _Known(_written(value), value)
        st.session_state[_memory(key)] = known
        controls.set_value(_field(key), known.text)
    return known


def _written(value: float) -> str:
    """Return a number as short as possible, so that it is read as the same number: `0.0003`."""
    return f"{value:.15g}"


def _field(key: str) -> str:
    """Return the key of the field beside a slider."""
    return f"{key}_typed"


def _memory(key: str) -> str:
    """Return the key under which it is remembered what was made of the text."""
    return f"{key}_known"


def _logarithmic_steps(hyperparameter: Hyperparameter, value: float) -> list[float]:
    """Return 1, 2 and 5 times the powers of ten within the bounds, and the value that is set now."""
    steps = {float(f"{digit}e{power}") for power in range(-12, 13) for digit in (1, 2, 5)}
    lowest, highest = hyperparameter.minimum or 0.0, hyperparameter.maximum or 0.0
    return sorted({step for step in steps if lowest <= step <= highest} | {value})
