"""How a flow runs: a graph goes in, events come out. Not where a run's process lives: that is `flowbook.flow_runners`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook._later import load

if TYPE_CHECKING:
    from flowbook.engine.flow_runner import FlowRunner
    from flowbook.engine.task_runner import TaskRunner

__all__ = ["FlowRunner", "TaskRunner"]

#: Where they are: loaded when first asked for, as the modules in here import each other.
_LATER = {"FlowRunner": "flowbook.engine.flow_runner", "TaskRunner": "flowbook.engine.task_runner"}
#: Modules that a flow may name after `import flowbook` alone.
_MODULES = frozenset({"cache_validators", "flow_runner", "signals", "state", "task_runner", "triggers"})


def __getattr__(name: str) -> object:
    return load(__name__, name, _LATER, _MODULES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
