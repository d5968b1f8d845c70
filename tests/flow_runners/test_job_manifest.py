"""The Jobs that runs are in a cluster: by golden files, and checked by the models of the client library."""

import copy
import os
import re
from pathlib import Path

import pytest
import yaml
from kubernetes import client

from flowbook.exceptions import FlowRunnerError
from flowbook.flow_run.ports import RunToStart
from flowbook.flow_runners import KubernetesFlowRunner
from flowbook.flow_runners.job_manifest import generate_name
from flowbook.flow_runners.job_schema import check_manifest

GOLDEN = Path(__file__).parent / "golden"
RUN = RunToStart("7c1f09e2a1b44d0f8e6f5a3b2c1d0e9f", "Delays at JFK", 12, 3)
NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")

EXAMPLES = {
    "plain": KubernetesFlowRunner(image="registry.example.com/flows:2"),
    "every-field": KubernetesFlowRunner(
        env={"MONTH": "3", "DB": "postgres://ana:s3cret@db/flights"},
        image="registry:5000/flows:2",
        namespace="flows",
        service_account_name="runs",
        labels={"team": "data", "example.com/cost-centre": "42"},
        image_pull_policy="always",
        secret="flows-secret",
        pod_watch_timeout_seconds=600,
    ),
    "base-job": KubernetesFlowRunner(
        image="flows:2",
        env={"MONTH": "3"},
        job={
            "metadata": {"annotations": {"example.com/owner": "ana"}, "namespace": "batch"},
            "spec": {
                "activeDeadlineSeconds": 3600,
                "ttlSecondsAfterFinished": 60,
                "template": {
                    "metadata": {"labels": {"zone": "a"}},
                    "spec": {
                        "imagePullSecrets": [{"name": "registry"}],
                        "containers": [
                            {"name": "proxy", "image": "proxy:1"},
                            {
                                "name": "flow",
                                "env": [{"name": "MONTH", "value": "2"}, {"name": "YEAR", "value": "2013"}],
                                "resources": {"limits": {"memory": "2Gi"}},
                            },
                        ],
                    },
                },
            },
        },
    ),
    "customized": KubernetesFlowRunner(
        image="flows:2",
        customizations=[
            {"op": "add", "path": "/spec/template/spec/nodeSelector", "value": {"disk": "ssd"}},
            {"op": "replace", "path": "/spec/ttlSecondsAfterFinished", "value": 600},
            {"op": "add", "path": "/spec/template/spec/hostNetwork", "value": True},
            {"op": "remove", "path": "/metadata/labels"},
        ],
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _api(monkeypatch):
    monkeypatch.setenv("FLOWBOOK_API_URL", "http://flowbook.example.com:4200")
    monkeypatch.setenv("FLOWBOOK_API_TOKEN", "hunter2")


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_job_is_as_the_golden_file_has_it(name):
    shown = EXAMPLES[name].preview(RUN)

    golden = GOLDEN / f"{name}.yaml"
    if os.environ.get("FLOWBOOK_GOLDEN"):
        golden.write_text(shown, encoding="utf-8")
    assert shown == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_job_is_one_that_the_client_library_knows(name):
    manifest = EXAMPLES[name]._manifest(RUN)

    check_manifest(client.models, manifest)
    found = client.V1Job.from_dict(manifest)

    assert client.ApiClient().sanitize_for_serialization(found) == manifest


@pytest.mark.parametrize("name", EXAMPLES)
def test_neither_job_nor_preview_nor_settings_hold_the_token(name):
    flow_runner = EXAMPLES[name]

    told = (
        flow_runner.preview(RUN),
        str(flow_runner._manifest(RUN)),
        str(flow_runner.to_settings()),
        repr(flow_runner),
    )

    assert not any("hunter2" in each for each in told)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_run_is_one_pod_that_starts_once_and_is_found_by_its_labels(name):
    manifest = EXAMPLES[name]._manifest(RUN)

    spec, pod = manifest["spec"], manifest["spec"]["template"]
    own = {"flowbook.run-id": RUN.run_id, "flowbook.version": "0.1.0"}
    assert (spec["backoffLimit"], pod["spec"]["restartPolicy"]) == (0, "Never")
    assert own.items() <= manifest["metadata"]["labels"].items()
    assert own.items() <= pod["metadata"]["labels"].items()


@pytest.mark.parametrize(
    ("flow", "number", "expected"),
    [
        ("Delays at JFK", 12, "delays-at-jfk-12-"),
        ("Flüge — 航班", 1, "fluge-1-"),
        ("航班", 7, "run-7-"),
        ("-_. ", 7, "run-7-"),
        ("x" * 90, 123456, "x" * 50 + "-123456-"),
        ("9 lives", 1, "9-lives-1-"),
        ("a" * 54 + "-b", 1, "a" * 54 + "-1-"),
    ],
)
def test_a_job_is_named_after_its_run(flow, number, expected):
    found = generate_name(RunToStart("id", flow, number))

    assert found == expected
    assert NAME.fullmatch(found + "x2k9p")
    assert len(found + "x2k9p") <= 63


def _with(spec=None, pod=None, **fields):
    template = {"spec": pod} if pod else {}
    return KubernetesFlowRunner(
        **{"image": "flows:2", "job": {"spec": {**(spec or {}), "template": template}}, **fields}
    )


def _patch(op, path, value=None):
    return KubernetesFlowRunner(image="flows:2", customizations=[{"op": op, "path": path, "value": value}])


REFUSED = {
    "a Job that starts again": (_with({"backoffLimit": 2}), "its Job has spec.backoffLimit: 2, and a run is one pod"),
    "several pods at once": (_with({"parallelism": 2}), "its Job has spec.parallelism: 2, and a run is one pod"),
    "a pod that starts again": (
        _patch("replace", "/spec/template/spec/restartPolicy", "OnFailure"),
        "its Job has spec.template.spec.restartPolicy: OnFailure, and a run is one pod that starts once",
    ),
    "a patch that doesn't fit": (
        _patch("replace", "/spec/nothing", 1),
        "its customizations can't be applied to its Job: can't replace a non-existent object 'nothing'",
    ),
    "a patch that fails its own test": (_patch("test", "/kind", "Pod"), "its customizations can't be applied to its Job"),
    "a patch that leaves no Job": (_patch("replace", "", 3), "its customizations leave no Job but 3."),
    "a token in a patch": (
        _patch("add", "/spec/template/spec/containers/0/env/-", {"name": "FLOWBOOK_API_TOKEN", "value": "hunter2"}),
        "its Job has FLOWBOOK_API_TOKEN in plain, and a Job is stored and shown.",
    ),
    "no container for the flow": (
        _with(pod={"containers": [{"name": "proxy", "image": "proxy:1"}]}),
        "its Job has containers, and none is called 'flow'.",
    ),
    "a spec that is none": (
        KubernetesFlowRunner(image="flows:2", job={"spec": 3}),
        "its Job has spec: 3, which isn't a mapping.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_job_that_could_not_run_a_flow_is_refused(name):
    flow_runner, message = REFUSED[name]

    with pytest.raises(Exception, match="KubernetesFlowRunner") as caught:
        flow_runner.preview(RUN)

    assert message in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_flowbooks_labels_win_over_a_patch():
    flow_runner = _patch("add", "/metadata/labels/flowbook.run-id", "another")

    assert flow_runner._manifest(RUN)["metadata"]["labels"]["flowbook.run-id"] == RUN.run_id


def test_a_patch_wins_over_the_fields():
    patch = {"op": "replace", "path": "/metadata/labels/team", "value": "ops"}
    flow_runner = KubernetesFlowRunner(image="flows:2", labels={"team": "data"}, customizations=[patch])

    assert flow_runner._manifest(RUN)["metadata"]["labels"]["team"] == "ops"


@pytest.mark.parametrize("address", ["http://127.0.0.1:4200", "http://localhost:4200", "http://[::1]:4200"])
def test_an_address_that_means_the_pod_itself_is_refused_unless_somebody_asks_for_it(monkeypatch, address):
    monkeypatch.setenv("FLOWBOOK_API_URL", address)
    asked = KubernetesFlowRunner(image="flows:2", env={"FLOWBOOK_API_URL": address})
    on_the_nodes_network = _with(pod={"hostNetwork": True})

    with pytest.raises(FlowRunnerError) as caught:
        EXAMPLES["plain"].preview(RUN)

    assert str(caught.value) == (
        f"FLOWBOOK_API_URL is {address}, which in a pod is the pod itself. Let the API listen where pods can reach it, flowbook "
        "server start --host 0.0.0.0, and set FLOWBOOK_API_URL to that address. If only pods need another one: "
        "KubernetesFlowRunner(env={'FLOWBOOK_API_URL': 'http://...'})."
    )
    assert address in asked.preview(RUN)
    assert address in on_the_nodes_network.preview(RUN)


def test_without_an_address_of_the_api_nothing_can_run(monkeypatch):
    monkeypatch.delenv("FLOWBOOK_API_URL")

    with pytest.raises(FlowRunnerError) as caught:
        EXAMPLES["plain"].preview(RUN)

    assert "flowbook server start" in str(caught.value)


def test_the_address_may_come_from_the_cluster(monkeypatch):
    monkeypatch.delenv("FLOWBOOK_API_URL")
    source = {"name": "FLOWBOOK_API_URL", "valueFrom": {"configMapKeyRef": {"name": "flowbook", "key": "url"}}}
    flow_runner = _with(pod={"containers": [{"name": "flow", "env": [source]}]})

    variables = flow_runner._manifest(RUN)["spec"]["template"]["spec"]["containers"][0]["env"]

    assert source in variables


def _at(manifest, path, value):
    manifest = copy.deepcopy(manifest)
    part = manifest
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value
    return manifest


POD = ("spec", "template", "spec")
UNKNOWN = {
    "a field of the Job in the pod": ((*POD, "parallelism"), 1, "spec.template.spec.parallelism, and PodSpec has no field"),
    "a field with a typing error": ((*POD, "nodeSelecter"), {}, "Did you mean 'nodeSelector'?"),
    "a number as a text": (("spec", "ttlSecondsAfterFinished"), "60", "spec.ttlSecondsAfterFinished: '60', which isn't a number"),
    "a text as a number": ((*POD, "nodeName"), 3, "spec.template.spec.nodeName: 3, which isn't a text"),
    "a flag as a number": (("spec", "suspend"), 1, "spec.suspend: 1, which isn't true or false"),
    "a mapping as a list": ((*POD, "nodeSelector"), ["ssd"], "spec.template.spec.nodeSelector: ['ssd'], which isn't a mapping"),
    "a number in a mapping of texts": ((*POD, "nodeSelector"), {"a": 1}, "nodeSelector.a: 1, which isn't a text"),
    "a container as a list": ((*POD, "containers", 0), [], "spec.template.spec.containers[0]: [], which isn't a mapping"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_kubernetes_does_not_know_is_named_with_its_path(name):
    path, value, message = UNKNOWN[name]
    manifest = _at(EXAMPLES["plain"]._manifest(RUN), path, value)

    with pytest.raises(FlowRunnerError) as caught:
        check_manifest(client.models, manifest)

    assert message in str(caught.value)


def test_the_preview_is_yaml_that_kubectl_takes():
    shown = yaml.safe_load(EXAMPLES["plain"].preview(RUN))

    assert shown == EXAMPLES["plain"]._manifest(RUN)
