"""The messages to the views (docs/wire.md), made from a graph and states.

Pure: no clock, no I/O; values are dataclasses, and `plain` makes the JSON of them.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from flowbook.draw.svg import NodeView, svg
from flowbook.engine.state import Failed, Retrying, State
from flowbook.engine.task_keys import parent_key
from flowbook.exceptions import FlowbookError
from flowbook.report import phrases
from flowbook.results.reference import is_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flowbook.engine.events import Logged
    from flowbook.engine.graph import Binding, Graph, TaskSpec
    from flowbook.notebook.drawing import Drawing
    from flowbook.report.error_view import ErrorView

__all__ = [
    "VERSION",
    "Details",
    "EarlierDecision",
    "GraphNode",
    "GraphView",
    "InputView",
    "Inspected",
    "LogView",
    "ParameterView",
    "RunView",
    "Stage",
    "TaskView",
    "details",
    "graph_view",
    "log_views",
    "node_view",
    "node_views",
    "plain",
    "snapshot",
]

VERSION = 1
_MOST_LOGS = 500
_MOST_SHOWN = 8
_LOG_LENGTH = 2000
_LITERALS = (bool, int, float, str)
_LITERAL_LENGTH = 200

Preview = dict[str, Any]
#: The stages of a run: never started, running (here or in another process), waiting for a person, over.
Stage = Literal["new", "running", "waiting", "over"]


@dataclass(frozen=True, slots=True)
class RunView:
    """RUN of the wire. Times are seconds since the epoch. `edited` are tasks that were edited since, `stale` those below."""

    id: str
    number: str
    state: str
    message: str = ""
    stage: Stage = "running"
    started: float | None = None
    ended: float | None = None
    waits_since: float | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    executor: str = ""
    notice: str = ""
    edited: Sequence[str] = ()
    stale: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ProgressView:
    """PROGRESS of the wire: `done` of `total` (None: unknown) `unit`s, at `rate` a second."""

    done: float
    total: float | None
    text: str
    unit: str
    rate: float | None


@dataclass(frozen=True, slots=True)
class TaskView:
    """TASK of the wire. Times are seconds since the epoch; `created` only where another run made the output.

    `word` is the state's name for people if it differs from `state`, else "". `label` is what a child is called. `rows` is the
    number of rows of the output; `lost` says where more of them were lost than in any earlier run.
    """

    state: str
    word: str = ""
    message: str = ""
    since: float | None = None
    duration_s: float | None = None
    attempt: int = 1
    max_attempts: int = 1
    due: float | None = None
    width: int | None = None
    counts: Mapping[str, int] | None = None
    note: str = ""
    stale: bool = False
    created: float | None = None
    progress: ProgressView | None = None
    label: str = ""
    rows: int | None = None
    lost: str = ""


@dataclass(frozen=True, slots=True)
class GraphNode:
    """A node of the graph: its kind, its neighbours, its position; for a group the keys of its tasks."""

    key: str
    kind: str
    up: tuple[str, ...]
    down: tuple[str, ...]
    x: int
    y: int
    w: int
    h: int
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ParameterView:
    """A field of the form; `type` is "str", "int", "float", "bool" or "json"."""

    name: str
    type: str
    default: object
    required: bool


@dataclass(frozen=True, slots=True)
class GraphView:
    """The `graph` trait; `tasks` is their number, `by` how they were asked to be grouped."""

    flow: str
    svg: str
    width: int
    height: int
    nodes: tuple[GraphNode, ...]
    parameters: tuple[ParameterView, ...]
    tasks: int
    by: str
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class InputView:
    """An input of a task: from the task of key `from_`, or a constant; `literal` is its text if it can be written in a field."""

    name: str
    from_: str | None
    preview: Preview | None
    text: str
    literal: str = ""


@dataclass(frozen=True, slots=True)
class EarlierDecision:
    """What a person decided about the same task in another run."""

    run: str
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class LogView:
    """A line of a task's log."""

    at: float
    level: str
    text: str


@dataclass(frozen=True, slots=True)
class Details:
    """What the inspector shows about a task."""

    key: str
    state: str
    word: str
    title: str
    label: str
    why: Sequence[Sequence[str]]
    inputs: Sequence[InputView]
    output: Preview | None
    error: ErrorView | None
    logs: Sequence[LogView]
    #: Previews of what the task displayed.
    shown: Sequence[Preview]
    history: Sequence[Mapping[str, Any]]
    earlier: Sequence[EarlierDecision]
    up: Sequence[str]
    down: Sequence[str]
    actions: Sequence[str]


