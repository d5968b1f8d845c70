"""The panel: a widget that shows a run live and executes what a person clicks.

Message handlers only queue. Changes are sent by the patch feed, in its thread; commands are executed by the command worker,
in its thread. Both use only the run's public methods.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import traitlets

from flowbook.draw.layout import layout
from flowbook.draw.svg import alt_text, svg
from flowbook.engine.events import FLOW
from flowbook.engine.state import Cached, Paused, Pending
from flowbook.notebook import view_model as wire
from flowbook.notebook.assets import Assets, read_assets
from flowbook.notebook.command_worker import Command, CommandWorker, RefusedError
from flowbook.notebook.panel_actions import PanelActions
from flowbook.notebook.patch_feed import PatchFeed
from flowbook.notebook.routing import RoutedWidget
from flowbook.notebook.run_projection import RunProjection
from flowbook.notebook.value_access import RunValues, assigned_text, identifier, page_request
from flowbook.notebook.view_queries import QUERIES, ViewQueries, run_asked_for
from flowbook.report import phrases
from flowbook.report.error_view import describe_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flowbook.draw.layout import Layout
    from flowbook.engine.events import Decided
    from flowbook.engine.state import State
    from flowbook.notebook.ports import RunLike

__all__ = ["Panel"]


#: A view that inspects a task says so again every 20 s; one that has not for this long is gone.
_SILENT_S = 90.0


@dataclass(frozen=True, slots=True)
class _Inspection:
    """The task that a view inspects, and when the view said so last, by the panel's clock."""

    key: str
    heard: float


