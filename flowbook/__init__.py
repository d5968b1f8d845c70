"""Flowbook: workflows in the notebook. Pause, look, approve and resume on the graph; walk back in time through outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook import triggers
from flowbook._context import context
from flowbook.core.annotations import flatten, mapped, unmapped
from flowbook.core.edge import Edge
from flowbook.core.flow import Flow
from flowbook.core.history import run, runs
from flowbook.core.outputs import cache
from flowbook.core.parameter import Parameter
from flowbook.core.run import FlowRun
from flowbook.core.task import Task, task

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = [
    "Edge",
    "Flow",
    "FlowRun",
    "Parameter",
    "Task",
    "cache",
    "context",
    "flatten",
    "mapped",
    "run",
    "runs",
    "task",
    "triggers",
    "unmapped",
]

__version__ = "0.1.0"


def load_ipython_extension(shell: InteractiveShell) -> None:
    """`%load_ext flowbook`: add the magics."""
    from flowbook.notebook import extension  # noqa: PLC0415  # loads IPython and the widgets

    extension.load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """`%unload_ext flowbook`: take the magics away."""
    from flowbook.notebook import extension  # noqa: PLC0415

    extension.unload(shell)
