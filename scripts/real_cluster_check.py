"""Runs deployments in the cluster of `real_cluster.py` against flowbook's API, and says what became of them.

    sudo scripts/real_cluster_check.py FOLDER    # where the cluster was started, and its image made

Starts a server that pods reach, and an agent that has only the rights of docs/kubernetes.md; both are ended again. Exits with 1
if a run ended otherwise than it should. Never part of `make test`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from real_cluster import BRIDGE_ADDRESS, IMAGE, REPOSITORY, Cluster, say

import flowbook
from flowbook import Flow, Parameter, task
from flowbook.deployments import DeploymentSpec
from flowbook.deployments.creation import create_deployments
from flowbook.flow_runners import KubernetesFlowRunner
from flowbook.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable

API = f"http://{BRIDGE_ADDRESS}:4231"
NAMESPACE = "flows"
_LONG_S, _END_S = 180.0, 10.0
_ABSENT = "flowbook:absent"


@task
def load(count: int) -> list[int]:
    """Return some numbers."""
    print("loading", count, "numbers in", os.uname().nodename)
    return list(range(count))


@task
def add(numbers: list[int]) -> int:
    """Add them, and say how far it is."""
    for part in range(3):
        print("added part", part)
        time.sleep(0.3)
    return sum(numbers)


@task
def fail(total: int) -> None:
    """Fail."""
    msg = f"{total} is too little"
    raise ValueError(msg)


@task
def wait(total: int) -> int:
    """Take a minute."""
    for part in range(60):
        print("waited", part)
        time.sleep(1)
    return total


@task
def fill(total: int) -> int:
    """Take more memory than there is."""
    return total + len(bytearray(2_000_000_000))


@task
def die(total: int) -> None:
    """End the process."""
    os._exit(total % 40)


def flow(name: str, *after: Any) -> Flow:  # noqa: ANN401  # tasks
    """Return a flow that loads, adds, and does what follows."""
    with Flow(name) as made:
        result = add(load(Parameter("count", default=10)))
        for each in after:
            result = each(result)
    return made


def runner(**fields: Any) -> KubernetesFlowRunner:  # noqa: ANN401  # its fields
    """Return a flow runner for this cluster."""
    usual = {"image": IMAGE, "image_pull_policy": "never", "namespace": NAMESPACE}
    return KubernetesFlowRunner(**{**usual, **fields})


def limited(**resources: object) -> list[dict[str, object]]:
    """Return the customization that gives the container these resources."""
    return [{"op": "add", "path": "/spec/template/spec/containers/0/resources", "value": resources}]


@dataclass
class Case:
    """A deployment, and what is to become of its run.

    Attributes:
        title: for people.
        flow: that it runs.
        state: in which its run is to end.
        says: what its message is to contain.
        output: what its log is to contain; no line of it comes twice.
        flow_runner: where it runs.
        act: called with the run's id once it is Running, or Submitted if it never starts.
        waits_for: the state in which that is.
    """

    title: str
    flow: Flow
    state: str
    says: str = ""
    output: str = ""
    flow_runner: KubernetesFlowRunner = field(default_factory=runner)
    act: Callable[[Check, str], None] | None = None
    waits_for: str = "Running"


class Check:
    """A server and an agent before the cluster.

    Args:
        cluster: which runs.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.folder = cluster.folder / "check"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        token = secrets.token_urlsafe(24)
        own = {"FLOWBOOK_API_URL": API, "FLOWBOOK_API_TOKEN": token, "FLOWBOOK_HOME": str(self.folder / "client")}
        own |= {"FLOWBOOK_PROJECT": "check", "KUBECONFIG": str(cluster.kubeconfig), "PYTHONPATH": str(REPOSITORY)}
        os.environ.update(own, PYTHONWARNINGS="ignore")
        warnings.simplefilter("ignore")

    def prepare(self) -> None:
        """Give the cluster the Secret and the rights that docs/kubernetes.md asks for."""
        kubectl = self.cluster.kubectl
        kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait")
        kubectl("create", "namespace", NAMESPACE)
        token = f"--from-literal=FLOWBOOK_API_TOKEN={os.environ['FLOWBOOK_API_TOKEN']}"
        kubectl("create", "secret", "generic", "flowbook", "--namespace", NAMESPACE, token)
        text = (REPOSITORY / "docs" / "kubernetes.md").read_text(encoding="utf-8")
        (rights,) = re.findall(r"```yaml\n(\s+apiVersion: rbac.*?)```", text, re.DOTALL)
        account = f"kind: ServiceAccount, name: flowbook-agent, namespace: {NAMESPACE}"
        rights = rights.replace(account, "kind: User, name: agent, apiGroup: rbac.authorization.k8s.io")
        file = self.folder / "rights.yaml"
        file.write_text("\n".join(line[3:] for line in rights.splitlines()), encoding="utf-8")
        said = kubectl("apply", "-f", str(file))
        if said.returncode:
            sys.exit(f"The rights can't be given: {said.stderr}")

    def start_server(self) -> None:
        """Start the server; return once it answers."""
        store = {"FLOWBOOK_HOME": str(self.folder / "store"), "FLOWBOOK_KEY_FILE": str(self.folder / "store.key")}
        words = [
            "server",
            "start",
            "--host",
            BRIDGE_ADDRESS,
            "--port",
            API.rpartition(":")[2],
            "--allow-host",
            BRIDGE_ADDRESS,
        ]
        self._spawn("server", words, {**store, "FLOWBOOK_API_URL": ""})
        self.cluster.wait_for("the API", lambda: self.flowbook("run", "ls").returncode == 0)

    def start_agent(self) -> None:
        """Start an agent with its own, small rights."""
        settings = {"KUBECONFIG": str(self.cluster.folder / "agent.kubeconfig")}
        self._spawn("agent", ["agent", "start", "--json", "--limit", "8"], settings)

    def kill_agent(self) -> None:
        """Kill the agent as a machine that fails would."""
        self._processes["agent"].kill()
        self._processes.pop("agent").wait()

    def _spawn(self, name: str, words: list[str], env: dict[str, str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            command = [sys.executable, "-m", "flowbook", *words]
            settings = {**os.environ, **env}
            self._processes[name] = subprocess.Popen(command, env=settings, stdout=log, stderr=log)  # noqa: S603  # our own

    def stop(self) -> None:
        """End the agent and the server."""
        for process in reversed(self._processes.values()):
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_END_S)
            process.kill()
            process.wait()

    def flowbook(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Call flowbook's command."""
        return subprocess.run([sys.executable, "-m", "flowbook", *words], capture_output=True, text=True, check=False)  # noqa: S603  # our own

    def run(self, case: Case) -> bool:
        """Let the run of a deployment go to its end; say how it went."""
        spec = DeploymentSpec("check", case.flow, flow_runner=case.flow_runner)
        (made,) = create_deployments(open_store(), [spec])
        began = time.monotonic()
        run_id = str(json.loads(self.flowbook("deployment", "run", made.title, "--json").stdout)["run_id"])
        if case.act is not None:
            self._wait(run_id, {case.waits_for})
            case.act(self, run_id)
        summary = self._wait(run_id, {"Success", "Failed", "Cancelled", "Crashed"})
        took = time.monotonic() - began
        log = self.folder / "client" / "output" / f"{run_id}.log"
        written = log.read_text(encoding="utf-8") if log.exists() else ""
        message = summary.message or ""
        is_right = summary.state == case.state and case.says in message
        lines = written.splitlines()
        is_right = is_right and len(set(lines)) == len(lines) and case.output in written
        say(
            f"{'right' if is_right else 'WRONG'}  {took:5.1f} s  {case.title}: {summary.state}. {message.partition(chr(10))[0]}"
        )
        if not is_right:
            say(f"       its log:\n{written}")
        return is_right

    def _wait(self, run_id: str, states: set[str]) -> Any:  # noqa: ANN401  # a summary
        store, deadline = open_store(), time.monotonic() + _LONG_S
        while True:
            summary = store.runs.summary(run_id)
            if summary.state in states or time.monotonic() > deadline:
                return summary
            time.sleep(0.2)


def cancel(check: Check, run_id: str) -> None:
    """Cancel a run as people do."""
    time.sleep(2)
    said = check.flowbook("run", "cancel", run_id, "--now")
    if said.returncode:
        say(f"       {said.stdout}{said.stderr}")


def delete_job(check: Check, run_id: str) -> None:
    """Delete a run's Job behind flowbook's back."""
    time.sleep(2)
    check.cluster.kubectl("delete", "jobs", "-n", NAMESPACE, "-l", f"flowbook.run-id={run_id}", "--wait=false")


def kill_container(check: Check, run_id: str) -> None:
    """Kill a run's container behind the cluster's back."""
    time.sleep(2)
    pod = "jsonpath={.items[0].metadata.name}"
    name = check.cluster.kubectl("get", "pods", "-n", NAMESPACE, "-l", f"flowbook.run-id={run_id}", "-o", pod).stdout
    check.cluster.docker("kill", *check.cluster.docker("ps", "-q", "--filter", f"name=k8s_flow_{name}").stdout.split())


def restart_agent(check: Check, run_id: str) -> None:
    """Kill the agent in the middle of a run, and start another."""
    del run_id
    time.sleep(3)
    check.kill_agent()
    time.sleep(2)
    check.start_agent()


def cases() -> list[Case]:
    """Return what is tried."""
    return [*cases_of_its_process(), *cases_that_never_start(), *cases_of_its_job()]


def cases_of_its_process() -> list[Case]:
    """Return how the process of a run may end, or its container."""
    return [
        Case("to its end", flow("sums"), "Success", output="added part 2"),
        Case("a task fails", flow("fails", fail), "Failed", says="is too little"),
        Case("cancelled", flow("cancelled", wait), "Cancelled", act=cancel),
        Case("its process ends", flow("ends", die), "Crashed", says="exit code 5", output="added part 2"),
        Case("its container is killed", flow("killed", wait), "Crashed", says="SIGKILL", act=kill_container),
        Case(
            "out of memory",
            flow("fills", fill),
            "Crashed",
            says="OOMKilled",
            flow_runner=runner(customizations=limited(limits={"memory": "300Mi"})),
        ),
        Case("its agent is killed", flow("watched again", wait), "Success", output="waited 59", act=restart_agent),
    ]


def cases_that_never_start() -> list[Case]:
    """Return why a pod may wait for ever."""
    never = "Its pod waits: ErrImageNeverPull"
    return [
        Case(
            "its image is missing",
            flow("no image"),
            "Crashed",
            says="ErrImageNeverPull",
            output=never,
            flow_runner=runner(image=_ABSENT, pod_watch_timeout_seconds=8),
        ),
        Case(
            "no node has room",
            flow("no room"),
            "Crashed",
            says="Unschedulable",
            flow_runner=runner(customizations=limited(requests={"cpu": "100"}), pod_watch_timeout_seconds=8),
        ),
        Case(
            "its Secret is missing",
            flow("no secret"),
            "Crashed",
            says='secret "absent" not found',
            flow_runner=runner(secret="absent", pod_watch_timeout_seconds=8),  # noqa: S106  # a name
        ),
        Case(
            "cancelled before its pod starts",
            flow("too early"),
            "Cancelled",
            flow_runner=runner(image=_ABSENT),
            act=cancel,
            waits_for="Submitted",
        ),
    ]


def cases_of_its_job() -> list[Case]:
    """Return what may become of a Job while its pod works."""
    return [
        Case("its Job is deleted", flow("deleted", wait), "Cancelled", act=delete_job),
        Case(
            "longer than its Job may",
            flow("too long", wait),
            "Cancelled",
            flow_runner=runner(job={"spec": {"activeDeadlineSeconds": 8}}),
        ),
    ]


def main() -> None:
    """Try them all, or those whose titles contain a text."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where the cluster was started")
    parser.add_argument("--only", default="", metavar="TEXT", help="those whose titles contain this")
    args = parser.parse_args()
    check = Check(Cluster(args.folder))
    version = check.cluster.kubectl("version", "-o", "json").stdout
    server = json.loads(version or "{}").get("serverVersion", {}).get("gitVersion", "no server")
    say(f"flowbook {flowbook.__version__}, Python {sys.version.split()[0]}, Kubernetes {server}")
    try:
        check.prepare()
        check.start_server()
        check.start_agent()
        results = [check.run(case) for case in cases() if args.only in case.title]
    finally:
        check.stop()
    say(f"{sum(results)} of {len(results)} as they should be")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
