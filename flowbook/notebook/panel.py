"""The panel: one widget that shows a run while it happens and carries out what a person clicks.

Handlers of messages only hand over. What changes goes out through the feed, in its thread; commands are carried out by
the worker, in its thread; the engine is never called back from either but through the run's public methods.
"""

from __future__ import annotations

import ast
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import traitlets

from flowbook.draw.layout import layout
from flowbook.draw.svg import alt_text, svg
from flowbook.engine.events import FLOW
from flowbook.engine.state import Paused
from flowbook.notebook import view_model as wire
from flowbook.notebook.assets import Assets, read_assets
from flowbook.notebook.command_worker import Command, CommandWorker, RefusedError
from flowbook.notebook.patch_feed import PatchFeed
from flowbook.notebook.routing import RoutedWidget
from flowbook.notebook.run_projection import RunProjection
from flowbook.notebook.value_access import RunValues, identifier, page_request
from flowbook.report import phrases
from flowbook.report.error_view import describe_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flowbook.draw.layout import Layout
    from flowbook.engine.events import Decided
    from flowbook.engine.state import State
    from flowbook.notebook.ports import RunLike

__all__ = ["Panel", "PanelActions", "parse_parameter"]


def parse_parameter(text: str) -> object:
    """Return a parameter given as text: a Python literal, anything else as it is."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _refuse_run(parameters: Mapping[str, object]) -> RunLike | None:
    del parameters
    msg = "This panel can't start a run. Run its cell again."
    raise RefusedError(msg)


def _refuse_variable(name: str, value: object) -> str:
    del name, value
    msg = "There is no namespace to write to here. Take the value from the flow's run."
    raise RefusedError(msg)


@dataclass(frozen=True, slots=True)
class PanelActions:
    """What the panel asks of its surroundings; each may be called in the worker's thread.

    Attributes:
        run: starts the flow again with these parameters (values, not text); returns the new run.
        assign: writes a value into the user's namespace under the wanted name, or one like it; returns the chosen name.
        parse: turns a parameter's text into its value.
        cell_name: gives "In [4]" for the file name of a notebook's cell.
        history: gives a task's earlier runs, newest first.
        settled: told when the run paused or ended, e.g. to bring the static picture up to date.
        by: who clicks.
    """

    run: Callable[[Mapping[str, object]], RunLike | None] = _refuse_run
    assign: Callable[[str, object], str] = _refuse_variable
    parse: Callable[[str], object] = parse_parameter
    cell_name: Callable[[str], str | None] = lambda _: None
    history: Callable[[str], Sequence[Mapping[str, Any]]] = lambda _: ()
    settled: Callable[[Panel], None] = lambda _: None
    by: str = ""


class Panel(RoutedWidget):
    """Shows one run of a flow; `show` points it to another.

    Args:
        run: the run to show.
        commands: what the panel asks of its surroundings.
        notice: a sentence that the person should know.
        assets: the views' code.
        is_started: whether to begin at once; a test may do the threads' work by itself.
    """

    #: "data" of widgets is what a saved notebook holds; there is none of the user's in these.
    _esm = traitlets.Unicode().tag(sync=True)
    parts = traitlets.Dict().tag(sync=True)
    graph = traitlets.Dict().tag(sync=True)
    snapshot = traitlets.Dict().tag(sync=True)

    _reads: ClassVar[frozenset[str]] = frozenset({"inspect", "page"})

    def __init__(
        self,
        run: RunLike,
        commands: PanelActions | None = None,
        *,
        notice: str = "",
        assets: Assets | None = None,
        is_started: bool = True,
    ) -> None:
        code = assets or read_assets("panel")
        self._run = run
        self._commands = commands or PanelActions()
        self._notice = notice
        self._layout: Layout = layout(run.graph)
        self._values = RunValues(run)
        self._feed = PatchFeed(
            self._send_message, RunProjection(run.graph), run_view=self._run_plain, on_changed=self._changed
        )
        handlers = {
            "run": self._on_run,
            "cancel": self._on_cancel,
            "retry": self._on_retry,
            "resume": self._on_resume,
            "inspect": self._on_inspect,
            "page": self._on_page,
            "to-variable": self._on_to_variable,
        }
        self._worker = CommandWorker(self._feed.post, handlers, self._reads)
        #: Key that each view inspects, and those whose details wait to be made.
        self._inspected: dict[str, str] = {}
        self._refreshing: set[str] = set()
        #: The Paused states that were resumed, by key: a second click finds the same one.
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
        """Show `run` from now on, in the same place: the cell ran again, or a paused run goes on."""
        is_same_graph = run.graph is self._run.graph
        placed = self._layout if is_same_graph else layout(run.graph)
        self._unsubscribe()
        with self._feed.locked:
            self._run, self._layout, self._notice = run, placed, notice
            self._values = RunValues(run)
            self._resumed.clear()
            self._feed.replace(RunProjection(run.graph))
        self._unsubscribe = self._attach(run)
        self._feed.call(lambda: self._update_traits(with_graph=not is_same_graph))
        self._feed.call(lambda: self._send_message({"type": "snapshot", **self._snapshot()}))

    def picture(self, theme: str = "auto") -> str:
        """Return the static picture of what is shown now, as SVG text."""
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
        """Return the picture in words, its alternative text."""
        views, state, caption = self._picture_parts()
        return alt_text(self._run.graph, views, state=state, caption=caption)

    def drain(self, timeout_s: float = 2.0) -> bool:
        """Wait until the views were sent all that is known; return whether they were, in that time."""
        return self._feed.drain(timeout_s)

    def close(self) -> None:
        """Send what is left, end the threads and take the widget away. Doing so twice is once."""
        if self._is_over:
            return
        self._is_over = True
        self._unsubscribe()
        self._worker.close()
        self._feed.close()
        super().close()

    # What views say. Handlers hand over and return.

    def _on_message(self, _widget: object, content: object, _buffers: object) -> None:
        # JupyterLab makes a comm's subshell late: what came before it, hello included, came by the main one. So the newest
        # message says where answers get through while a cell runs.
        self._feed.hello()
        if isinstance(content, dict) and content.get("type") == "hello":
            self._feed.post({"type": "ack", "id": content.get("id"), "ok": True, "text": ""})
            self._feed.call(lambda: self._send_message({"type": "snapshot", **self._snapshot()}))
            return
        self._worker.take(content)

    def _on_run(self, command: Command) -> str:
        if self._run.is_live and not isinstance(self._run.state, Paused):
            msg = f"{self._run.flow_name} is already running. Cancel it first."
            raise RefusedError(msg)
        run = self._commands.run(self._parameters(command.get("parameters") or {}))
        if run is not None:
            self.show(run)
        return f"{self._run.flow_name} runs."

    def _on_cancel(self, command: Command) -> str:
        del command
        if not self._run.is_live:
            msg = f"{self._run.flow_name} has ended: it is {type(self._run.state).__name__}."
            raise RefusedError(msg)
        self._run.cancel(by=self._commands.by)
        return "Cancelling: tasks that have started go on to their end."

    def _on_retry(self, command: Command) -> str:
        del command
        self._follow(self._run.retry)
        return "What failed runs again."

    def _on_resume(self, command: Command) -> str:
        key, note = command.get("key"), command.get("note")
        waiting = [key] if isinstance(key, str) else [name for name, _ in self._paused()]
        for name in waiting:
            self._check_paused(name)
        if not waiting:
            msg = "Nothing waits."
            raise RefusedError(msg)
        states = {name: self._run.states[name] for name in waiting}
        by, reason = self._commands.by, note if isinstance(note, str) else ""
        self._follow(lambda: self._run.resume(*waiting, by=by, note=reason))
        self._resumed.update(states)
        return f"{phrases.listed(waiting)} {'goes' if len(waiting) == 1 else 'go'} on."

    def _on_inspect(self, command: Command) -> str:
        view, key = str(command.get("view", "")), command.get("key")
        if key is None:
            self._inspected.pop(view, None)
            return ""
        self._check_known(key)
        self._inspected[view] = key
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
        return f"Now in the variable {self._commands.assign(wanted, value)}."

    # What they need to know.

    def _parameters(self, texts: object) -> dict[str, object]:
        """Return the parameters' values: as they were where the text was not changed, else parsed."""
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
                values[name] = self._commands.parse(str(text))
        return values

    def _paused(self) -> list[tuple[str, State]]:
        """Return what waits. Children count; the states of many are looked at, but only on a click."""
        return [(key, state) for key, state in list(self._run.states.items()) if isinstance(state, Paused)]

    def _check_paused(self, key: str) -> None:
        self._check_known(key)
        state = self._run.states.get(key)
        if not isinstance(state, Paused):
            msg = f"{key} does not wait: it is {type(state).__name__ if state is not None else 'Pending'}."
            raise RefusedError(msg)
        if self._resumed.get(key) is state:
            msg = f"{key} was resumed already."
            raise RefusedError(msg)

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
        """Let the run go on by `act`, and show the run that it becomes."""
        was_live = self._run.is_live
        following = act()
        if following is not None and following is not self._run and hasattr(following, "run_id"):
            self.show(following)  # type: ignore[arg-type]  # a run, as its id says
        elif not was_live:
            self.show(self._run)

    # What goes out. All of it in the feed's thread.

    def _attach(self, run: RunLike) -> Callable[[], None]:
        """Listen first, then take what was before: nothing is lost between, and what comes twice is passed over."""
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
            self._commands.settled(self)
        for key in set(self._inspected.values()):
            parent = self._feed.projection.parent(key)
            if (key in keys or parent in keys) and key not in self._refreshing:
                self._refreshing.add(key)
                self._worker.call(lambda key=key: self._send_details(key))  # type: ignore[misc]  # bound now

    def _update_traits(self, *, with_graph: bool = False) -> None:
        """Bring the traits up to date: what a saved notebook, and a view that opens later, begin with."""
        if with_graph:
            self.graph = self._graph_plain()
        self.snapshot = self._snapshot()

    def _send_details(self, key: str) -> None:
        self._refreshing.discard(key)
        if key in self._inspected.values():
            self._feed.post({"type": "details", **wire.plain(self._details(key))})

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
                error=lambda error: describe_error(error, self._commands.cell_name),
                logs=run.logs(key),
                history=self._commands.history(key),
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
        is_ended = state.is_finished() or getattr(run, "is_saved", False) is False
        return wire.RunView(
            id=run.run_id,
            number=str(run.number) if run.number is not None else "",
            state=type(state).__name__,
            message=phrases.shorten(state.message or "", 500),
            live="live" if run.is_live else "ended" if is_ended else "saved",
            started=run.started,
            ended=None if isinstance(state, Paused) else run.ended,
            parameters={name: phrases.parameter_text(value) for name, value in run.parameters.items()},
            executor=run.executor_text,
            notice=" ".join(filter(None, (self._notice, phrases.shorten(self._feed.projection.warning, 500)))),
        )

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
