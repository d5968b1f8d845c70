"""The options of a flow, and how each is checked, in the constructor and whenever it is set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.core import cache_policy, checks
from flowbook.core.flow_structure import FlowStructure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flowbook.core.cache_policy import FlowCache
    from flowbook.executors.base import Executor
    from flowbook.notices.receiver import Receiver
    from flowbook.results.files import Result

__all__ = ["FlowOptions"]


class FlowOptions(FlowStructure):
    """The options of a flow, documented at `Flow`, of which this is a base class."""

    executor: Executor | None
    result: Result | None
    state_handlers: list[Callable[..., object]]
    on_failure: Callable[..., object] | None
    terminal_state_handler: Callable[..., object] | None
    cache: FlowCache
    notify: tuple[Receiver, ...] = ()  #: of flows that an older flowbook stored

    def _set_options(self, **options: object) -> None:
        for option, value in options.items():
            setattr(self, option, value)

    def __setattr__(self, name: str, value: object) -> None:
        check = _CHECKS.get(name)
        object.__setattr__(self, name, value if check is None else check(self.name, value))


#: By option: what returns its value as it is stored, or refuses it.
_CHECKS: Mapping[str, Callable[[str, Any], object]] = {
    "cache": cache_policy.flow_switch,
    "executor": lambda _, value: None if value is None else checks.executor(value),
    "notify": checks.receivers,
    "on_failure": lambda flow, value: checks.flow_function(flow, "on_failure", value),
    "result": checks.result,
    "state_handlers": lambda flow, value: checks.handlers(flow, value, "Flow"),
    "terminal_state_handler": lambda flow, value: checks.flow_function(flow, "terminal_state_handler", value),
}
