"""The Job that a run is in a cluster: made of a flow runner's fields. Pure, but for the library that applies a JSON patch."""

from __future__ import annotations

import copy
import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flowbook.exceptions import FlowRunnerError
from flowbook.flow_runners import fields
from flowbook.flow_runners.api_address import API_TOKEN, API_URL, api_address, is_loopback
from flowbook.flow_runners.image_name import usual_image
from flowbook.flow_runners.job_fields import OWN_LABELS, refuse_plain_token

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowbook.flow_run.ports import RunToStart

__all__ = ["CONTAINER", "JobFields", "generate_name", "job_manifest", "shown_manifest"]

#: The container that runs the flow; others may stand beside it.
CONTAINER = "flow"
#: A name that the cluster makes has five characters more, and 63 at most.
_NAME_CHARS = 58
#: How long a Job stays once it has ended, where the cluster removes them: long enough to look at it.
_KEPT_S = 86_400
_OWNER = "KubernetesFlowRunner"


@dataclass(frozen=True, slots=True)
class JobFields:
    """What a flow runner says of its Jobs.

    Attributes:
        image: of the container; None: the one that the Job says, else the usual one.
        namespace: where the Job is made; None: the one that the Job says, else that of the connection.
        service_account_name: of the pod.
        labels: of Job and pod.
        image_pull_policy: "IfNotPresent", "Always", "Never"; None: the cluster's own rule.
        secret: name of the Secret whose keys become environment variables.
        job: the manifest that everything else is put into.
        customizations: operations of RFC 6902, applied last.
        env: environment variables; they win.
    """

    image: str | None = None
    namespace: str | None = None
    service_account_name: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    image_pull_policy: str | None = None
    secret: str = "flowbook"  # noqa: S105  # a name
    job: Mapping[str, Any] = field(default_factory=dict)
    customizations: Sequence[Mapping[str, Any]] = ()
    env: Mapping[str, str] = field(default_factory=dict)


def job_manifest(given: JobFields, run: RunToStart, settings: Mapping[str, str], version: str) -> dict[str, Any]:
    """Return the manifest of a run's Job.

    Args:
        given: the flow runner's fields.
        run: the run.
        settings: flowbook's settings for the run's process: the project, and the address of the API if this process has one.
        version: of flowbook.

    Raises:
        FlowRunnerError: if the fields don't make such a Job; says which.
    """
    manifest: dict[str, Any] = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {},
        **copy.deepcopy(dict(given.job)),
    }
    metadata, spec = _part(manifest, "metadata"), _part(manifest, "spec")
    template = _part(spec, "template", "spec")
    metadata["generateName"] = generate_name(run)
    if given.namespace is not None:
        metadata["namespace"] = given.namespace
    spec.setdefault("backoffLimit", 0)
    spec.setdefault("ttlSecondsAfterFinished", _KEPT_S)
    own_labels = dict(zip(OWN_LABELS, (run.run_id, version), strict=True))
    _label(manifest, {**given.labels, **own_labels})
    _fill_pod(_part(template, "spec", "spec.template"), given, run, settings)
    filled_in = _variables(manifest).get(API_URL, {}).get("value")
    manifest = _patched(manifest, given.customizations)
    _label(manifest, own_labels)
    _refuse_what_starts_twice(manifest)
    refuse_plain_token(_OWNER, manifest)
    is_own = API_URL in given.env or filled_in != settings.get(API_URL)
    _check_address(manifest, None if is_own else filled_in)
    return manifest


def generate_name(run: RunToStart) -> str:
    """Return what the name of a run's Job begins with: of its flow and number, as RFC 1123 has names."""
    plain = unicodedata.normalize("NFKD", run.flow_name).encode("ascii", "ignore").decode().lower()
    number = f"-{run.number}-"
    flow = re.sub("[^a-z0-9]+", "-", plain).strip("-")[: _NAME_CHARS - len(number)].strip("-")
    return f"{flow or 'run'}{number}"