@dataclass(frozen=True, slots=True)
class Inspected:
    """The input of `details`.

    Attributes:
        key: of a task or child.
        graph: the run's graph.
        view: its view in the graph.
        label: what a child is called; "" for other tasks.
        attempt: number of its current attempt.
        state_of: newest state by key.
        preview: returns the preview of the value that a task's state holds.
        error: describes an exception.
        logs: its log lines.
        history: the same task in earlier runs.
        earlier: what people decided about it in earlier runs.
        maker: number of the run that made a Cached output; empty if it isn't known.
        decisions: decisions of people about it, as sentences.
        now: seconds since the epoch.
    """

    key: str
    graph: Graph
    view: TaskView
    attempt: int
    state_of: Callable[[str], State | None]
    preview: Callable[[State, str], Preview | None]
    error: Callable[[BaseException], ErrorView]
    label: str = ""
    logs: Sequence[Logged] = ()
    history: Sequence[Mapping[str, Any]] = ()
    earlier: Sequence[EarlierDecision] = ()
    maker: str = ""
    decisions: Sequence[str] = ()
    now: float = 0.0


def plain(value: object) -> Any:  # noqa: ANN401  # JSON
    """Return dataclasses as dicts and tuples as lists; field names lose a trailing underscore (`from_`)."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = (entry.name for entry in dataclasses.fields(value))
        return {name.rstrip("_"): plain(getattr(value, name)) for name in names}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def graph_view(graph: Graph, drawing: Drawing, views: Mapping[str, NodeView]) -> GraphView:
    """Return the `graph` trait: picture, positions and the form's fields; `views` by task."""
    drawn, groups = drawing.graph, drawing.groups
    nodes = tuple(
        GraphNode(
            key,
            "group" if key in groups else _kind(spec),
            spec.upstream,
            drawn.children[key],
            box.x,
            box.y,
            box.w,
            box.h,
            groups.get(key, ()),
        )
        for (key, spec), box in zip(drawn.specs.items(), drawing.layout.boxes.values(), strict=True)
    )
    fields = tuple(_parameter(spec) for spec in graph.specs.values() if spec.is_parameter)
    picture = svg(drawn, drawing.layout, drawing.views(views), groups=groups)
    layout = drawing.layout
    return GraphView(graph.name, picture, layout.width, layout.height, nodes, fields, len(graph.specs), drawing.by)


def snapshot(seq: int, run: RunView | None, tasks: Mapping[str, TaskView], now: float) -> dict[str, Any]:
    """Return the whole state; `now` lets the view's clock follow the kernel's."""
    plain_tasks = {key: plain(task) for key, task in tasks.items()}
    return {"version": VERSION, "seq": seq, "now": now, "run": plain(run), "tasks": plain_tasks}


def node_views(graph: Graph, tasks: Mapping[str, TaskView], now: float) -> dict[str, NodeView]:
    """Return the picture's view of each task."""
    return {key: node_view(spec, tasks[key], now) for key, spec in graph.specs.items() if key in tasks}


def node_view(spec: TaskSpec, task: TaskView, now: float) -> NodeView:
    """Return the picture's view of one task."""
    return NodeView(
        state=task.state,
        word=task.word,
        end=_end(task, now),
        note=task.note,
        warns=task.stale,
        counts=task.counts or {},
        width=task.width,
        controls=spec.is_manual and task.state == "Paused" and not task.counts,
    )


def details(of: Inspected) -> Details:
    """Return what the inspector shows about one task."""
    spec, state = of.graph.specs[parent_key(of.key)], of.state_of(of.key)
    result = state.raw_result if state is not None else None  # as it is: `result` would load it
    failure = result if isinstance(state, (Failed, Retrying)) and isinstance(result, BaseException) else None
    is_done = state is not None and state.is_successful() and not state.is_skipped() and _is_over(of.view)
    output = of.preview(state, of.key) if is_done and state is not None else None
    inputs = tuple(_input(binding, of) for binding in spec.bindings if binding.argument is not None)
    return Details(
        key=of.key,
        state=of.view.state,
        word=of.view.word,
        title=_title(of),
        label=of.label,
        why=_why(spec, state, of),
        inputs=inputs + tuple(_constant(name, value) for name, value in (spec.constants or {}).items()),
        output=output,
        error=of.error(failure) if failure is not None else None,
        logs=log_views(of.logs),
        shown=_shown(of.logs),
        history=of.history,
        earlier=of.earlier,
        up=spec.upstream,
        down=of.graph.children[spec.key],
        actions=_actions(of.view, inputs, has_output=is_done),
    )


def _shown(logs: Sequence[Logged]) -> tuple[Preview, ...]:
    """Return the previews of what a task displayed, the last ones; those that are gone are left out."""
    found = [line.shown for line in logs if line.shown is not None][-_MOST_SHOWN:]
    return tuple(each for each in map(_preview_of, found) if each is not None)


