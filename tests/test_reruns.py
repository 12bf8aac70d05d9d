"""Requests for a part of a page that come at the wrong moment, which would leave the page empty."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequests

from rnnlab.dashboard.reruns import Reruns
from rnnlab.store.store import Store
from tests import dashboard
from tests.viewer import Viewer, run_async


@pytest.mark.slow
def test_a_timer_of_the_page_before_does_not_bring_it_back(url_of_an_ended_run: str) -> None:
    async def leave_while_a_timer_goes_off(url: str) -> None:
        async with Viewer(url) as viewer:
            await viewer.finished()
            await viewer.go_to("Runs")
            await viewer.rerun(fragment=viewer.repeating[0], auto=True)
            await viewer.until(lambda: viewer.pages["Runs"] in viewer.rendered)
            await viewer.finished()
            await viewer.rerun()
            await viewer.finished()
            left = viewer.rendered[viewer.rendered.index(viewer.pages["Runs"]) :]
            assert set(left) == {viewer.pages["Runs"]}
            assert "an error" not in str(viewer.problems)

    run_async(leave_while_a_timer_goes_off(url_of_an_ended_run))


@pytest.mark.slow
def test_a_timer_of_a_page_from_which_a_button_has_led_does_not_bring_it_back(store: Store) -> None:
    async def leave_while_a_timer_goes_off(url: str) -> None:
        async with Viewer(url) as viewer:
            await viewer.finished()
            await viewer.go_to("Runs")
            await viewer.until(lambda: "To the Lab" in viewer.buttons)
            await viewer.finished()
            timer = viewer.repeating[0]
            await viewer.click("To the Lab")
            while viewer.pages["Lab"] != viewer.page:  # whenever it comes
                await viewer.rerun(fragment=timer, auto=True, page="Runs")
                await asyncio.sleep(0.002)
            left = len(viewer.rendered)
            await viewer.finished()
            await viewer.rerun()
            # What is finished first may be an answer to one of the many requests before.
            await viewer.until(lambda: viewer.pages["Lab"] in viewer.rendered[left:])
            await viewer.finished()
            assert viewer.pages["Runs"] not in viewer.rendered[left:]

    with dashboard.dashboard({"RNNLAB_HOME": str(store.home)}) as (url, _):
        run_async(leave_while_a_timer_goes_off(url))


@pytest.mark.slow
def test_no_click_is_lost_to_a_request_that_comes_right_after_it(own_home: Path) -> None:
    async def click_in_a_hurry(url: str, store: Store) -> None:
        for visit in range(1, 9):
            async with Viewer(url, "dataset=digits") as viewer:
                await viewer.finished()
                await viewer.click("Start")
                await viewer.rerun()
                await viewer.until(lambda count=visit: len(store.runs()) == count)  # type: ignore[misc]

    environment = {"RNNLAB_HOME": str(own_home)}
    with (
        Store(own_home, clock=lambda: time.time() + 3600) as store,
        dashboard.dashboard(environment) as (url, _),
    ):
        store.workers.beat("test")  # one that counts as alive, so no other one is started
        run_async(click_in_a_hurry(url, store))


@pytest.mark.slow
def test_a_part_that_begins_leaves_the_end_of_another_as_it_was(url_of_an_ended_run: str) -> None:
    async def ask_for_one_after_the_other(url: str) -> None:
        async with Viewer(url) as viewer:
            await viewer.finished()
            for _ in range(20):
                before = len(viewer.endings)
                await viewer.rerun_part("canvas")
                await viewer.rerun_part("belief")
                await viewer.until(lambda before=before: len(viewer.endings) > before + 1)  # type: ignore[misc]
            assert set(viewer.endings[1:]) == {ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY}

    run_async(ask_for_one_after_the_other(url_of_an_ended_run))


@dataclass(eq=False)
class Session:
    """What `Reruns` needs to know of a session: its page, its event loop, and the requests of its thread."""

    page_script_hash: str = "lab"
    _event_loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    _scriptrunner: Any = None
    asked: list[ClientState] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reruns = Reruns(lambda _, state: self.asked.append(cast("ClientState", state)))

    def request_rerun(self, state: ClientState) -> None:
        self.reruns.handle(cast("AppSession", self), state)


@dataclass
class Runner:
    """A thread of Streamlit's, with its real list of requests."""

    _requests: ScriptRequests = field(default_factory=ScriptRequests)


def fragment(page: str, *, auto: bool = False) -> ClientState:
    return ClientState(fragment_id="f", page_script_hash=page, is_auto_rerun=auto)


def test_a_request_waits_until_the_messages_of_a_thread_that_ends_are_handed_over() -> None:
    async def ask() -> None:
        session = Session(_scriptrunner=(runner := Runner()))
        runner._requests.request_stop()
        session.request_rerun(fragment("lab"))
        session.request_rerun(ClientState(query_string="neurons=64"))
        for _ in range(3):
            await asyncio.sleep(0)
        assert session.asked == []
        session._scriptrunner = None  # as `AppSession` does after the last message
        async with asyncio.timeout(60):
            while len(session.asked) < 2:
                await asyncio.sleep(0.001)
        assert session.asked == [fragment("lab"), ClientState(query_string="neurons=64")]

    run_async(ask())


def test_what_was_entered_on_a_page_that_was_left_counts_and_does_not_bring_it_back() -> None:
    async def ask() -> None:
        session = Session()
        session.request_rerun(ClientState(page_script_hash="runs"))
        session.request_rerun(fragment("lab"))
        session.request_rerun(fragment("lab", auto=True))
        assert session.asked[1:] == [fragment("runs")]
        session.page_script_hash = "runs"
        session.request_rerun(fragment("runs"))
        for page in ("guide", "lab"):  # a script has led there
            session.page_script_hash = page
            session.request_rerun(fragment(page, auto=True))
        assert session.asked[2:] == [
            fragment("runs"),
            fragment("guide", auto=True),
            fragment("lab", auto=True),
        ]

    run_async(ask())


def test_a_click_that_a_timer_sends_along_counts_in_its_own_request_alone() -> None:
    async def ask() -> None:
        session = Session()
        number, pressed = WidgetState(id="neurons", int_value=64), WidgetState(id="start", trigger_value=True)
        played = WidgetState(id="film", json_trigger_value="[1]")
        by_timer, by_click = fragment("lab", auto=True), fragment("lab")
        for request in (by_timer, by_click):
            request.widget_states.widgets.extend([number, pressed, played])
            session.request_rerun(request)
        assert [list(request.widget_states.widgets) for request in session.asked] == [
            [number],
            [number, pressed, played],
        ]

    run_async(ask())
