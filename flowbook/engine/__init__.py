"""Runs a flow: a graph goes in, events come out. Where a run's process lives is not decided here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook._later import load

if TYPE_CHECKING:
    from flowbook.engine.flow_runner import FlowRunner
    from flowbook.engine.task_runner import TaskRunner

__all__ = ["FlowRunner", "TaskRunner"]

#: The module of each public name; loaded on first use, as the engine's modules import each other.
_LATER = {"FlowRunner": "flowbook.engine.flow_runner", "TaskRunner": "flowbook.engine.task_runner"}
#: Modules that a flow may name after `import flowbook` alone.
_MODULES = frozenset({"cache_validators", "flow_runner", "signals", "state", "task_runner", "triggers"})


def __getattr__(name: str) -> object:
    return load(__name__, name, _LATER, _MODULES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
