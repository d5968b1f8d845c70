"""The messages to the views (docs/wire.md), made from a graph and states.

Pure: no clock, no I/O; values are dataclasses, and `plain` makes the JSON of them.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from flowbook.draw.node_parts import NodeView
from flowbook.draw.svg import svg
from flowbook.report import phrases
from flowbook.report.parameter_text import parameter_text
from flowbook.report.secret_names import shown_value, sounds_secret

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowbook.engine.graph import Graph, TaskSpec
    from flowbook.notebook.drawing import Drawing
    from flowbook.report.error_view import ErrorView

__all__ = [
    "VERSION",
    "Details",
    "EarlierDecision",
    "GraphNode",
    "GraphView",
    "InputView",
    "LogView",
    "ParameterView",
    "RunView",
    "Segment",
    "Stage",
    "TaskView",
    "graph_view",
    "node_view",
    "node_views",
    "plain",
    "snapshot",
]

VERSION = 1

Preview = dict[str, Any]
#: A part of an answer: "text", "code", what is "now" or what "was", and its words.
Segment = tuple[Literal["text", "code", "now", "was"], str]
#: The stages of a run: never started, running (here or in another process), waiting for a person, over.
Stage = Literal["new", "running", "waiting", "over"]


@dataclass(frozen=True, slots=True)
class RunView:
    """RUN of the wire. Times are seconds since the epoch. `edited` are tasks that were edited since, `stale` those below.

    `where` is "here", "elsewhere" or "at rest".
    """

    id: str
    number: str
    state: str
    message: str = ""
    stage: Stage = "running"
    started: float | None = None
    ended: float | None = None
    waits_since: float | None = None
    rested_s: float = 0.0
    parameters: Mapping[str, str] = field(default_factory=dict)
    executor: str = ""
    notice: str = ""
    edited: Sequence[str] = ()
    stale: Sequence[str] = ()
    where: str = "here"


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
    number of rows of the output; `lost` says where more of them were lost than in any earlier run. `maker` is the number of the
    run that made a cached output. `rejected`: it failed because a person rejected it; nothing of it ran. `above`: what right
    above a task that waits did not succeed, "top failed".
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
    maker: str = ""
    rejected: bool = False
    above: str = ""


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
    """A field of the form.

    `type` says how it is written: "str", "int", "float", "bool", or "literal", whose default comes as text. `python` is the name
    of the default's type, "" where there is no default. `secret`: its name sounds so; a value that it has is sent as `*****`.
    """

    name: str
    type: str
    default: object
    required: bool
    python: str = ""
    secret: bool = False


@dataclass(frozen=True, slots=True)
class GraphView:
    """The `graph` trait; `tasks` is their number, `by` how they were asked to be grouped.

    `aside` are the keys of what is no task to people: parameters, and collections that flowbook gathers.
    """

    flow: str
    svg: str
    width: int
    height: int
    nodes: tuple[GraphNode, ...]
    parameters: tuple[ParameterView, ...]
    tasks: int
    by: str
    aside: tuple[str, ...] = ()
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class InputView:
    """An input of a task.

    Attributes:
        name: of the argument.
        from_: key of the task that it comes from; None for a constant, and for what a person wrote.
        preview: of its value.
        text: of its value, in words.
        literal: its value as text, if that can be written in a field.
        changed: who changed it, and from what; "" if nobody did.
    """

    name: str
    from_: str | None
    preview: Preview | None
    text: str
    literal: str = ""
    changed: str = ""


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
    why: Sequence[Sequence[str | Sequence[Segment]]]
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
    #: What right above it did not succeed though it waits, "top failed".
    above: str


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
    picture = svg(drawn, drawing.layout, drawing.views(views), groups=groups, bare=True)
    layout = drawing.layout
    aside = tuple(key for key, spec in graph.specs.items() if spec.is_parameter or spec.gathers)
    count = len(graph.specs) - len(aside)
    return GraphView(graph.name, picture, layout.width, layout.height, nodes, fields, count, drawing.by, aside)


def snapshot(seq: int, run: RunView | None, tasks: Mapping[str, TaskView], now: float) -> dict[str, Any]:
    """Return the whole state; `now` lets the view's clock follow the kernel's."""
    plain_tasks = {key: plain(task) for key, task in tasks.items()}
    return {"version": VERSION, "seq": seq, "now": now, "run": plain(run), "tasks": plain_tasks}


def node_views(graph: Graph, tasks: Mapping[str, TaskView], now: float) -> dict[str, NodeView]:
    """Return the picture's view of each task."""
    return {key: node_view(spec, tasks[key], now) for key, spec in graph.specs.items() if key in tasks}


def node_view(spec: TaskSpec, task: TaskView, now: float) -> NodeView:
    """Return the picture's view of one task."""
    made = _made(task, now)
    return NodeView(
        state=task.state,
        word=task.word,
        end="" if made else _end(task, now),
        note=made or task.note,
        warns=task.stale,
        counts=task.counts or {},
        width=task.width,
        controls=spec.is_manual and task.state == "Paused" and not task.counts,
    )


def _kind(spec: TaskSpec) -> str:
    kinds = (("parameter", spec.is_parameter), ("mapped", spec.is_mapped), ("manual", spec.is_manual))
    return next((kind for kind, holds in kinds if holds), "task")


def _parameter(spec: TaskSpec) -> ParameterView:
    default = getattr(spec.task, "default", None)
    name = getattr(spec.task, "name", None) or spec.name
    is_required = bool(getattr(spec.task, "required", default is None))
    kind = next((kind.__name__ for kind in (bool, int, float, str) if type(default) is kind), "literal")
    python = "" if default is None else type(default).__name__
    is_secret = sounds_secret(str(name)) and kind != "bool"
    if is_secret and default is None:
        kind = "str"  # what is typed is the secret, and no literal
    default = shown_value(str(name), default)
    if default is not None and (kind == "literal" or (isinstance(default, float) and not math.isfinite(default))):
        default = parameter_text(default)
    return ParameterView(str(name), kind, default, is_required, python, is_secret)


def _made(task: TaskView, now: float) -> str:
    """Return the third line of an output from the cache that has nothing else to say: when and by which run it was made."""
    if task.created is None or task.note != phrases.FROM_CACHE:
        return ""
    return f"made {phrases.duration(now - task.created)} ago{f' by run {task.maker}' if task.maker else ''}"


def _end(task: TaskView, now: float) -> str:
    """Return the text right of the state: time until the start, running time, duration or age."""
    if task.due is not None and task.state != "Paused":
        return f"in {phrases.duration(task.due - now)}" if task.due > now else ""
    if task.state in {"Running", "Cancelling", "Paused"} and task.since is not None:
        return phrases.duration(now - task.since)
    if task.created is not None and task.duration_s is None:
        return f"{phrases.duration(now - task.created)} ago"
    return phrases.duration(task.duration_s) if task.duration_s is not None else ""
