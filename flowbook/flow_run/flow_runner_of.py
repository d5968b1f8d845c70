"""The flow runner that settings describe, restored by the package that has the types."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from flowbook.flow_run.ports import FlowRunnerSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.flow_run.ports import FlowRunner

__all__ = ["flow_runner_of"]

#: By name: the package stands above this one, and is loaded only for a run that has a flow runner (docs/decisions/0057).
_FLOW_RUNNERS = "flowbook.flow_runners"


def flow_runner_of(settings: Mapping[str, Any] | FlowRunnerSettings) -> FlowRunner:
    """Return the flow runner of these settings, or of what `FlowRunnerSettings.as_json` made of them.

    Raises:
        DefinitionError: if there is no such type, or it hasn't such a field; names those that there are.
    """
    if not isinstance(settings, FlowRunnerSettings):
        settings = FlowRunnerSettings(settings["type"], settings["config"])
    return cast("FlowRunner", import_module(_FLOW_RUNNERS).from_settings(settings))
