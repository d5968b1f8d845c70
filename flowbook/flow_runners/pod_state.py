"""What a pod's status says of the container that runs the flow: has it started, what keeps it, how did it end. Pure."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any

from flowbook.flow_run.ports import Outcome
from flowbook.flow_runners.job_manifest import CONTAINER

__all__ = ["advice", "has_started", "has_stopped", "heals_never", "is_preparing", "outcome_of", "trouble_of"]

Pod = Mapping[str, Any]

#: What a container says while all is well.
_USUAL = frozenset({None, "", "ContainerCreating", "PodInitializing"})
#: Reasons to wait that no time heals.
_NEVER = frozenset({"InvalidImageName"})
_OUT_OF_MEMORY = "OOMKilled"
#: Exit codes from here on name a signal.
_SIGNALS = 128
_ADVICE = {
    "ErrImageNeverPull": "Load the image on the node, or let it be pulled: image_pull_policy='IF_NOT_PRESENT'.",
    "Unschedulable": "Ask for less (resources.requests, nodeSelector), or wait longer: pod_watch_timeout_seconds=1800.",
    "CreateContainerConfigError": "Make what is missing; docs/kubernetes.md shows the Secret that a run needs.",
}
_IMAGE_ADVICE = "Check the image's name, and that nodes may pull it (imagePullSecrets)."


def has_started(pod: Pod) -> bool:
    """Return whether the flow's container runs or has run, so that there may be output."""
    state = _state(pod)
    return "running" in state or "terminated" in state


def has_stopped(pod: Pod) -> bool:
    """Return whether the flow's container has ended, or never will start."""
    return "terminated" in _state(pod) or _phase(pod) in {"Succeeded", "Failed"}


def is_preparing(pod: Pod) -> bool:
    """Return whether an init container runs, which takes as long as it takes."""
    statuses = (pod.get("status") or {}).get("initContainerStatuses") or ()
    return any("running" in (each.get("state") or {}) for each in statuses)


def trouble_of(pod: Pod) -> tuple[str, str]:
    """Return why a pod that hasn't started waits: the cluster's word for it, and its message; two empty texts if all is well."""
    status = pod.get("status") or {}
    for each in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        waiting = (each.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") not in _USUAL:
            return waiting["reason"], waiting.get("message") or ""
    for each in status.get("conditions") or ():
        if each.get("type") == "PodScheduled" and each.get("status") == "False":
            return each.get("reason") or "Unschedulable", each.get("message") or ""
    return "", ""


def heals_never(reason: str) -> bool:
    """Return whether a trouble is one that no waiting mends."""
    return reason in _NEVER


def advice(reason: str) -> str:
    """Return what to do against a trouble; "" if that isn't known."""
    return _ADVICE.get(reason) or (_IMAGE_ADVICE if "Image" in reason else "")


def outcome_of(pod: Pod) -> Outcome | None:
    """Return how the flow's container ended; None if it hasn't."""
    status = pod.get("status") or {}
    ended = _state(pod).get("terminated")
    how = _how(pod, status, ended or {})
    if ended is not None:
        return Outcome(_code(ended), how=how)
    return Outcome(-signal.SIGKILL, how=how) if how else None


def _how(pod: Pod, status: Mapping[str, Any], ended: Mapping[str, Any]) -> str:
    """Return in a sentence how it ended, if more is known than an exit code; else ""."""
    name = pod["metadata"]["name"]
    if (reason := status.get("reason")) and _phase(pod) == "Failed":
        verb = "was evicted" if reason == "Evicted" else f"failed ({reason})"
        return f"Its pod {name} {verb}: {_sentence(status.get('message') or 'the cluster gives no reason')}"
    for each in status.get("conditions") or ():
        if each.get("type") == "DisruptionTarget" and each.get("status") == "True":
            why = _sentence(each.get("message") or "the cluster gives no reason")
            return f"Its pod {name} was ended by the cluster ({each.get('reason')}): {why}"
    if ended.get("reason") == _OUT_OF_MEMORY:
        limit = _memory_limit(pod)
        within = f"its limit of {limit}" if limit else "what its node has"
        return (
            f"Its container needed more memory than {within} and was killed (OOMKilled). Raise resources.limits.memory."
        )
    if ended.get("reason") in {"ContainerCannotRun", "StartError"}:
        return f"Its container could not be started: {_sentence(ended.get('message') or ended['reason'])}"
    return ""


def _code(ended: Mapping[str, Any]) -> int:
    """Return an exit code as the system has it: a negative number for a signal."""
    code = int(ended.get("exitCode", 1))
    if ended.get("signal"):
        return -int(ended["signal"])
    return _SIGNALS - code if _SIGNALS < code <= _SIGNALS + signal.NSIG else code


def _memory_limit(pod: Pod) -> str | None:
    for each in (pod.get("spec") or {}).get("containers") or ():
        if each.get("name") == CONTAINER:
            found = ((each.get("resources") or {}).get("limits") or {}).get("memory")
            return None if found is None else str(found)
    return None


def _state(pod: Pod) -> Mapping[str, Any]:
    for each in (pod.get("status") or {}).get("containerStatuses") or ():
        if each.get("name") == CONTAINER:
            return each.get("state") or {}
    return {}


def _phase(pod: Pod) -> str:
    return str((pod.get("status") or {}).get("phase") or "")


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."
