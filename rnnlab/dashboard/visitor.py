"""Who visits: the name of a sign-in if the operator asks for one, else a name for the browser."""

from __future__ import annotations

import datetime
import hashlib
import re
from contextlib import suppress
from zoneinfo import ZoneInfo

import streamlit as st

from rnnlab.dashboard.components.visitor_cookie import set_visitor_cookie
from rnnlab.dashboard.session import session

_COOKIE = "_streamlit_xsrf"
"""Streamlit's cookie in every browser: `2|mask|masked token|time`. The mask changes, the token does not."""

_LASTING_COOKIE = "rnnlab_visitor"
"""The lab's own cookie, with that token: Streamlit's ends when the browser closes, runs may take longer."""

_SECRET = re.compile(r"(?:[0-9a-f]{2}){8,32}")
"""What a secret looks like."""


def visitor() -> str:
    """Return a name for the visitor: it survives a reload and, without a sign-in, reveals nothing."""
    if getattr(st.user, "is_logged_in", False):
        return str(getattr(st.user, "email", None) or getattr(st.user, "sub", ""))
    return hashlib.sha256(bytes.fromhex(_secret())).hexdigest()[:16]


def is_forgotten() -> bool:
    """Return whether the visitor will be somebody else after a reload, because the browser keeps nothing."""
    return session().is_forgotten and not getattr(st.user, "is_logged_in", False)


def remember_visitor() -> None:
    """Have the browser keep the cookie by which it is known, with a component that is not visible."""
    remembered = session()
    with st.container(key="visitor"):
        if _cookie(_LASTING_COOKIE) != _secret():
            set_visitor_cookie(
                _secret(),
                is_answered=bool(remembered.visitor_secret) or remembered.is_forgotten,
                on_known=_recognise,
                on_forgotten=_note_that_it_is_forgotten,
            )


def _recognise(secret: object) -> None:
    """Know the browser by the secret that it keeps in its storage: it may send no cookies within a frame."""
    session().visitor_secret = secret if isinstance(secret, str) and _SECRET.fullmatch(secret) else _secret()


def _note_that_it_is_forgotten() -> None:
    """Note that the browser keeps nothing by which it can be known."""
    session().is_forgotten = True


def time_zone() -> datetime.tzinfo:
    """Return the time zone of the visitor's browser; if it does not tell one, that of this machine."""
    with suppress(OSError, ValueError, LookupError, TypeError):  # no such zone, or no list of zones here
        return ZoneInfo(str(st.context.timezone or ""))
    behind = st.context.timezone_offset
    if behind is not None and abs(behind) < 24 * 60:
        return datetime.timezone(-datetime.timedelta(minutes=behind))
    return datetime.datetime.now().astimezone().tzinfo or datetime.UTC


def _secret() -> str:
    """Return the secret of this browser, as hexadecimal digits."""
    lasting = _cookie(_LASTING_COOKIE)
    if _SECRET.fullmatch(lasting):
        return lasting
    return session().visitor_secret or _token(_cookie(_COOKIE)).hex() or session().name


def _cookie(name: str) -> str:
    """Return a cookie of this browser, or an empty text."""
    return str(st.context.cookies.get(name, ""))


def _token(cookie: str) -> bytes:
    """Return the token in Streamlit's cookie, or no bytes."""
    with suppress(ValueError):
        _, mask, masked, _ = cookie.strip('"').split("|")
        key, value = bytes.fromhex(mask), bytes.fromhex(masked)
        return bytes(byte ^ key[place % len(key)] for place, byte in enumerate(value)) if key else b""
    return b""
