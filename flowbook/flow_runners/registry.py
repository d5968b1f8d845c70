"""The types of flow runners by name, and the flow runner that settings describe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.exceptions import DefinitionError
from flowbook.flow_runners.docker_flow_runner import DockerFlowRunner
from flowbook.flow_runners.subprocess_flow_runner import SubprocessFlowRunner
from flowbook.flow_runners.universal_flow_runner import UniversalFlowRunner

if TYPE_CHECKING:
    from flowbook.flow_run.ports import FlowRunnerSettings

__all__ = ["from_settings"]

_TYPES: dict[str, type[UniversalFlowRunner]] = {
    kind.type: kind for kind in (UniversalFlowRunner, SubprocessFlowRunner, DockerFlowRunner)
}


def from_settings(settings: FlowRunnerSettings) -> UniversalFlowRunner:
    """Return the flow runner that `to_settings` made these of.

    Raises:
        DefinitionError: if there is no such type, or it has no such field; names those that there are.
    """
    kind = _TYPES.get(settings.type)
    if kind is None:
        known = ", ".join(map(repr, _TYPES))
        msg = f"There is no flow runner of type {settings.type!r}. The types are {known}."
        raise DefinitionError(msg, type=settings.type)
    return kind(**settings.config)
