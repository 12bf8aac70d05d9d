"""Who visits: the name of a sign-in where the operator asks for one, else a name for the browser."""

from __future__ import annotations

import hashlib
from contextlib import suppress

import streamlit as st

from rnnlab.views.session import visit

_COOKIE = "_streamlit_xsrf"
"""Streamlit gives every browser one: `2|mask|masked token|time`. The token stays the same, the mask not."""


def visitor() -> str:
    """Return a name for the visitor that stays the same when the page is loaded again, and tells nothing."""
    if getattr(st.user, "is_logged_in", False):
        return str(getattr(st.user, "email", None) or getattr(st.user, "sub", ""))
    token = _token(st.context.cookies.get(_COOKIE, ""))
    return hashlib.sha256(token).hexdigest()[:16] if token else visit().name


def _token(cookie: str) -> bytes:
    """Return the token of a browser, or nothing."""
    with suppress(ValueError):
        _, mask, masked, _ = cookie.strip('"').split("|")
        key, value = bytes.fromhex(mask), bytes.fromhex(masked)
        return bytes(byte ^ key[place % len(key)] for place, byte in enumerate(value)) if key else b""
    return b""
