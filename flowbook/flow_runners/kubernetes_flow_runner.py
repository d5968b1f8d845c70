"""`KubernetesFlowRunner`: a run in a pod of a cluster, as a Job."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar

import yaml

from flowbook import config
from flowbook._utils.versions import versions_here
from flowbook.flow_run.ports import RunToStart
from flowbook.flow_runners import fields, job_fields
from flowbook.flow_runners.api_address import API_URL
from flowbook.flow_runners.cluster import Cluster
from flowbook.flow_runners.container_arguments import HANDED_ON
from flowbook.flow_runners.job_fields import OWN_LABELS
from flowbook.flow_runners.job_manifest import JobFields, job_manifest, shown_manifest
from flowbook.flow_runners.job_mark import JobMark, WatchedJob
from flowbook.flow_runners.job_process import JobPlace, watch_job
from flowbook.flow_runners.job_watch import Timeouts
from flowbook.flow_runners.run_output import RunOutput
from flowbook.flow_runners.universal_flow_runner import UniversalFlowRunner
from flowbook.store.process_identity import PLACE, container_of, place_of_run, process_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flowbook.flow_run.ports import Outcome

__all__ = ["KubernetesFlowRunner"]

#: The words of Docker's flow runner, and the cluster's.
_PULL_POLICIES = {"IF_NOT_PRESENT": "IfNotPresent", "ALWAYS": "Always", "NEVER": "Never"}
_SECRET = "flowbook"  # noqa: S105  # a name
_JOB_S, _POD_S = 60.0, 300.0
_USUAL: dict[str, object] = {
    "env": {},
    "labels": {},
    "job": {},
    "customizations": [],
    "secret": _SECRET,
    "job_watch_timeout_seconds": _JOB_S,
    "pod_watch_timeout_seconds": _POD_S,
    "stream_output": True,
}


class KubernetesFlowRunner(UniversalFlowRunner):
    """A run's process lives in a pod of a Kubernetes cluster; it outlives the process that starts it.

    The cluster is that of the pod in which this process runs, else that of the kubeconfig (`KUBECONFIG`). The run reaches its
    flow, its inputs and its record through flowbook's API: `FLOWBOOK_API_URL` is required, and its token comes from a Secret.

    Args:
        env: environment variables in the container; they win over all others.
        image: of the container, with flowbook and the flow's packages, e.g. "registry.example.com/flows:2"; None:
            "flowbook:VERSION-pythonX.Y", which you make.
        namespace: where the Job is made; None: the one that `job` or the kubeconfig names.
        service_account_name: of the pod.
        labels: of Job and pod, besides flowbook's own.
        image_pull_policy: "IF_NOT_PRESENT", "ALWAYS" or "NEVER"; None: the cluster's own rule.
        secret: name of the Secret in that namespace whose keys become environment variables: `FLOWBOOK_API_TOKEN`, and those
            of the run's secrets, `FLOWBOOK_SECRET_…`.
        job: the manifest of a Job that all else is put into; its container "flow" runs the flow.
        customizations: operations of RFC 6902 (JSON Patch) that change the Job last.
        job_watch_timeout_seconds: how long the Job may have no pod.
        pod_watch_timeout_seconds: how long its pod may take to start, images and waiting for a node included.
        stream_output: whether whoever starts it sees its output. In any case it is kept in a log file beside the store.

    Raises:
        ArgumentError: if there is no such field, or a value is not what it should be.
    """

    type: ClassVar[str] = "kubernetes"
    is_of_this_machine: ClassVar[bool] = False
    #: Whether its processes get a run's secrets from elsewhere than this process's environment: from a Secret of the cluster.
    keeps_secrets: ClassVar[bool] = True

    def __init__(  # noqa: PLR0913  # the fields that it has
        self,
        *,
        env: Mapping[str, str] | None = None,
        image: str | None = None,
        namespace: str | None = None,
        service_account_name: str | None = None,
        labels: Mapping[str, str] | None = None,
        image_pull_policy: str | None = None,
        secret: str = _SECRET,
        job: Mapping[str, Any] | None = None,
        customizations: Sequence[Mapping[str, Any]] | str | None = None,
        job_watch_timeout_seconds: float = _JOB_S,
        pod_watch_timeout_seconds: float = _POD_S,
        stream_output: bool = True,
        **unknown: object,
    ) -> None:
        super().__init__(env=env, **unknown)
        owner = type(self).__name__
        self.image = fields.image(owner, image, "registry.example.com/flows:2")
        self.namespace = job_fields.dns_name(owner, "namespace", namespace, "flows")
        self.service_account_name = job_fields.dns_name(owner, "service_account_name", service_account_name, "flows")
        self.labels = job_fields.labels(owner, fields.env(owner, labels, "labels"))
        self.image_pull_policy = fields.one_of(owner, "image_pull_policy", image_pull_policy, tuple(_PULL_POLICIES))
        self.secret = job_fields.dns_name(owner, "secret", secret, _SECRET) or _SECRET
        self.job = job_fields.base_manifest(owner, job)
        self.customizations = job_fields.customizations(owner, customizations)
        seconds = job_fields.seconds
        self.job_watch_timeout_seconds = seconds(owner, "job_watch_timeout_seconds", job_watch_timeout_seconds)
        self.pod_watch_timeout_seconds = seconds(owner, "pod_watch_timeout_seconds", pod_watch_timeout_seconds)
        self.stream_output = fields.flag(owner, "stream_output", stream_output)

    def check(self) -> None:
        """Check that there is a cluster to be asked, and that its fields make a Job. Raises FlowRunnerError."""
        self._with_namespace(Cluster(), self._manifest(RunToStart("0" * 32, "example")))

    def submit(self, run: RunToStart, started: Callable[[str], None]) -> Outcome:
        """Make a Job for a run, and wait until it has ended.

        Args:
            run: a run that the caller has claimed.
            started: called with the Job's name once the cluster has it. A pod that doesn't start is an Outcome.

        Raises:
            FlowRunnerError: if the cluster doesn't take the Job; `started` hasn't been called then.
        """
        cluster = Cluster()
        manifest = self._with_namespace(cluster, self._manifest(run))
        output = RunOutput(run, is_shown=self.stream_output)
        job = cluster.create_job(manifest["metadata"]["namespace"], manifest)
        metadata = job["metadata"]
        place = metadata["namespace"], metadata["name"], metadata["uid"]
        mark = JobMark(WatchedJob(*run, *place, config=self.to_settings().config))
        started(self.identifier_of(mark.job))
        return self._watch(cluster, job, output, mark)

    def watch_again(self, mark: JobMark) -> Outcome | None:
        """Watch a Job whose watcher has died, to its end; return None if it is gone, and so is what became of it.

        Args:
            mark: of the Job, which this process has locked.

        Raises:
            FlowRunnerError: if the cluster can't be asked.
        """
        cluster, made = Cluster(), mark.job
        labelled = cluster.jobs(made.namespace, f"{OWN_LABELS[0]}={made.run_id}")["items"]
        found = [each for each in labelled if each["metadata"]["uid"] == made.uid]
        if not found:
            mark.remove()
            return None
        run = RunToStart(made.run_id, made.flow_name, made.number, made.epoch)
        return self._watch(cluster, found[0], RunOutput(run, is_shown=False), mark)

    def identifier_of(self, made: WatchedJob) -> str:
        """Return what a Job that this process watches is called in the store."""
        return process_of(os.getpid(), f"{self.type}:{made.namespace}/{made.name}:{made.uid}")

    def _watch(self, cluster: Cluster, job: Mapping[str, Any], output: RunOutput, mark: JobMark) -> Outcome:
        place = JobPlace(cluster, mark.job.namespace, mark.job.name, mark.job.uid)
        timeouts = Timeouts(self.job_watch_timeout_seconds, self.pod_watch_timeout_seconds)
        return watch_job(place, job, output, mark, timeouts)

    def end(self, identifier: str) -> None:
        """Delete the Job of that name with its pod, which is told to end (SIGTERM) and killed after its grace period."""
        kind, place, _ = (*container_of(identifier).split(":"), "", "", "")[:3]
        namespace, _, name = place.partition("/")
        if kind == self.type and name:
            Cluster().delete_job(namespace, name)

    def preview(self, run: RunToStart) -> str:
        """Return the run's Job in YAML. Values of environment variables whose names sound secret are masked."""
        return yaml.safe_dump(shown_manifest(self._manifest(run)), sort_keys=False, allow_unicode=True, width=120)

    def _with_namespace(self, cluster: Cluster, manifest: dict[str, Any]) -> dict[str, Any]:
        """Return a manifest that was compared with what the cluster's library knows, with the namespace that it is made in."""
        manifest["metadata"].setdefault("namespace", cluster.namespace)
        cluster.check(manifest)
        return manifest

    def _manifest(self, run: RunToStart) -> dict[str, Any]:
        given = JobFields(
            image=self.image,
            namespace=self.namespace,
            service_account_name=self.service_account_name,
            labels=self.labels,
            image_pull_policy=None if self.image_pull_policy is None else _PULL_POLICIES[self.image_pull_policy],
            secret=self.secret,
            job=self.job,
            customizations=self.customizations,
            env=self.env,
        )
        return job_manifest(given, run, _settings(run), versions_here()["flowbook"])

    @classmethod
    def _names(cls) -> tuple[str, ...]:
        return (
            "env",
            "image",
            "namespace",
            "service_account_name",
            "labels",
            "image_pull_policy",
            "secret",
            "job",
            "customizations",
            "job_watch_timeout_seconds",
            "pod_watch_timeout_seconds",
            "stream_output",
        )

    @classmethod
    def _usual(cls, name: str) -> object:
        return _USUAL.get(name)


def _settings(run: RunToStart) -> dict[str, str]:
    """Return flowbook's settings for a run's process in a pod."""
    address = config.api_url()
    return {
        **({} if address is None else {API_URL: address}),
        "FLOWBOOK_PROJECT": config.project(),
        PLACE: place_of_run(run.run_id, run.epoch),
        "FLOWBOOK_PROGRESS": "0",
        "PYTHONUNBUFFERED": "1",
        **{name: os.environ[name] for name in HANDED_ON if name in os.environ},
    }