class Panel(RoutedWidget):
    """Shows one run of a flow; `show` points it to another.

    Args:
        run: the run to show.
        actions: what the panel needs from its host.
        notice: a sentence that the panel shows above the graph.
        assets: the views' code.
        is_started: whether to start the threads; a test may do their work itself.
    """

    #: Saved notebooks hold these traits, so no value of the user's goes into them.
    _esm = traitlets.Unicode().tag(sync=True)
    parts = traitlets.Dict().tag(sync=True)
    graph = traitlets.Dict().tag(sync=True)
    snapshot = traitlets.Dict().tag(sync=True)

    _reads: ClassVar[frozenset[str]] = frozenset({"inspect", "page"}) | QUERIES

    def __init__(
        self,
        run: RunLike,
        actions: PanelActions | None = None,
        *,
        notice: str = "",
        assets: Assets | None = None,
        is_started: bool = True,
    ) -> None:
        code = assets or read_assets("panel")
        self._run = run
        self._actions = actions or PanelActions()
        self._notice = notice
        self._layout: Layout = layout(run.graph)
        self._values = RunValues(run)
        self._feed = PatchFeed(
            self._send_message, RunProjection(run.graph), run_view=self._run_plain, on_changed=self._changed
        )
        self._queries = ViewQueries(self._feed, lambda: self._run, self._actions.runs)
        handlers = {
            **self._queries.handlers,
            "run": self._on_run,
            "cancel": self._on_cancel,
            "retry": self._on_retry,
            "resume": self._on_resume,
            "inspect": self._on_inspect,
            "page": self._on_page,
            "show-run": self._on_show_run,
            "to-variable": self._on_to_variable,
        }
        self._worker = CommandWorker(self._feed.post, handlers, self._reads)
        #: What each view inspects, and the keys whose details are queued.
        self._inspected: dict[str, _Inspection] = {}
        self._refreshing: set[str] = set()
        #: The Paused states that were resumed, by key, to recognize a second click.
        self._resumed: dict[str, State] = {}
        self._is_over = False
        self._unsubscribe = self._attach(run)
        super().__init__(_esm=code.esm, parts=dict(code.parts), graph=self._graph_plain(), snapshot=self._snapshot())
        self.on_msg(self._on_message)
        if is_started:
            self._feed.start()
            self._worker.start()

    @property
    def run(self) -> RunLike:
        """The run that is shown."""
        return self._run

    def show(self, run: RunLike, notice: str = "") -> None:
        """Show `run` from now on, e.g. because the cell ran again or a paused run was resumed."""
        is_same_graph = run.graph is self._run.graph
        new_layout = self._layout if is_same_graph else layout(run.graph)
        self._unsubscribe()
        with self._feed.locked:
            self._run, self._layout, self._notice = run, new_layout, notice
            self._values = RunValues(run)
            self._resumed.clear()
            self._feed.replace(RunProjection(run.graph))
        self._unsubscribe = self._attach(run)
        self._feed.call(lambda: self._update_traits(with_graph=not is_same_graph))
        self._feed.call(lambda: self._send_message({"type": "snapshot", **self._snapshot()}))

    def picture(self, theme: str = "auto") -> str:
        """Return a static picture of the current state, as SVG text."""
        views, state, caption = self._picture_parts()
        if theme not in {"auto", "light", "dark"}:
            msg = f"No theme {theme!r}. Take 'auto', 'light' or 'dark'."
            raise ValueError(msg)
        return svg(
            self._run.graph,
            self._layout,
            views,
            theme=theme,  # type: ignore[arg-type]  # one of the three, as checked above
            standalone=True,
            state=state,
            caption=caption,
        )

    def picture_text(self) -> str:
        """Return the picture's alternative text."""
        views, state, caption = self._picture_parts()
        return alt_text(self._run.graph, views, state=state, caption=caption)

    def drain(self, timeout_s: float = 2.0) -> bool:
        """Wait until everything known is sent to the views. Return False if that takes longer than `timeout_s`."""
        return self._feed.drain(timeout_s)

    def close(self) -> None:
        """Send what is left, end the threads and remove the widget. Calling it again does nothing."""
        if self._is_over:
            return
        self._is_over = True
        self._unsubscribe()
        self._worker.close()
        self._feed.close()
        super().close()

    # Messages of views. Handlers queue and return.

    def _on_message(self, _widget: object, content: object, _buffers: object) -> None:
        # JupyterLab creates a comm's subshell late, so early messages, `hello` included, arrive on the main shell. The newest
        # message shows where answers get through while a cell runs.
        self._feed.hello()
        if isinstance(content, dict) and content.get("type") == "hello":
            self._feed.post({"type": "ack", "id": content.get("id"), "ok": True, "text": ""})
            self._feed.call(lambda: self._send_message({"type": "snapshot", **self._snapshot()}))
            return
        self._worker.take(content)

    def _on_run(self, command: Command) -> str:
        if self._stage() == "running":
            msg = f"{self._run.flow_name} is already running. Cancel it first."
            raise RefusedError(msg)
        run = self._actions.run(self._parameters(command.get("parameters") or {}))
        if run is not None:
            self.show(run)
        return f"{self._run.flow_name} runs."

    def _on_cancel(self, command: Command) -> str:
        del command
        if self._stage() not in {"running", "waiting"}:
            msg = f"{self._run.flow_name} doesn't run: it is {type(self._run.state).__name__}."
            raise RefusedError(msg)
        self._follow(lambda: self._run.cancel(by=self._actions.by))
        return "Cancelled." if self._stage() == "over" else "Cancelling: tasks that have started go on to their end."

    def _on_retry(self, command: Command) -> str:
        del command
        self._follow(lambda: self._run.retry(by=self._actions.by))
        return "What failed runs again."

    def _on_resume(self, command: Command) -> str:
        key, note = command.get("key"), command.get("note")
        named = [key] if isinstance(key, str) else []
        for name in named:
            self._check_known(name)
        waiting = self._waiting(named)
        self._check_waiting(named, waiting)
        by, reason = self._actions.by, note if isinstance(note, str) else ""
        self._follow(lambda: self._run.resume(*(named or waiting), by=by, note=reason))
        self._resumed.update(waiting)
        return f"{phrases.listed(list(waiting))} {'goes' if len(waiting) == 1 else 'go'} on."

    def _on_show_run(self, command: Command) -> str:
        run_id = run_asked_for(command)
        if run_id == self._run.run_id:
            return ""
        run = self._actions.open_run(run_id)
        self.show(run)
        return f"Run {run.number} of {run.flow_name} is shown."

    def _on_inspect(self, command: Command) -> str:
        view, key = str(command.get("view", "")), command.get("key")
        before = self._inspected.pop(view, None)
        if key is None:
            return ""
        self._check_known(key)
        self._inspected[view] = _Inspection(key, self._actions.clock())
        is_known = command.get("again") is True and before is not None and before.key == key
        if not is_known:
            self._send_details(key)
        return ""

    def _on_page(self, command: Command) -> str:
        key, what = self._source(command.get("source"))
        page = self._values.page(key, what, page_request(command))
        self._feed.post({"type": "page", "id": command["id"], "frame": page})
        return ""

    def _on_to_variable(self, command: Command) -> str:
        key, what = self._source(command)
        value = self._values.value(key, what)
        wanted = identifier(key if what == "output" else what.removeprefix("input:"))
        return assigned_text(wanted, self._actions.assign(wanted, value))

    # What the handlers need to know.

    def _parameters(self, texts: object) -> dict[str, object]:
        """Return the parameters' values: unchanged if the text is unchanged, else parsed."""
        if not isinstance(texts, dict):
            msg = f"Parameters come as names and texts, not as {type(texts).__name__}."
            raise RefusedError(msg)
        kinds = {field["name"]: field["type"] for field in self._graph_plain()["parameters"]}
        before = self._run.parameters
        values: dict[str, object] = {}
        for name, text in texts.items():
            if name in before and phrases.parameter_text(before[name]) == text:
                values[name] = before[name]
            elif kinds.get(name) == "str" and not str(text).startswith("$"):
                values[name] = str(text)
            else:
                values[name] = self._actions.parse(str(text))
        return values

    def _waiting(self, named: Sequence[str]) -> dict[str, State]:
        """Return what waits for a person and wasn't resumed yet: among the named tasks and their children, or among all."""
        found = [(key, state) for key, state in list(self._run.states.items()) if isinstance(state, Paused)]
        return {
            key: state
            for key, state in found
            if self._resumed.get(key) is not state and (not named or key in named or self._parent(key) in named)
        }

    def _check_waiting(self, named: Sequence[str], waiting: Mapping[str, State]) -> None:
        if waiting:
            return
        if not named:
            msg = "Nothing waits."
            raise RefusedError(msg)
        (key,) = named
        state = self._run.states.get(key)
        is_resumed = isinstance(state, Paused) or any(self._parent(each) == key for each in self._resumed)
        name = self._state_name(key)
        msg = f"{key} was resumed already." if is_resumed else f"{key} doesn't wait: it is {name}."
        raise RefusedError(msg)

    def _parent(self, key: str) -> str | None:
        return self._feed.projection.parent(key)

    def _state_name(self, key: str) -> str:
        """Return the name of the state that the graph shows."""
        with self._feed.locked:
            known = self._feed.projection.state(key) is not None
            shown = self._feed.projection.task(key, time.time()).state if known else None
        state = self._run.states.get(key)
        return shown or (type(state).__name__ if state is not None else "Pending")

    def _check_known(self, key: object) -> None:
        if not isinstance(key, str) or (key not in self._run.graph.specs and self._feed.projection.parent(key) is None):
            msg = f"{self._run.flow_name} has no task {phrases.shorten(str(key), 80)!r}."
            raise RefusedError(msg)

    def _source(self, source: object) -> tuple[str, str]:
        key, what = (source.get("key"), source.get("what", "output")) if isinstance(source, dict) else (None, "")
        self._check_known(key)
        if not isinstance(what, str) or not (what == "output" or what.startswith("input:")):
            msg = f"A task has its output and its inputs, not {phrases.shorten(str(what), 80)!r}."
            raise RefusedError(msg)
        return str(key), what

    def _follow(self, act: Callable[[], object]) -> None:
        """Call `act`, which makes the run go on, and show the run that results."""
        was_live = self._run.is_live
        following = act()
        if following is not None and following is not self._run and hasattr(following, "run_id"):
            self.show(following)  # type: ignore[arg-type]  # a run, as its id says
        elif not was_live:
            self.show(self._run)

    # Messages to views, all sent in the feed's thread.

    def _attach(self, run: RunLike) -> Callable[[], None]:
        """Subscribe first, then load the past: nothing gets lost in between, and duplicates are ignored."""
        unsubscribe = run.subscribe(self._feed)
        events, states = run.events(), dict(run.states)
        with self._feed.locked:
            self._feed.projection.load(events, states)
        return unsubscribe

    def _send_message(self, message: dict[str, Any]) -> None:
        self.send(message)

    def _changed(self, keys: set[str]) -> None:
        if FLOW in keys and (isinstance(self._run.state, Paused) or self._run.state.is_finished()):
            self._update_traits()
            self._actions.settled(self)
        for key in self._inspected_keys():
            parent = self._parent(key)
            if (key in keys or parent in keys) and key not in self._refreshing:
                self._refreshing.add(key)
                self._worker.call(lambda key=key: self._send_details(key))  # type: ignore[misc]  # bound now

    def _update_traits(self, *, with_graph: bool = False) -> None:
        """Update the traits, from which a saved notebook and a new view start."""
        if with_graph:
            self.graph = self._graph_plain()
        self.snapshot = self._snapshot()

    def _send_details(self, key: str) -> None:
        self._refreshing.discard(key)
        if key in self._inspected_keys():
            self._feed.post({"type": "details", **wire.plain(self._details(key))})

    def _inspected_keys(self) -> set[str]:
        """Return the keys that views inspect, except for views that have been silent for too long and so are gone."""
        since = self._actions.clock() - _SILENT_S
        return {found.key for found in list(self._inspected.values()) if found.heard >= since}

    def _details(self, key: str) -> wire.Details:
        run, projection, now = self._run, self._feed.projection, time.time()
        state = run.states.get(key)
        with self._feed.locked:
            known = projection.state(key) is not None or state is None
            view = projection.task(key, now) if known else projection.child(key, state, now)  # type: ignore[arg-type]
            attempt, decided = projection.attempt(key), projection.decisions(key)
        return wire.details(
            wire.Inspected(
                key=key,
                graph=run.graph,
                view=view,
                attempt=attempt,
                state_of=run.states.get,
                preview=self._values.preview,
                error=lambda error: describe_error(error, self._actions.cell_name),
                label=self._queries.label(key),
                logs=run.logs(key),
                history=self._actions.history(key),
                maker=self._actions.maker(state.entry) if isinstance(state, Cached) and state.entry is not None else "",
                decisions=tuple(_decision(event, now) for event in decided),
                now=now,
            )
        )

    def _snapshot(self) -> dict[str, Any]:
        run, now = self._run_view(), time.time()
        with self._feed.locked:
            return wire.snapshot(self._feed.seq, run, self._feed.projection.tasks(now), now)

    def _graph_plain(self) -> dict[str, Any]:
        with self._feed.locked:
            now = time.time()
            views = wire.node_views(self._run.graph, self._feed.projection.tasks(now), now)
        plain: dict[str, Any] = wire.plain(wire.graph_view(self._run.graph, self._layout, views))
        return plain

    def _run_plain(self) -> dict[str, Any]:
        plain: dict[str, Any] = wire.plain(self._run_view())
        return plain

    def _run_view(self) -> wire.RunView:
        run = self._run
        state = self._feed.projection.flow_state or run.state
        return wire.RunView(
            id=run.run_id,
            number=str(run.number) if run.number is not None else "",
            state=type(state).__name__,
            message=phrases.shorten(state.message or "", 500),
            stage=self._stage(),
            started=run.started,
            ended=None if isinstance(state, Paused) else run.ended,
            parameters={name: phrases.parameter_text(value) for name, value in run.parameters.items()},
            executor=run.executor_text,
            notice=" ".join(filter(None, (self._notice, phrases.shorten(self._feed.projection.warning, 500)))),
        )

    def _stage(self) -> wire.Stage:
        """Return how far the run has come, in whichever process."""
        state = self._run.state
        if state.is_finished():
            return "over"
        if isinstance(state, Paused):
            return "waiting"
        is_new = type(state) is Pending and not self._run.is_live and self._run.started is None
        return "new" if is_new else "running"

    def _picture_parts(self) -> tuple[Any, str, str]:
        now = time.time()
        with self._feed.locked:
            views = wire.node_views(self._run.graph, self._feed.projection.tasks(now), now)
        run = self._run_view()
        waiting = [key for key, view in views.items() if view.state == "Paused"]
        parts = (
            f"run {run.number}" if run.number else "",
            f"{phrases.listed(waiting)} waits for you" if waiting else "",
        )
        return views, run.state, ", ".join(part for part in parts if part)


def _decision(event: Decided, now: float) -> str:
    what = {"resume": "resumed it", "retry": "had it run again", "cancel": "cancelled it"}.get(
        event.action, event.action
    )
    note = f": “{phrases.shorten(event.note, 200)}”" if event.note else "."
    return f"{event.by or 'Somebody'} {what}, {phrases.clock(event.at, now)}{note}"
