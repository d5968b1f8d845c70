"""A connection to a Kubernetes cluster: Jobs, their pods and logs, as plain JSON. The library is imported on first use."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowbook.exceptions import FlowRunnerError
from flowbook.flow_runners.job_manifest import CONTAINER
from flowbook.flow_runners.job_schema import check_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Cluster", "Lines"]

_OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
#: How long a call may take, and how long a watch is left open: the server ends it then, and it is opened again.
_CALL_S, _WATCH_S = (10.0, 30.0), 240
_SILENCE_S = 30.0
#: After such a silence a log is asked for anew: the connection may have died unnoticed.
_LOG_SILENCE_S = 300.0
_NOT_FOUND, _FORBIDDEN = 404, frozenset({401, 403})


class Lines:
    """The lines of an answer that goes on, each with its end; the last one may have none. Closed from any thread."""

    def __init__(self, response: Any) -> None:  # noqa: ANN401  # urllib3's
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        """Yield lines as they come. Raises OSError: if the connection is cut."""
        import urllib3  # noqa: PLC0415  # the library's, loaded with it

        rest = b""
        try:
            for part in self._response.stream(amt=None, decode_content=False):
                *whole, rest = (rest + part).split(b"\n")
                yield from (line + b"\n" for line in whole)
        except (urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError) as error:
            # The last two: it was closed here while it was read.
            msg = f"The connection was cut: {error}"
            raise ConnectionError(msg) from error
        if rest:
            yield rest

    def close(self) -> None:
        """End it, also while another thread waits for a line."""
        connection = getattr(self._response, "connection", None)
        found = getattr(connection, "sock", None)
        if found is not None:
            with contextlib.suppress(OSError):
                found.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(Exception):  # it may be closing already
            self._response.release_conn()


class Cluster:
    """One cluster: that of the pod in which this process lives, else that of the kubeconfig. From any thread.

    Raises:
        FlowRunnerError: if the library is missing, or there is no cluster; says what to do.
    """

    def __init__(self) -> None:
        self._library = _library()
        self.namespace, configuration = self._connection()
        client = self._library.client.ApiClient(configuration)
        self._core = self._library.client.CoreV1Api(client)
        self._batch = self._library.client.BatchV1Api(client)
        self._host = str(configuration.host)

    def _connection(self) -> tuple[str, Any]:
        """Return the namespace and the settings of the connection."""
        config, configuration = self._library.config, self._library.client.Configuration()
        try:
            if not os.environ.get("KUBECONFIG") and os.environ.get("KUBERNETES_SERVICE_HOST"):
                config.load_incluster_config(client_configuration=configuration)
                return _own_namespace(), configuration
            # Named, since the library looks at KUBECONFIG when it is imported, and never again.
            file = os.environ.get("KUBECONFIG") or config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION
            config.load_kube_config(config_file=file, client_configuration=configuration)
            _, context = config.list_kube_config_contexts(config_file=file)
        except (config.ConfigException, OSError, KeyError, TypeError) as error:
            msg = (
                f"There is no cluster to run in: {error}. Set KUBECONFIG to the file that tells of yours "
                "(kubectl get nodes shows whether it works), or run in a pod that has a service account."
            )
            raise FlowRunnerError(msg) from error
        return context.get("context", {}).get("namespace") or "default", configuration

    def check(self, manifest: Mapping[str, Any]) -> None:
        """Check a Job's manifest against the library's models. Raises FlowRunnerError: if there is no such field."""
        check_manifest(self._library.client.models, manifest)

    def create_job(self, namespace: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Make a Job; return it. Raises FlowRunnerError: if the cluster doesn't take it; says why."""
        return self._json(
            self._batch.create_namespaced_job,
            f"make a Job in namespace {namespace!r}",
            namespace=namespace,
            body=dict(manifest),
            field_validation="Strict",
        )

    def jobs(self, namespace: str, selector: str) -> dict[str, Any]:
        """Return the list of Jobs that have these labels. Raises FlowRunnerError."""
        what = f"list Jobs in namespace {namespace!r}"
        return self._json(self._batch.list_namespaced_job, what, namespace=namespace, label_selector=selector)

    def read(self, kind: str, namespace: str, name: str) -> dict[str, Any]:
        """Return a list of the Job of a name, or of its pods: `kind` is "Job" or "Pod". Raises FlowRunnerError."""
        call, arguments = self._call(kind, name)
        return self._json(call, f"list {kind}s in namespace {namespace!r}", namespace=namespace, **arguments)

    def watch(self, kind: str, namespace: str, name: str, version: str) -> Lines:
        """Return the changes of the Job of a name, or of its pods, since a version, as lines of JSON. Raises FlowRunnerError."""
        call, arguments = self._call(kind, name)
        response = self._answer(
            call,
            f"watch {kind}s in namespace {namespace!r}",
            namespace=namespace,
            watch=True,
            resource_version=version,
            allow_watch_bookmarks=True,
            timeout_seconds=_WATCH_S,
            _request_timeout=(_CALL_S[0], _WATCH_S + _SILENCE_S),
            **arguments,
        )
        return Lines(response)

    def log(self, namespace: str, pod: str, since_s: int | None) -> Lines:
        """Return the output of a pod's container that runs the flow, each line after its time, as it comes.

        Args:
            namespace: of the pod.
            pod: its name.
            since_s: how many seconds back to begin; None: at the beginning.

        Raises:
            FlowRunnerError: if it can't be read (yet, or any more).
        """
        response = self._answer(
            self._core.read_namespaced_pod_log,
            f"read the log of pod {namespace}/{pod}",
            namespace=namespace,
            name=pod,
            container=CONTAINER,
            follow=True,
            timestamps=True,
            since_seconds=since_s,
            _request_timeout=(_CALL_S[0], _LOG_SILENCE_S),
        )
        return Lines(response)

    def delete_job(self, namespace: str, name: str) -> bool:
        """Delete a Job and its pods, which are told to end; return False if it is gone. Raises FlowRunnerError."""
        try:
            self._json(
                self._batch.delete_namespaced_job,
                f"delete the Job {namespace}/{name}",
                namespace=namespace,
                name=name,
                propagation_policy="Background",
            )
        except FlowRunnerError as error:
            if error.details.get("status") != _NOT_FOUND:
                raise
            return False
        return True

    def warnings(self, namespace: str, uid: str) -> list[str]:
        """Return what the cluster warns of an object, oldest first; nothing if this process may not ask."""
        try:
            found = self._json(
                self._core.list_namespaced_event,
                "list events",
                namespace=namespace,
                field_selector=f"involvedObject.uid={uid}",
            )
        except FlowRunnerError:
            return []
        items = [each for each in found.get("items") or () if each.get("type") == "Warning"]
        return [f"{each.get('reason')}: {each.get('message')}" for each in items]

    # Calls

    def _call(self, kind: str, name: str) -> tuple[Any, dict[str, Any]]:
        if kind == "Job":
            return self._batch.list_namespaced_job, {"field_selector": f"metadata.name={name}"}
        return self._core.list_namespaced_pod, {"label_selector": f"job-name={name}"}

    def _json(self, call: Any, what: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401  # the library's
        response = self._answer(call, what, _request_timeout=_CALL_S, **arguments)
        try:
            found: dict[str, Any] = json.loads(response.data)
        except (ValueError, OSError) as error:
            raise self._unreachable(what, error) from error
        return found

    def _answer(self, call: Any, what: str, **arguments: Any) -> Any:  # noqa: ANN401  # as above
        """Return the answer to a call, unread. Raises FlowRunnerError: if the cluster refuses it or can't be reached."""
        import urllib3  # noqa: PLC0415  # the library's, loaded with it

        try:
            response = call(_preload_content=False, **arguments)
        except self._library.client.ApiException as error:
            raise self._refused(what, int(error.status or 0), str(error.body or error.reason or "")) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._unreachable(what, error) from error
        except ValueError as error:
            msg = f"The Job isn't one that Kubernetes knows: {error}"
            raise FlowRunnerError(msg) from error
        if response.status >= 300:  # noqa: PLR2004  # as HTTP has it; newer libraries leave it to the caller
            raise self._refused(what, response.status, response.data.decode("utf-8", "replace"))
        return response

    def _refused(self, what: str, status: int, body: str) -> FlowRunnerError:
        try:
            message = json.loads(body)["message"]
        except (ValueError, KeyError, TypeError):
            message = body.strip() or f"HTTP status {status}"
        hint = ""
        if status in _FORBIDDEN:
            hint = " Give the account of this process the rights in docs/kubernetes.md."
        return FlowRunnerError(f"The cluster refuses to {what}: {message.rstrip('.')}.{hint}", status=status)

    def _unreachable(self, what: str, error: BaseException) -> FlowRunnerError:
        reason = getattr(error, "reason", None) or error
        msg = f"The cluster at {self._host} can't be reached, to {what}: {reason}. Check the network, and kubectl get nodes."
        return FlowRunnerError(msg, status=None)


def _library() -> Any:  # noqa: ANN401  # a module
    try:
        import kubernetes  # noqa: PLC0415  # an extra, and half a second to load
    except ImportError as error:
        msg = "KubernetesFlowRunner needs the package kubernetes: pip install 'jupyter-flowbook[kubernetes]'"
        raise FlowRunnerError(msg, package="kubernetes") from error
    return kubernetes


def _own_namespace() -> str:
    try:
        return _OWN_NAMESPACE.read_text(encoding="utf-8").strip() or "default"
    except OSError:
        return "default"
