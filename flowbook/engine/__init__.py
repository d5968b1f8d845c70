"""How a flow runs: a graph goes in, events come out. Not where a run's process lives: that is `flowbook.flow_runners`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowbook.engine.flow_runner import FlowRunner
    from flowbook.engine.task_runner import TaskRunner

__all__ = ["FlowRunner", "TaskRunner"]

#: Where they are: loaded when first asked for, as the modules in here import each other.
_LATER = {"FlowRunner": "flow_runner", "TaskRunner": "task_runner"}
#: Modules that a flow may name after `import flowbook` alone.
_MODULES = frozenset({"cache_validators", "signals", "state", "triggers"})


def __getattr__(name: str) -> object:
    from importlib import import_module  # noqa: PLC0415  # at hand, but only here

    if name in _MODULES:
        return import_module(f"flowbook.engine.{name}")
    if name not in _LATER:
        msg = f"module 'flowbook.engine' has no attribute {name!r}"
        raise AttributeError(msg)
    found = globals()[name] = getattr(import_module(f"flowbook.engine.{_LATER[name]}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
