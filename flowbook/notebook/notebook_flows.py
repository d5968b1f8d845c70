"""The flows of a notebook, by name: what each was written from, what was edited since, and their runs."""

from __future__ import annotations

import builtins
import keyword
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

from IPython.core.error import UsageError

from flowbook.core.flow import Flow
from flowbook.core.history import run as recorded_run
from flowbook.core.history import runs as recorded_runs
from flowbook.core.task import Task
from flowbook.engine.task_keys import parent_key
from flowbook.flow_run.run_names import find_run_id
from flowbook.notebook.cell_bodies import CellBodies
from flowbook.notebook.edits import Edits, WatchedFlow
from flowbook.notebook.frontend import notebook_name
from flowbook.report.phrases import listed
from flowbook.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from IPython.core.interactiveshell import InteractiveShell

    from flowbook.flow_run.run import FlowRun
    from flowbook.notebook.flow_cell import FlowCell

__all__ = ["NotebookFlows", "Renewed"]

_NAMED_AT_MOST = 3
#: How many flows are watched for edits.
_WATCHED_AT_MOST = 50


class Renewed(NamedTuple):
    """A flow as its cell writes it now.

    Attributes:
        flow: the flow.
        edits: what was edited since it was written last; then it is a new flow.
    """

    flow: Flow
    edits: Edits


