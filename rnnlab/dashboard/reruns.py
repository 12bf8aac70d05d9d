"""Requests of a browser to render its page or a part of it, handled only if they fit what it shows.

Streamlit renders the pages of a visitor in threads, which hand their messages to its event loop. Five things
go wrong there if a request comes at the wrong moment, all the likelier the busier the machine is. The first
two leave the page empty until somebody loads it again, if the request is for a fragment (a live region, the
drawing pad); the third loses a click; the fourth leaves buttons on the page that should have gone; the fifth
counts a click twice:

- The visitor has gone to another page, which the browser has not heard of yet, and a timer of the page
  before goes off. The request names that page, and the browser clears the new one. The visitor may have
  asked for the new page, or a button may have led there.
- The thread of a page has just ended, but its last messages are still to be handed over. The request gets a
  new thread, and from then on Streamlit ignores messages of other threads: the rest of the page is lost.
- The callbacks of the request before are about to be called, or one is at work. It ends where it next reads
  the session state, since Streamlit looks for newer requests there, and a browser sends a click once.

- A fragment begins before it has been sent that another one has ended. That message is changed into one by
  which the browser keeps what was there before.

- A timer goes off in the browser between a click and its request, which follows at once. The request of the
  timer has the click with it, and a browser that was busy has a timer due at most moments. It counts in the
  request that was made for it.

Streamlit has no setting for that, so `install` puts checks before `AppSession.request_rerun` and before a
thread begins with a request, has callbacks called to their end, and keeps messages that are to be sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from weakref import WeakKeyDictionary

from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.runtime.scriptrunner import RerunData, ScriptRunner
from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequestType
from streamlit.runtime.state.safe_session_state import SafeSessionState

_RETRY_DELAY: Final = 0.005
"""Seconds after which a request that waits for the messages of a page is looked at again."""

_CLICKS: Final = ("trigger_value", "string_trigger_value", "json_trigger_value", "chat_input_value")
"""The kinds of values that a browser sends once, and forgets."""

_Request = Callable[[AppSession, ClientState | None], None]


@dataclass(frozen=True)
class _PageRequest:
    """The last request for a whole page.

    Attributes:
        wanted: The page that it asks for, or `""` if it is named by its URL alone.
        shown: The page that was on show then.
    """

    wanted: str
    shown: str


class Reruns:
    """Requests to render, of all sessions. Each method runs on Streamlit's event loop."""

    def __init__(self, request: _Request) -> None:
        self._request = request
        self._pages: WeakKeyDictionary[AppSession, _PageRequest] = WeakKeyDictionary()
        self._waiting: WeakKeyDictionary[AppSession, list[ClientState | None]] = WeakKeyDictionary()

    def handle(self, session: AppSession, asked: ClientState | None) -> None:
        """Handle a request now, a little later or, if it is for a page that was left, not at all.

        Requests of a session are handled in order: each has the values of all controls at its time.
        """
        waiting = self._waiting.setdefault(session, [])
        waiting.append(asked)
        if len(waiting) == 1:
            self._handle_waiting(session)

    def _handle_waiting(self, session: AppSession) -> None:
        waiting = self._waiting[session]
        while waiting:
            asked = waiting[0]
            if asked is not None and asked.fragment_id and _is_ending(session):
                session._event_loop.call_later(_RETRY_DELAY, self._handle_waiting, session)
                return
            self._handle_first(session, waiting.pop(0))

    def _handle_first(self, session: AppSession, asked: ClientState | None) -> None:
        if asked is not None and asked.is_auto_rerun:
            _leave_clicks_to_their_own_request(asked)
        if asked is not None and asked.fragment_id:
            page = self._page_of(session)
            if page and asked.page_script_hash != page:
                if asked.is_auto_rerun:
                    return
                asked.page_script_hash = page  # what the visitor did on the page before counts all the same
        elif asked is not None:
            self._pages[session] = _PageRequest(asked.page_script_hash, session.page_script_hash)
        self._request(session, asked)

    def _page_of(self, session: AppSession) -> str:
        """Return the page that the browser has asked for last, or `""` if a script has led to another one."""
        last, now = self._pages.get(session), session.page_script_hash
        if last is None or now not in (last.wanted, last.shown):
            return ""
        if now == last.wanted:  # it is on show; if it is not later on, then a script has led elsewhere
            self._pages[session] = _PageRequest(last.wanted, last.wanted)
        return last.wanted


def _is_ending(session: AppSession) -> bool:
    """Return whether the thread of a session takes no more requests, but may have messages on the way."""
    runner = session._scriptrunner
    return runner is not None and runner._requests._state is ScriptRequestType.STOP


def _leave_clicks_to_their_own_request(asked: ClientState) -> None:
    """Remove what was pressed, in whatever kind of widget, from the request of a timer."""
    widgets = asked.widget_states.widgets
    for place in reversed(range(len(widgets))):
        if widgets[place].WhichOneof("value") in _CLICKS:
            del widgets[place]


def on_page(request: RerunData, page: str) -> RerunData:
    """Return what is to be done of a request that had to wait.

    Args:
        request: What was asked for.
        page: The page that the thread has rendered last, or `""` if it has rendered none.
    """
    # None is dropped, since a click and a timer may have become one. A fragment that is gone is passed over.
    return replace(request, page_script_hash=page) if page and request.fragment_id_queue else request


def is_about_others(queue: ForwardMsgQueue, fragments: Sequence[str]) -> bool:
    """Return whether messages that are to be sent say that something else has ended than these fragments."""
    return any(
        message.WhichOneof("type") == "script_finished"
        and not set(fragments).issuperset(message.metadata.run.fragment_ids or [""])
        for message in queue._queue
    )


def install() -> None:
    """Let every request of this process be handled here. Once is enough."""
    if getattr(AppSession.request_rerun, "is_checked", False):
        return
    reruns = Reruns(AppSession.request_rerun)
    begin_with, clear_queue = ScriptRunner._run_script, ForwardMsgQueue.clear

    def request_rerun(self: AppSession, client_state: ClientState | None) -> None:
        reruns.handle(self, client_state)

    def run_script(self: ScriptRunner, rerun_data: RerunData) -> None:
        begin_with(self, on_page(rerun_data, self._get_script_run_ctx().page_script_hash))

    def clear(
        self: ForwardMsgQueue,
        retain_lifecycle_msgs: bool = False,
        fragment_ids_this_run: list[str] | None = None,
    ) -> None:
        if retain_lifecycle_msgs and fragment_ids_this_run and is_about_others(self, fragment_ids_this_run):
            self._delta_index_map.clear()  # what comes belongs behind all of it
        else:
            clear_queue(self, retain_lifecycle_msgs, fragment_ids_this_run)

    def on_script_will_rerun(self: SafeSessionState, *states: Any, **others: Any) -> None:
        yield_to_requests = self._yield_callback
        object.__setattr__(self, "_yield_callback", lambda: None)  # assigning would set a value of the state
        try:
            with self._lock:
                self._state.on_script_will_rerun(*states, **others)
        finally:
            object.__setattr__(self, "_yield_callback", yield_to_requests)

    request_rerun.is_checked = True  # type: ignore[attr-defined]
    AppSession.request_rerun = request_rerun  # type: ignore[method-assign]
    ScriptRunner._run_script = run_script  # type: ignore[method-assign]
    ForwardMsgQueue.clear = clear  # type: ignore[method-assign]
    SafeSessionState.on_script_will_rerun = on_script_will_rerun  # type: ignore[method-assign]
