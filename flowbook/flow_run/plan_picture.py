"""A plan as a picture: the graph with what will become of each task. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from flowbook.draw.node_parts import NodeView
from flowbook.draw.told import told_svg
from flowbook.report.phrases import duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flowbook.draw.picture import Theme
    from flowbook.engine.graph import Graph, TaskSpec

__all__ = ["plan_svg"]

#: What a node says of an outcome, the one that matters most first; as in `notebook/static/plan.js`.
_WORDS: Mapping[str, str] = {
    "run": "Will run",
    "wait": "Will wait",
    "if failed": "If any fails",
    "hit": "Cache hit",
    "keep": "Stays",
    "out": "Left out",
}
#: Causes that need no third line: the edges, or the word, say them.
_PLAIN = {"", "above", "asked", "not cached"}


class PlannedLike(Protocol):
    """What is told of a task; see `flow_run.plan.PlannedTask`."""

    @property
    def key(self) -> str: ...  # as in PlannedTask
    @property
    def outcome(self) -> str: ...  # as in PlannedTask
    @property
    def why(self) -> str: ...  # as in PlannedTask
    @property
    def cause(self) -> str: ...  # as in PlannedTask
    @property
    def expected_s(self) -> float | None: ...  # as in PlannedTask
    @property
    def width(self) -> int | None: ...  # as in PlannedTask
    @property
    def hits(self) -> int: ...  # as in PlannedTask
    @property
    def keeps(self) -> int: ...  # as in PlannedTask
    @property
    def share(self) -> str: ...  # as in PlannedTask


def plan_svg(graph: Graph, planned: Iterable[PlannedLike], *, title: str, theme: Theme = "auto") -> str:
    """Return a flow's graph with what is planned for its tasks, as SVG text; more than 150 tasks as groups."""
    tasks = {task.key: _view(task) for task in planned}
    others = {key: NodeView(word=_word_of(spec)) for key, spec in graph.specs.items() if key not in tasks}
    return told_svg(graph, {**tasks, **others}, tuple(_WORDS.values()), caption=title, theme=theme)


def _word_of(spec: TaskSpec) -> str:
    """Return the word for what is no task to people."""
    return "Given" if spec.is_parameter else "Gathers"


def _view(task: PlannedLike) -> NodeView:
    will_run = task.outcome == "run"
    word = _WORDS[task.outcome]
    expected = f"about {duration(task.expected_s)}" if will_run and task.expected_s is not None else ""
    kept = {_WORDS["keep"]: task.keeps, _WORDS["hit"]: task.hits}
    children = {**kept, word: task.width - sum(kept.values())} if will_run and task.width else {}
    return NodeView(
        word=word,
        end="for you" if task.outcome == "wait" else task.share or expected,
        note=task.why if will_run and task.cause not in _PLAIN and not children else "",
        warns=will_run and task.cause == "code",
        counts={name: count for name, count in children.items() if count},
        width=task.width,
    )
