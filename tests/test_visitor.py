"""By which name a visitor is known: that of a sign-in, or one for the browser."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
import streamlit as st

from rnnlab.dashboard.session import session
from rnnlab.dashboard.visitor import _recognise, _token, visitor

TOKEN = bytes(range(16))


def masked(mask: bytes) -> str:
    """Return the cookie that Streamlit gives a browser: its token under a mask, which changes."""
    hidden = bytes(byte ^ mask[place % len(mask)] for place, byte in enumerate(TOKEN))
    return f"2|{mask.hex()}|{hidden.hex()}|1764100000"


def test_a_browser_keeps_its_name_though_its_cookie_is_masked_anew() -> None:
    assert [_token(masked(mask)) for mask in (b"\x01\x02\x03\x04", b"\xaa\xbb\xcc\xdd")] == [TOKEN, TOKEN]
    for forged in ("", "2|zz|00|1", "nothing", "2||00|1", "2|00|1"):
        assert _token(forged) == b""


def visited(monkeypatch: pytest.MonkeyPatch, cookies: dict[str, str], **user: object) -> str:
    """Return the name of a visitor with cookies, signed in or not."""
    monkeypatch.setattr(st, "context", SimpleNamespace(cookies=cookies))
    monkeypatch.setattr(st, "user", SimpleNamespace(**user))
    return visitor()


def test_the_name_of_a_browser_stays_the_same_and_does_not_give_its_token_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, again = (visited(monkeypatch, {"_streamlit_xsrf": masked(mask)}) for mask in (b"\x01", b"\x02"))
    lasting = visited(monkeypatch, {"_streamlit_xsrf": masked(b"\x03"), "rnnlab_visitor": TOKEN.hex()})
    assert first == again == lasting
    assert re.fullmatch(r"[0-9a-f]{16}", first)
    assert first not in TOKEN.hex()
    assert visited(monkeypatch, {"rnnlab_visitor": bytes(16).hex()}) != first
    assert visited(monkeypatch, {"_streamlit_xsrf": masked(b"\x01"), "rnnlab_visitor": "<script>"}) == first


def test_who_has_signed_in_is_known_by_their_address_whatever_the_browser(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for cookies in ({"rnnlab_visitor": TOKEN.hex()}, {"rnnlab_visitor": bytes(16).hex()}):
        signed_in = {"is_logged_in": True, "email": "ann@example.org", "sub": "1234"}
        assert visited(monkeypatch, cookies, **signed_in) == "ann@example.org"
        assert visited(monkeypatch, cookies, **signed_in | {"email": None}) == "1234"
    browser = visited(monkeypatch, {"rnnlab_visitor": TOKEN.hex()})
    assert visited(monkeypatch, {"rnnlab_visitor": TOKEN.hex()}, is_logged_in=False, email="ann@x") == browser


def test_a_browser_that_sends_no_cookie_is_known_by_the_secret_in_its_storage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = visited(monkeypatch, {"rnnlab_visitor": TOKEN.hex()})
    monkeypatch.setattr(st, "session_state", {})
    stranger = visited(monkeypatch, {})
    for forged in (None, 7, "", "<script>", "00", {"a": 1}):
        session().visitor_secret = ""
        _recognise(forged)
        assert visited(monkeypatch, {}) == stranger != known
    _recognise(TOKEN.hex())
    assert visited(monkeypatch, {}) == known
