"""Flow runners: where a run's process lives. Each makes such a place and starts `python -m flowbook.engine RUN_ID` in it.

Not to be confused with `flowbook.engine.FlowRunner`, which walks a flow's graph within a process.
"""

from flowbook.flow_run.ports import FlowRunnerSettings
from flowbook.flow_runners.docker_flow_runner import DockerFlowRunner
from flowbook.flow_runners.kubernetes_flow_runner import KubernetesFlowRunner
from flowbook.flow_runners.registry import PLACES, from_settings, from_word
from flowbook.flow_runners.subprocess_flow_runner import SubprocessFlowRunner
from flowbook.flow_runners.universal_flow_runner import UniversalFlowRunner

__all__ = [
    "PLACES",
    "DockerFlowRunner",
    "FlowRunnerSettings",
    "KubernetesFlowRunner",
    "SubprocessFlowRunner",
    "UniversalFlowRunner",
    "from_settings",
    "from_word",
]