def shown_manifest(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest for people: values of environment variables that sound secret are masked."""
    shown = copy.deepcopy(dict(manifest))
    pod = shown["spec"]["template"]["spec"]
    for container in (*pod.get("initContainers", ()), *pod.get("containers", ())):
        for variable in container.get("env", ()):
            if isinstance(variable.get("value"), str):
                variable["value"] = fields.shown_env({variable["name"]: variable["value"]})[variable["name"]]
    return shown


def _part(parent: dict[str, Any], name: str, where: str = "") -> dict[str, Any]:
    """Return a part of a manifest, made if it isn't there. Raises FlowRunnerError: if it isn't a mapping."""
    found = parent.setdefault(name, {})
    if found is None:
        found = parent[name] = {}
    if not isinstance(found, dict):
        path = f"{where}.{name}" if where else name
        msg = f"{_OWNER}: its Job has {path}: {found!r}, which isn't a mapping. Write what Kubernetes expects there."
        raise FlowRunnerError(msg, path=path)
    return found


def _fill_pod(pod: dict[str, Any], given: JobFields, run: RunToStart, settings: Mapping[str, str]) -> None:
    pod.setdefault("restartPolicy", "Never")
    if given.service_account_name is not None:
        pod["serviceAccountName"] = given.service_account_name
    container = _container(pod)
    if given.image is not None or not container.get("image"):
        container["image"] = given.image or usual_image()
    if given.image_pull_policy is not None:
        container["imagePullPolicy"] = given.image_pull_policy
    # Arguments only: an image's entry point, such as tini or `conda run`, starts them.
    container.setdefault("args", ["python", "-m", "flowbook.engine", run.run_id])
    container["env"] = _env(container.get("env") or [], given, settings)
    source = {"secretRef": {"name": given.secret}}
    container["envFrom"] = [*(each for each in container.get("envFrom") or [] if each != source), source]


def _container(pod: dict[str, Any]) -> dict[str, Any]:
    """Return the container that runs the flow: the one of that name, added if there is none at all."""
    containers = pod.setdefault("containers", [])
    named = [each for each in containers if isinstance(each, dict) and each.get("name") == CONTAINER]
    if named:
        return named[0]
    if containers:
        msg = f"{_OWNER}: its Job has containers, and none is called {CONTAINER!r}. Call the one so that is to run the flow."
        raise FlowRunnerError(msg, path="spec.template.spec.containers")
    containers.append({"name": CONTAINER})
    added: dict[str, Any] = containers[0]
    return added


def _env(own: Sequence[dict[str, Any]], given: JobFields, settings: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the container's environment, low to high: flowbook's settings, the base Job's own, `env`."""
    token: dict[str, Any] = {"name": API_TOKEN, "valueFrom": {"secretKeyRef": {"name": given.secret, "key": API_TOKEN}}}
    found: dict[str, Any] = {name: {"name": name, "value": value} for name, value in settings.items()}
    found[API_TOKEN] = token
    found |= {each["name"]: each for each in own}
    found |= {name: {"name": name, "value": value} for name, value in given.env.items()}
    return list(found.values())


def _patched(manifest: dict[str, Any], operations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    if not operations:
        return manifest
    try:
        import jsonpatch  # noqa: PLC0415  # an extra, and rarely wanted
    except ImportError as error:
        msg = (
            f"{_OWNER} has customizations, which need the package jsonpatch: pip install 'jupyter-flowbook[kubernetes]'"
        )
        raise FlowRunnerError(msg, package="jsonpatch") from error
    try:
        found = jsonpatch.apply_patch(manifest, [dict(each) for each in operations])
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
        msg = f"{_OWNER}: its customizations can't be applied to its Job: {error}. Look at the Job first: preview without them."
        raise FlowRunnerError(msg, field="customizations") from error
    if not isinstance(found, dict):
        msg = f"{_OWNER}: its customizations leave no Job but {found!r}. Change parts of it: paths such as '/spec/...'."
        raise FlowRunnerError(msg, field="customizations")
    return found


def _label(manifest: dict[str, Any], labels: Mapping[str, str]) -> None:
    """Label Job and pod; these labels win over those that are there."""
    for owner in (manifest, _part(_part(manifest, "spec"), "template", "spec")):
        _part(_part(owner, "metadata"), "labels", "metadata").update(labels)


def _variables(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the environment variables of the container that runs the flow, by name."""
    container = _container(_part(manifest["spec"]["template"], "spec", "spec.template"))
    return {each["name"]: each for each in container.get("env") or ()}


def _refuse_what_starts_twice(manifest: dict[str, Any]) -> None:
    """Raise FlowRunnerError if the Job would start a run's process more than once."""
    spec = manifest["spec"]
    pod = _part(spec["template"], "spec", "spec.template")
    for path, found, wanted in (
        ("spec.backoffLimit", spec.get("backoffLimit"), 0),
        ("spec.completions", spec.get("completions", 1), 1),
        ("spec.parallelism", spec.get("parallelism", 1), 1),
        ("spec.template.spec.restartPolicy", pod.get("restartPolicy"), "Never"),
    ):
        if found != wanted:
            msg = (
                f"{_OWNER}: its Job has {path}: {found}, and a run is one pod that starts once: {path}: {wanted}. "
                "Let tasks retry instead (max_retries), or resume the run."
            )
            raise FlowRunnerError(msg, path=path)


def _check_address(manifest: dict[str, Any], filled_in: str | None) -> None:
    """Raise FlowRunnerError if the run's process won't find the API.

    Args:
        manifest: of the Job.
        filled_in: the address that this process uses itself; None if somebody gave another one for pods.
    """
    variable = _variables(manifest).get(API_URL, {})
    if "valueFrom" in variable:
        return
    address = api_address(_OWNER, {API_URL: variable.get("value") or ""})
    has_own_network = not manifest["spec"]["template"]["spec"].get("hostNetwork")
    if address == filled_in and is_loopback(address) and has_own_network:
        msg = (
            f"{API_URL} is {address}, which in a pod is the pod itself. Let the API listen where pods can reach it, flowbook "
            f"server start --host 0.0.0.0, and set {API_URL} to that address. If only pods need another one: "
            f"{_OWNER}(env={{'{API_URL}': 'http://...'}})."
        )
        raise FlowRunnerError(msg, name=API_URL, value=address)
