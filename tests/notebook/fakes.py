"""A run, a cache and views that are nothing but what they were told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from flowbook.engine.events import FLOW, Decided, Event, EventSink, Logged, StateChanged
from flowbook.engine.state import Paused, Pending, Running, State
from flowbook.notebook.assets import Assets
from flowbook.notebook.cache_browser import CacheBrowser
from flowbook.notebook.panel import Panel

if TYPE_CHECKING:
    from flowbook.engine.graph import Graph

ASSETS = Assets("export default {}", {"main": "export default {}"})


class FakeRun:
    """A run whose events are made by the test."""

    def __init__(self, graph: Graph, run_id: str = "r1", number: int | None = 14, **parameters: object) -> None:
        self.run_id = run_id
        self.number = number
        self.flow_name = graph.name
        self.graph = graph
        self.parameters: dict[str, object] = parameters
        self.executor_text = "threads, 2 workers"
        self.state: State = Pending()
        self.states: dict[str, State] = {}
        self.is_live = True
        self.started: float | None = 1000.0
        self.ended: float | None = None
        self.asked: list[tuple[Any, ...]] = []
        self.following: FakeRun | None = None
        self._events: list[Event] = []
        self._sinks: list[EventSink] = []

    def go(self, key: str, state: State, at: float | None = None) -> State:
        if at is not None:
            state.at = at
        self.states[key] = state
        self.tell(StateChanged(len(self._events), key, state))
        return state

    def flow(self, state: State) -> None:
        self.state = state
        self.is_live = not (state.is_finished() or isinstance(state, Paused))
        self.tell(StateChanged(len(self._events), FLOW, state))

    def log(self, key: str, text: str) -> None:
        self.tell(Logged(len(self._events), key, time.time(), 20, text))

    def decide(self, key: str, action: str, by: str, note: str = "") -> None:
        self.tell(Decided(len(self._events), key, time.time(), action, by, note))

    def tell(self, event: Event) -> None:
        self._events.append(event)
        for sink in list(self._sinks):
            sink.emit(event)

    def logs(self, key: str) -> list[Logged]:
        return [event for event in self._events if isinstance(event, Logged) and event.key == key]

    def events(self) -> list[Event]:
        return list(self._events)

    def subscribe(self, sink: EventSink) -> Any:
        self._sinks.append(sink)
        return lambda: self._sinks.remove(sink)

    def cancel(self, *, by: str = "") -> None:
        self.asked.append(("cancel", by))

    def resume(self, *keys: str, by: str = "", note: str = "") -> FakeRun | None:
        self.asked.append(("resume", keys, by, note))
        return self.following

    def retry(self) -> FakeRun | None:
        self.asked.append(("retry",))
        return self.following


class RecordedPanel(Panel):
    """A panel whose threads are driven by the test, and whose views are a list."""

    def __init__(self, run: FakeRun, *args: Any, **options: Any) -> None:
        self.sent: list[dict[str, Any]] = []
        super().__init__(run, *args, assets=ASSETS, is_started=False, **options)

    def send(self, content: Any, buffers: Any = None) -> None:
        del buffers
        self.sent.append(content)

    def hear(self, type_: str, id_: str = "c1", **fields: Any) -> dict[str, Any]:
        """Have a view say something, do what follows, and return its acknowledgement."""
        self._on_message(None, {"type": type_, "id": id_, "view": "v", **fields}, None)
        self.settle()
        return next(message for message in reversed(self.sent) if message["type"] == "ack" and message["id"] == id_)

    def settle(self) -> None:
        self._feed._last = float("-inf")
        while self._worker.step() or self._feed.step() is not None or self._feed._outbox:
            self._feed._last = float("-inf")

    def all(self, type_: str) -> list[dict[str, Any]]:
        return [message for message in self.sent if message["type"] == type_]


class RecordedBrowser(CacheBrowser):
    """A cache browser whose threads are driven by the test."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.sent: list[dict[str, Any]] = []
        super().__init__(*args, assets=ASSETS, is_started=False, **options)

    def send(self, content: Any, buffers: Any = None) -> None:
        del buffers
        self.sent.append(content)

    def hear(self, type_: str, id_: str = "c1", **fields: Any) -> dict[str, Any]:
        self._on_message(None, {"type": type_, "id": id_, "view": "v", **fields}, None)
        while self._worker.step() or self._outbox._outbox:
            self._outbox.step()
        return next(message for message in reversed(self.sent) if message["type"] == "ack" and message["id"] == id_)


def running(at: float) -> Running:
    state = Running()
    state.at = at
    return state
