"""Who visits: the name of a sign-in where the operator asks for one, else a name for the browser."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from pathlib import Path

import streamlit as st

from rnnlab.views.session import visit

_COOKIE = "_streamlit_xsrf"
"""Streamlit gives every browser one: `2|mask|masked token|time`. The token stays the same, the mask not."""

_LASTING_COOKIE = "rnnlab_visitor"
"""The lab's own, with that token: Streamlit's ends when the browser is closed, and runs take longer."""

_component = st.components.v2.component(
    "rnnlab_visitor", html="", js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
)


def visitor() -> str:
    """Return a name for the visitor that stays the same when the page is loaded again, and tells nothing."""
    if getattr(st.user, "is_logged_in", False):
        return str(getattr(st.user, "email", None) or getattr(st.user, "sub", ""))
    return hashlib.sha256(bytes.fromhex(_secret())).hexdigest()[:16]


def remember() -> None:
    """Have the browser keep what it is known by; what does so is not to be seen."""
    with st.container(key="visitor"):
        if _cookie(_LASTING_COOKIE) != _secret():
            _component(data={"secret": _secret()}, key="lasting_cookie")


def _secret() -> str:
    """Return what this browser alone knows, as hexadecimal digits."""
    lasting = _cookie(_LASTING_COOKIE)
    if re.fullmatch(r"(?:[0-9a-f]{2}){8,32}", lasting):
        return lasting
    return _token(_cookie(_COOKIE)).hex() or visit().name


def _cookie(name: str) -> str:
    """Return a cookie of this browser, or nothing."""
    return str(st.context.cookies.get(name, ""))


def _token(cookie: str) -> bytes:
    """Return the token of a browser, or nothing."""
    with suppress(ValueError):
        _, mask, masked, _ = cookie.strip('"').split("|")
        key, value = bytes.fromhex(mask), bytes.fromhex(masked)
        return bytes(byte ^ key[place % len(key)] for place, byte in enumerate(value)) if key else b""
    return b""
