"""Flowbook: workflows in the notebook. Pause, look, approve and resume on the graph; walk back in time through outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook import triggers
from flowbook._context import context
from flowbook._later import load
from flowbook.core.annotations import flatten, mapped, unmapped
from flowbook.core.building import tags
from flowbook.core.cached_outputs import cache
from flowbook.core.edge import Edge
from flowbook.core.flow import Flow
from flowbook.core.function_task import task
from flowbook.core.history import run, runs
from flowbook.core.parameter import DateTimeParameter, Parameter
from flowbook.core.task import Task
from flowbook.flow_run.run import FlowRun

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from flowbook.agent.serving import serve
    from flowbook.core.apply_map import apply_map
    from flowbook.core.branches import case, ifelse, merge, switch
    from flowbook.core.function_flow import flow
    from flowbook.core.resource import resource_manager
    from flowbook.core.secret import Secret
    from flowbook.engine.task_progress import progress

__all__ = [
    "DateTimeParameter",
    "Edge",
    "File",
    "Flow",
    "FlowRun",
    "Parameter",
    "Secret",
    "Task",
    "apply_map",
    "cache",
    "case",
    "context",
    "flatten",
    "flow",
    "ifelse",
    "mapped",
    "merge",
    "progress",
    "resource_manager",
    "run",
    "runs",
    "serve",
    "switch",
    "tags",
    "task",
    "triggers",
    "unmapped",
]

__version__ = "0.1.0"

#: Names that few flows use, and where they are: loaded when they are first asked for.
_LATER = {
    "File": "flowbook.results.file",
    "Secret": "flowbook.core.secret",
    "apply_map": "flowbook.core.apply_map",
    "case": "flowbook.core.branches",
    "flow": "flowbook.core.function_flow",
    "ifelse": "flowbook.core.branches",
    "merge": "flowbook.core.branches",
    "progress": "flowbook.engine.task_progress",
    "resource_manager": "flowbook.core.resource",
    "serve": "flowbook.agent.serving",
    "switch": "flowbook.core.branches",
}


#: Packages that a flow may name after `import flowbook` alone, as `flowbook.tasks.control_flow`.
_PACKAGES = frozenset({"engine", "executors", "results", "tasks"})


def __getattr__(name: str) -> object:
    return load(__name__, name, _LATER, _PACKAGES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_PACKAGES})


def load_ipython_extension(shell: InteractiveShell) -> None:
    """`%load_ext flowbook`: add the magics."""
    from flowbook.notebook import extension  # noqa: PLC0415  # loads IPython and the widgets

    extension.load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """`%unload_ext flowbook`: take the magics away."""
    from flowbook.notebook import extension  # noqa: PLC0415

    extension.unload(shell)
