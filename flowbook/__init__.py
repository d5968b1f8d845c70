"""Flowbook: workflows in the notebook. Pause, look, approve and resume on the graph; walk back in time through outputs."""

from flowbook import triggers
from flowbook._context import context
from flowbook.core.annotations import flatten, mapped, unmapped
from flowbook.core.edge import Edge
from flowbook.core.flow import Flow
from flowbook.core.history import run, runs
from flowbook.core.parameter import Parameter
from flowbook.core.run import FlowRun
from flowbook.core.task import Task, task

__all__ = [
    "Edge",
    "Flow",
    "FlowRun",
    "Parameter",
    "Task",
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