class NotebookFlows:
    """The flows that cells of this notebook wrote. Its methods may be called in any thread.

    Args:
        shell: the IPython shell.

    Attributes:
        is_incremental: whether flows run only what has changed, unless their cell says otherwise.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._flows: dict[str, Flow] = {}
        self._cells: dict[str, FlowCell] = {}
        self._bodies = CellBodies(shell)
        #: What the newest flows were written with. Runs of older ones may still be shown; what nobody holds any more goes.
        self._watched: WeakKeyDictionary[Flow, WatchedFlow] = WeakKeyDictionary()
        self.is_incremental = False

    def names(self) -> list[str]:
        """Return the names of the flows, in the order in which they were written first."""
        return list(self._flows)

    def __iter__(self) -> Iterator[Flow]:
        return iter(list(self._flows.values()))

    # What they were written from

    def check_name(self, name: str) -> None:
        """Raise UsageError if a flow of that name would take the place of something else that a name stands for."""
        if what := _what_python_has(name):
            msg = f"{name} is {what}. Name the flow otherwise: %%flow {name}_flow."
            raise UsageError(msg)
        held = self._shell.user_ns.get(name)
        if held is None or isinstance(held, Flow) or any(held in flow.tasks for flow in self if isinstance(held, Task)):
            return
        kind = "task" if isinstance(held, Task) else type(held).__name__
        msg = (
            f"{name} is a {kind} of this notebook, and the variable of a flow {name!r} would replace it. "
            f"Name the flow otherwise: %%flow {name}_flow."
        )
        raise UsageError(msg)

    def write(self, cell: FlowCell) -> tuple[Flow, Flow | None]:
        """Run a cell's body, put the flow under its name, and return it with the one that had the name before.

        If the body fails, everything stays as it was, and its error is raised.
        """
        flow = cell.write(self._shell, self._bodies)
        before = self._flows.get(cell.name)
        self._keep(cell, flow)
        return flow, before

    def renew(self, name: str) -> Renewed:
        """Return the flow of that name; if something of it was edited since, written anew with today's definitions.

        Raises:
            DefinitionError: if its cell can't be evaluated any more.
        """
        flow = self.flow(name)
        edits = self.edits(flow)
        if not edits:
            return Renewed(flow, edits)
        cell = self._cells[name]
        renewed = cell.rewrite(self._shell)
        self._keep(cell, renewed).begin()
        renewed.last_run = flow.last_run
        return Renewed(renewed, edits)

    def cell_ended(self) -> None:
        """Note the definitions with which flows were written in the cell that has just ended."""
        for watched in list(self._watched.values()):
            watched.begin()

    def edits(self, flow: object) -> Edits:
        """Return what was edited since a flow was written; nothing for flows of other origin."""
        known = self._watched.get(flow) if isinstance(flow, Flow) else None
        return Edits() if known is None else known.look(self._shell.user_ns)

    def is_watched(self, flow: object) -> bool:
        """Return whether it is known what was edited since a flow was written."""
        return isinstance(flow, Flow) and flow in self._watched

    def cell(self, name: str) -> FlowCell | None:
        """Return the cell that wrote the flow of that name."""
        return self._cells.get(name)

    def is_current(self, flow: object) -> bool:
        """Return whether a flow is the one that its cell wrote last."""
        return isinstance(flow, Flow) and self._flows.get(flow.name) is flow

    def _keep(self, cell: FlowCell, flow: Flow) -> WatchedFlow:
        self._cells[cell.name] = cell
        self._flows[cell.name] = flow
        #: The graph without its flow, which would keep itself alive.
        watched = WatchedFlow(replace(flow.compile(), flow=None), self._shell.user_ns)
        self._watched[flow] = watched
        for old in list(self._watched)[:-_WATCHED_AT_MOST]:
            del self._watched[old]
        self._shell.user_ns[cell.name] = flow
        return watched

    # Finding

    def find(self, name: str | None) -> Flow | None:
        """Return the flow of that name, or that a variable of that name holds."""
        found = self._flows.get(str(name)) or self._shell.user_ns.get(str(name))
        return found if isinstance(found, Flow) else None

    def today(self, name: str) -> Flow | None:
        """Return the flow that is called so now: that of a cell, or the one that variables of this notebook hold."""
        if name in self._flows:
            return self._flows[name]
        found = {id(value): value for value in list(self._shell.user_ns.values()) if isinstance(value, Flow)}
        named = [flow for flow in found.values() if flow.name == name]
        return named[0] if len(named) == 1 else None

    def with_task(self, key: str) -> list[Flow]:
        """Return the flows that cells wrote or variables hold and that have this task, or this child's mapped task."""
        held = [value for value in list(self._shell.user_ns.values()) if isinstance(value, Flow)]
        found = {id(flow): flow for flow in (*self, *held)}.values()
        return [flow for flow in found if parent_key(key) in flow.keys().values()]

    def variable(self, flow: Flow) -> str:
        """Return the name of a variable that holds a flow; "flow" if none does."""
        return next(
            (n for n, value in list(self._shell.user_ns.items()) if value is flow and not n.startswith("_")), "flow"
        )

    def flow(self, name: str | None) -> Flow:
        """Return the flow of that name. Raises UsageError if there is none."""
        if name is None:
            known = listed(self.names(), _NAMED_AT_MOST) or "none is written yet; write one with %%flow NAME"
            msg = f"Which flow? Name one: {known}."
            raise UsageError(msg)
        found = self.find(name)
        if found is None:
            known = (
                f"Those there are: {', '.join(self.names())}" if self._flows else f"Run its cell first: %%flow {name}"
            )
            msg = f"There is no flow {name!r} in this notebook. {known}."
            raise UsageError(msg)
        return found

    def any_run(self, name: str | None) -> FlowRun:
        """Return the newest run of the flow of that name, here or recorded, or the run that is named.

        Raises:
            UsageError: if no name is given.
            UnknownRunError: if there is no such run.
        """
        if name is None:
            msg = "Which run? Give the name of a flow or the id of a run; %flow lists them."
            raise UsageError(msg)
        found = self.find(name)
        if found is not None and found.last_run is not None:
            return found.last_run
        return self.run(self.run_id(name))

    def run_id(self, name: str) -> str:
        """Return the id of the newest recorded run of the flow of that name, or of the run that is named."""
        known = recorded_runs(flow=name, limit=1)
        return str(known["run_id"].iloc[-1]) if len(known) else find_run_id(open_store(), name)

    def run_in(self, name: str | None, states: tuple[str, ...]) -> FlowRun:
        """Return the newest run of the flow of that name that is in one of these states; if none is, its newest."""
        newest = self.any_run(name)
        is_flow = newest.flow_name == name or self.find(name) is not None
        if not is_flow or type(newest.state).__name__ in states:
            return newest
        found = [recorded_runs(flow=newest.flow_name, state=state, limit=1) for state in states]
        rows = [row for each in found for row in each.to_dict("records")]
        if not rows:
            return newest
        return self.run(max(rows, key=lambda row: row["number"])["run_id"])

    def run(self, run_id: str) -> FlowRun:
        """Return the run of that id: the object that this notebook has of it, or a new one from the store."""
        return self._own_run(run_id) or self.shown(recorded_run(run_id))

    def has_run(self, run_id: str) -> bool:
        """Return whether a flow of this notebook has that run as its last one."""
        return self._own_run(run_id) is not None

    def _own_run(self, run_id: str) -> FlowRun | None:
        runs = (flow.last_run for flow in self)
        return next((run for run in runs if run is not None and run.run_id == run_id), None)

    def shown(self, run: FlowRun) -> FlowRun:
        """Return a run, of which is known from now on that this notebook shows it: it isn't logged to stderr as well."""
        return run.shown_in(notebook_name(self._shell) or "notebook")

    def task_key(self, text: str) -> str:
        """Return the key of the task that a variable holds; any other text is a key itself."""
        value = self._shell.user_ns.get(text)
        return value._key_in() if isinstance(value, Task) else text  # noqa: SLF001  # a task knows its key


def _what_python_has(name: str) -> str:
    """Return what a name is if Python has it for itself; "" if it hasn't."""
    if keyword.iskeyword(name):
        return "a word of Python's, so no variable can have that name"
    is_builtin = hasattr(builtins, name)
    return f"a name that Python has for itself, and the variable of a flow {name!r} would hide it" if is_builtin else ""
