"""A page that the server's answers reach late."""

from __future__ import annotations

import re

from playwright.sync_api import Page, WebSocketRoute, expect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests import dashboard

FINISHED = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)


class SlowPage:
    """The Lab in a browser that gets what the server sends only in the end; from `hold` on, once more.

    Attributes:
        page: Its page.
    """

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self._held: list[bytes] = []
        self._browser: WebSocketRoute | None = None
        self._is_slow = False
        page.route_web_socket(re.compile("_stcore/stream"), self._connect)
        dashboard.ready(page, address)
        self.settle()
        self.hold()

    def hold(self) -> None:
        """Hold back what comes from now on."""
        self._held.clear()
        self._is_slow = True

    def has_answered(self, *, in_part: bool = False) -> bool:
        """Return whether the server has rendered the whole page since then, or also only a part of it."""
        return self.answers(in_part=in_part) > 0

    def answers(self, *, in_part: bool = False) -> int:
        """Return how often the server has rendered the whole page since then, or also only a part of it."""
        self.page.evaluate("true")  # lets what has come be handled
        messages = [ForwardMsg.FromString(message) for message in self._held]
        ends = [message for message in messages if message.WhichOneof("type") == "script_finished"]
        wanted = FINISHED if in_part else FINISHED[:1]
        return sum(end.script_finished in wanted for end in ends)

    def end(self) -> None:
        """Hand over all that was held back, and wait until it is shown."""
        assert self._browser is not None
        self._is_slow = False
        for message in self._held:
            self._browser.send(message)
        self.settle()

    def end_slowly(self) -> None:
        """Hand over all that was held back, each part once the last is painted; wait until it is shown."""
        assert self._browser is not None
        self._is_slow = False
        for message in self._held:
            self._browser.send(message)
            self.page.evaluate(dashboard.TWO_FRAMES)
        self.settle()

    def settle(self) -> None:
        """Wait until the page is at rest."""
        expect(self.page.get_by_test_id("stStatusWidget")).to_have_count(0)

    def _connect(self, browser: WebSocketRoute) -> None:
        self._browser = browser
        browser.connect_to_server().on_message(
            lambda message: self._held.append(bytes(message)) if self._is_slow else browser.send(message)  # type: ignore[arg-type]
        )
