"""A viewer without a browser: speaks the dashboard's own protocol, as Streamlit's page does in the browser.

It follows what the server asks of a page: it reruns fragments when they are due, stores large messages that
the server may refer to, and sends the states of all widgets that it has touched.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlencode

import numpy as np
from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect

_PATIENCE = 3.0
"""Seconds after which the belief panel asks again; see `belief_panel.js`."""


@dataclass
class Viewer:
    """One visit.

    Attributes:
        url: Address of the dashboard.
        query: The query string of the visit.
        newest: Step of the newest point on the curve that it has received, -1 before the first.
        seen: When each step was first on the curve that it received, in seconds of `time.monotonic`.
        problems: Exceptions, errors and warnings that the page would show.
        buttons: Ids, by label, of the buttons that could be pressed when they were last drawn.
        answers: When it received beliefs, in seconds of `time.monotonic`.
        texts: When it last received each text, in seconds of `time.monotonic`.
        updates: How many times it received the curve.
        references: How many times it received a reference to an earlier message.
        navigations: The names of the pages, each time it received them.
        pages: The hash of each page, by name.
        rendered: The hash of the page of each rendering, of a whole page or a fragment, in order.
        page: The hash of the page that the server named last.
        endings: How each rendering ended, as `ForwardMsg.ScriptFinishedStatus` says it.
    """

    url: str
    query: str = ""
    newest: int = -1
    seen: dict[int, float] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    buttons: dict[str, str] = field(default_factory=dict)
    components: dict[str, str] = field(default_factory=dict)
    answers: list[float] = field(default_factory=list)
    texts: dict[str, float] = field(default_factory=dict)
    updates: int = 0
    references: int = 0
    navigations: list[list[str]] = field(default_factory=list)
    pages: dict[str, str] = field(default_factory=dict)
    rendered: list[str] = field(default_factory=list)
    page: str = ""
    endings: list[int] = field(default_factory=list)
    _socket: ClientConnection | None = None
    _kept: dict[str, bytes] = field(default_factory=dict)
    _fragments: dict[str, str] = field(default_factory=dict)
    _timers: dict[str, tuple[float, asyncio.Task[None]]] = field(default_factory=dict)
    _listener: asyncio.Task[None] | None = None
    _finished: asyncio.Event = field(default_factory=asyncio.Event)
    _touched: dict[str, WidgetState] = field(default_factory=dict)

    @property
    def intervals(self) -> list[float]:
        """Seconds between two runs of each fragment that repeats, the shortest first."""
        return sorted(interval for interval, _ in self._timers.values())

    @property
    def repeating(self) -> list[str]:
        """The ids of the fragments that repeat."""
        return list(self._timers)

    async def __aenter__(self) -> Self:
        address = self.url.replace("http", "ws", 1) + "/_stcore/stream"
        self._socket = await connect(
            address,
            subprotocols=["streamlit"],  # type: ignore[list-item]
            max_size=None,
            max_queue=None,
            open_timeout=60,  # seconds
            ping_interval=None,  # a crowded server may answer late
        )
        self._listener = asyncio.create_task(self._listen())
        await self.rerun()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._forget(list(self._timers))
        if self._listener is not None:
            self._listener.cancel()
        if self._socket is not None:
            await self._socket.close()

    async def rerun(
        self, *, fragment: str = "", auto: bool = False, page: str = "", widgets: tuple[WidgetState, ...] = ()
    ) -> None:
        """Ask the server to run a page, by default the one named last, or a fragment again."""
        state = ClientState(
            query_string=self.query,
            page_script_hash=self.pages[page] if page else self.page,
            fragment_id=fragment,
            is_auto_rerun=auto,
            cached_message_hashes=list(self._kept),
        )
        state.widget_states.widgets.extend([*self._touched.values(), *widgets])
        await self._send(state)

    async def go_to(self, page: str) -> None:
        """Ask for another page; until the server answers, requests name the one before, as a browser's do."""
        state = ClientState(query_string=self.query, page_script_hash=self.pages[page])
        await self._send(state)

    async def _send(self, state: ClientState) -> None:
        self._finished.clear()
        if self._socket is not None:
            await self._socket.send(BackMsg(rerun_script=state).SerializeToString())

    async def finished(self, seconds: float = 30.0) -> None:
        """Wait until the server has finished the last run that it was asked for."""
        async with asyncio.timeout(seconds):
            await self._finished.wait()

    async def click(self, label: str) -> None:
        """Click a button."""
        button = self.buttons[label]
        pressed = WidgetState(id=button, trigger_value=True)
        await self.rerun(fragment=self._fragments[button], widgets=(pressed,))

    async def rerun_part(self, component: str) -> None:
        """Ask the server to run the fragment of a component again."""
        await self.rerun(fragment=self._fragments[self.components[component]])

    async def draw(self, picture: bytes, strokes: list[dict[str, Any]]) -> None:
        """Send a drawing as the canvas does when the pen lifts."""
        data = "data:image/png;base64," + base64.b64encode(picture).decode("ascii")
        sent = {"drawing": {"data": data, "raw": {"objects": strokes}, "width": 280, "height": 280}}
        canvas = self.components["canvas"]
        self._touched[canvas] = WidgetState(id=canvas, json_value=json.dumps(sent))
        await self.rerun(fragment=self._fragments[canvas])

    async def answered(self, since: int, seconds: float = 60.0) -> float:
        """Wait until there are more than `since` answers; ask again once, after a while, as the page does.

        Returns:
            When the answer came.

        Raises:
            TimeoutError: None came.
        """
        with suppress(TimeoutError):
            await self.until(lambda: len(self.answers) > since, seconds=_PATIENCE)
        if len(self.answers) <= since:
            await self.rerun_part("belief")
            await self.until(lambda: len(self.answers) > since, seconds)
        return self.answers[since]

    async def until(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        """Wait until a condition is true."""
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.02)

    async def _listen(self) -> None:
        assert self._socket is not None
        async for content in self._socket:
            message = ForwardMsg.FromString(content if isinstance(content, bytes) else content.encode())
            if message.WhichOneof("type") == "ref_hash":
                self.references += 1
                path = message.metadata.delta_path
                message = ForwardMsg.FromString(self._kept[message.ref_hash])
                message.metadata.delta_path[:] = path
            elif message.metadata.cacheable:
                self._kept[message.hash] = bytes(content)  # type: ignore[arg-type]
            self._take(message)

    def _take(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self.page = message.new_session.page_script_hash
            self.rendered.append(self.page)
            if not message.metadata.run.fragment_ids:
                self._forget(list(self._timers))
        elif kind == "navigation":
            self.page = message.navigation.page_script_hash
            self.pages = {each.page_name: each.page_script_hash for each in message.navigation.app_pages}
            self.navigations.append(list(self.pages))
        elif kind == "script_finished":
            self.endings.append(message.script_finished)
            self._finished.set()
        elif kind == "auto_rerun":
            self._repeat(message.auto_rerun.fragment_id, message.auto_rerun.interval)
        elif kind == "stop_auto_rerun":
            self._forget(message.stop_auto_rerun.fragment_ids)
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            self._take_element(message.delta.new_element, message.delta.fragment_id)

    def _take_element(self, element: Any, fragment: str) -> None:
        kind = element.WhichOneof("type")
        if kind == "exception":
            self.problems.append(element.exception.message)
        elif kind == "alert" and element.alert.format != Alert.INFO:
            self.problems.append(element.alert.body)
        elif kind == "markdown":
            self.texts[element.markdown.body] = time.monotonic()
        elif kind == "button":
            self._take_button(element.button, fragment)
        elif kind == "bidi_component":
            self._fragments[element.bidi_component.id] = fragment
            self._take_component(element.bidi_component)

    def _take_button(self, button: Any, fragment: str) -> None:
        self._fragments[button.id] = fragment
        if button.disabled:
            self.buttons.pop(button.label, None)
        else:
            self.buttons[button.label] = button.id

    def _take_component(self, component: Any) -> None:
        name = component.component_name
        data = json.loads(component.json) if component.json else {}
        if name.endswith("rnnlab_plot"):
            self.updates += 1
            self._take_curve(data["figure"]["data"][0]["x"])
        elif name.endswith("rnnlab_tab") and "page" in data:
            self.query = urlencode(data["page"]["query"])
        elif "canvas" in name:
            self.components["canvas"] = component.id
        elif name.endswith("rnnlab_belief_panel"):
            self.components["belief"] = component.id
            if "beliefs" in data:
                self.answers.append(time.monotonic())

    def _take_curve(self, steps: Any) -> None:
        if not isinstance(steps, dict):
            return
        drawn = np.frombuffer(base64.b64decode(steps["bdata"]), np.float32)
        self.newest = max(self.newest, int(drawn[-1]))
        self.seen.setdefault(self.newest, time.monotonic())

    def _repeat(self, fragment: str, interval: float) -> None:
        if fragment in self._timers and self._timers[fragment][0] == interval:
            return
        self._forget([fragment])
        self._timers[fragment] = interval, asyncio.create_task(self._rerun_every(fragment, interval))

    def _forget(self, fragments: Iterable[str]) -> None:
        for fragment in fragments:
            if timer := self._timers.pop(fragment, None):
                timer[1].cancel()

    async def _rerun_every(self, fragment: str, interval: float) -> None:
        with suppress(Exception):
            while True:
                await asyncio.sleep(interval)
                await self.rerun(fragment=fragment, auto=True)


def run_async(work: Coroutine[Any, Any, None], seconds: float = 120.0) -> None:
    """Run a coroutine to its end, in a thread of its own: in this one Playwright's loop may be running."""

    async def limited() -> None:
        async with asyncio.timeout(seconds):
            await work

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, limited()).result()