def _preview_of(shown: object) -> Preview | None:
    if is_reference(shown):
        try:
            shown = shown.load()
        except FlowbookError:
            return None
    return shown if isinstance(shown, dict) else None


def log_views(logs: Sequence[Logged]) -> tuple[LogView, ...]:
    """Return the newest lines of a log; a first line says how many were left out."""
    shown = tuple(LogView(line.at, _level(line.level), _capped(line.text)) for line in logs[-_MOST_LOGS:])
    left_out = len(logs) - len(shown)
    if not left_out:
        return shown
    return (LogView(shown[0].at, "INFO", f"{left_out:,} earlier lines are not shown."), *shown)


def _is_over(view: TaskView) -> bool:
    """Return whether all children ended well; their parent is in state Mapped from the start."""
    return view.counts is None or view.state in {"Success", "Mapped", "Cached", "Skipped"}


def _kind(spec: TaskSpec) -> str:
    kinds = (("parameter", spec.is_parameter), ("mapped", spec.is_mapped), ("manual", spec.is_manual))
    return next((kind for kind, holds in kinds if holds), "task")


def _parameter(spec: TaskSpec) -> ParameterView:
    default = getattr(spec.task, "default", None)
    name = getattr(spec.task, "name", None) or spec.name
    is_required = bool(getattr(spec.task, "required", default is None))
    kind = next((kind.__name__ for kind in (bool, int, float, str) if type(default) is kind), "json")
    try:
        json.dumps(default, allow_nan=False)
    except (TypeError, ValueError):
        default = phrases.parameter_text(default)
    return ParameterView(str(name), kind, default, is_required)


def _end(task: TaskView, now: float) -> str:
    """Return the text right of the state: time until the start, running time, duration or age."""
    if task.due is not None and task.state != "Paused":
        return f"in {phrases.duration(task.due - now)}" if task.due > now else ""
    if task.state in {"Running", "Cancelling", "Paused"} and task.since is not None:
        return phrases.duration(now - task.since)
    if task.created is not None and task.duration_s is None:
        return f"{phrases.duration(now - task.created)} ago"
    return phrases.duration(task.duration_s) if task.duration_s is not None else ""


def _title(of: Inspected) -> str:
    """Return the text beside the state: its duration, or since when."""
    view = of.view
    if view.duration_s is not None:
        return phrases.duration(view.duration_s)
    if view.state in {"Paused", "Running", "Cancelling", "Retrying"} and view.since is not None:
        return f"since {phrases.clock(view.since, of.now)}"
    return ""


def _why(spec: TaskSpec, state: State | None, of: Inspected) -> list[list[str]]:
    if of.view.counts is not None and of.key in of.graph.specs:
        counts = ", ".join(f"{count:,} {name}" for name, count in of.view.counts.items())
        lines = [["Its children", f"{counts}." if counts else "It was mapped over nothing."]]
    elif state is None:
        lines = [["What it waits for", f"{phrases.listed(spec.upstream)}."]] if spec.upstream else []
    else:
        lines = phrases.why(spec, state, of.attempt, of.state_of, of.now, has_run=of.view.created is None)
    if of.maker and of.view.created is not None:
        lines.append(["Who made it", f"Run {of.maker}, {phrases.duration(of.now - of.view.created)} ago."])
    return [*lines, *(["Who decided", sentence] for sentence in of.decisions)]


def _input(binding: Binding, of: Inspected) -> InputView:
    state = of.state_of(binding.upstream)
    preview = of.preview(state, binding.upstream) if state is not None and state.is_successful() else None
    what = preview["text"] if preview else (type(state).__name__ if state is not None else "Pending")
    each = "; one element for each child" if binding.mapped else ""
    return InputView(str(binding.argument), binding.upstream, preview, f"{what}{each}")


def _constant(name: str, value: object) -> InputView:
    text = f"{phrases.parameter_text(value)} ({type(value).__name__}, a constant)"
    literal = repr(value) if value is None or type(value) in _LITERALS else ""
    return InputView(name, None, None, text, literal if len(literal) <= _LITERAL_LENGTH else "")


def _actions(view: TaskView, inputs: Sequence[InputView], *, has_output: bool) -> list[str]:
    actions = ["resume", "skip", "reject"] if view.state == "Paused" or (view.counts or {}).get("Paused") else []
    if view.state == "Paused" and not view.counts:
        actions.append("change-input")
    if has_output or (inputs and view.state != "Running"):
        actions.append("to-variable")
    return actions


def _level(number: int) -> str:
    names = ((50, "CRITICAL"), (40, "ERROR"), (30, "WARNING"), (20, "INFO"))
    return next((name for least, name in names if number >= least), "DEBUG")


def _capped(text: str) -> str:
    return text if len(text) <= _LOG_LENGTH else f"{text[:_LOG_LENGTH]}… ({len(text):,} characters)"
