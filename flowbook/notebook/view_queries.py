"""Answers what views ask about a run as a whole: children of a mapped task, changes of state, logs, and the flow's runs.

Each answer is a message with the id of the command that asked for it, sent before the acknowledgement. Used by the
panel's worker thread only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.draw.grouping import GROUPINGS, GroupBy
from flowbook.engine.task_keys import split_key
from flowbook.flow_run.row_counts import rows_of
from flowbook.notebook.changes_view import changes_view
from flowbook.notebook.child_labels import ChildLabels
from flowbook.notebook.children_view import MOST_ROWS, ORDERS, ChildrenRequest, ChildrenView, children_view
from flowbook.notebook.command_worker import Command, RefusedError
from flowbook.notebook.log_view import logs_view
from flowbook.notebook.view_model import plain
from flowbook.report.phrases import shorten

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.notebook.patch_feed import PatchFeed
    from flowbook.notebook.ports import RunLike
    from flowbook.notebook.runs_view import RunsView

__all__ = ["QUERIES", "ViewQueries", "grouping_asked_for", "run_asked_for", "runs_asked_for"]

#: Commands that change nothing: they are executed again when a view repeats them.
QUERIES = frozenset({"changes", "children", "compare", "logs", "menu", "plan", "runs"})
_MOST_RUNS = 1000
_TWO = 2
#: Of what a notebook keeps.
_KEPT = {"changes": 3000, "lines": 300, "runs": 10, "rows": 50, "tasks": 8}
#: Of what a report holds.
_REPORTED = {"changes": 60_000, "lines": 20_000, "runs": 50, "rows": 5_000, "tasks": 200}


class ViewQueries:
    """Answers queries about the run that is shown.

    Args:
        feed: sends the answers, and has the projection of the run.
        run: returns the run that is shown.
        runs: returns at most so many of the flow's runs.
    """

    def __init__(self, feed: PatchFeed, run: Callable[[], RunLike], runs: Callable[[int], RunsView]) -> None:
        self._feed = feed
        self._run = run
        self._runs = runs
        self._labels: tuple[RunLike, ChildLabels] | None = None

    @property
    def handlers(self) -> dict[str, Callable[[Command], str]]:
        """The handlers of the commands in `QUERIES`."""
        return {
            "changes": self._on_changes,
            "children": self._on_children,
            "logs": self._on_logs,
            "runs": self._on_runs,
        }

    def kept(self, *, whole: bool = False) -> dict[str, Any]:
        """Return the answers that a notebook keeps, or the `whole` that a report holds, by type; about children also by key."""
        most = _REPORTED if whole else _KEPT
        run = self._run()
        events = run.events()
        mapped = [key for key, spec in run.graph.specs.items() if spec.is_mapped][: most["tasks"]]
        return {
            "changes": plain(changes_view(run.run_id, events, -1, most["changes"])),
            "logs": plain(logs_view(run.run_id, events, -1, most["lines"])),
            "runs": plain(self._runs(most["runs"])),
            "children": {
                key: plain(self._children(ChildrenRequest(key, limit=most["rows"]), may_load=False)) for key in mapped
            },
        }

    def label(self, key: str) -> str:
        """Return what a child of the run that is shown is called; "" for other tasks."""
        parent, index = split_key(key)
        with self._feed.locked:
            _, facts = self._feed.projection.children(parent)
        if index is None or not facts:
            return ""
        run_name = facts[key].run_name if key in facts else ""
        return run_name or self._labels_now().of(parent, index, may_load=True)

    def _labels_now(self) -> ChildLabels:
        run = self._run()
        if self._labels is None or self._labels[0] is not run:
            self._labels = (run, ChildLabels(run.graph, run.states))
        return self._labels[1]

    def _on_changes(self, command: Command) -> str:
        run = self._run()
        view = changes_view(run.run_id, run.events(), _whole(command, "since", -1))
        self._feed.post({"type": "changes", "id": command["id"], **plain(view)})
        return ""

    def _on_logs(self, command: Command) -> str:
        run = self._run()
        view = logs_view(run.run_id, run.events(), _whole(command, "since", -1))
        self._feed.post({"type": "logs", "id": command["id"], **plain(view)})
        return ""

    def _on_runs(self, command: Command) -> str:
        found = self._runs(min(_MOST_RUNS, max(1, _whole(command, "limit", 20))))
        self._feed.post({"type": "runs", "id": command["id"], **plain(found)})
        return ""

    def _on_children(self, command: Command) -> str:
        request = _children_request(command)
        spec = self._run().graph.specs.get(request.key)
        if spec is None or not spec.is_mapped:
            msg = f"{shorten(request.key, 80)!r} isn't a mapped task of {self._run().flow_name}."
            raise RefusedError(msg)
        view = self._children(request, may_load=True)
        self._feed.post({"type": "children", "id": command["id"], **plain(view)})
        return ""

    def _children(self, request: ChildrenRequest, *, may_load: bool) -> ChildrenView:
        with self._feed.locked:
            width, facts = self._feed.projection.children(request.key)
        labels = self._labels_now()
        return children_view(
            request,
            width,
            facts,
            label=lambda index: labels.of(request.key, index, may_load=may_load),
            rows=lambda found: rows_of(found.state),
        )


def run_asked_for(command: Command) -> str:
    """Return the id of a run that came from the browser."""
    run_id = command.get("run")
    if not isinstance(run_id, str):
        msg = f"A run is named by its id, not by {shorten(repr(run_id), 80)}."
        raise RefusedError(msg)
    return run_id


def runs_asked_for(command: Command) -> tuple[str, str]:
    """Return the ids of two runs that came from the browser."""
    runs = command.get("runs")
    if not isinstance(runs, list) or len(runs) != _TWO or not all(isinstance(each, str) for each in runs):
        msg = f"Two runs are compared, named by their ids, not {shorten(repr(runs), 80)}."
        raise RefusedError(msg)
    return runs[0], runs[1]


def grouping_asked_for(command: Command) -> GroupBy:
    """Return a way to group tasks that came from the browser."""
    asked = command.get("by")
    for by in GROUPINGS:
        if by == asked:
            return by
    msg = f"Tasks are drawn by {', '.join(GROUPINGS)}, not by {shorten(repr(asked), 80)}."
    raise RefusedError(msg)


def _whole(command: Command, name: str, default: int) -> int:
    """Return a whole number that came from the browser."""
    found = command.get(name, default)
    if not isinstance(found, int):
        msg = f"{name} is a whole number, not {shorten(repr(found), 80)}."
        raise RefusedError(msg)
    return found


def _children_request(command: Command) -> ChildrenRequest:
    """Return the checked request: it comes from the browser."""
    key, offset, limit = command.get("key"), command.get("offset", 0), command.get("limit", MOST_ROWS)
    order = command.get("order", "trouble")
    texts = {name: command.get(name) or "" for name in ("state", "query")}
    is_sound = isinstance(key, str) and all(isinstance(text, str) for text in texts.values())
    if not is_sound or not isinstance(offset, int) or not isinstance(limit, int) or order not in ORDERS:
        msg = f"Children come by a key, whole numbers and one of {', '.join(ORDERS)}, not by {shorten(str(command), 200)}."
        raise RefusedError(msg)
    return ChildrenRequest(str(key), **texts, order=order, offset=offset, limit=min(MOST_ROWS, max(1, limit)))
