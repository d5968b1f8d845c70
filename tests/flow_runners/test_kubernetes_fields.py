"""What `KubernetesFlowRunner` is as settings, and what it refuses when it is made."""

import pytest

from flowbook.exceptions import ArgumentError
from flowbook.flow_runners import FlowRunnerSettings, KubernetesFlowRunner, from_settings, from_word

PATCH = {"op": "add", "path": "/spec/activeDeadlineSeconds", "value": 60}
EVERY = [
    KubernetesFlowRunner(),
    KubernetesFlowRunner(
        env={"A": "1"}, image="registry:5000/flows:2", namespace="flows", service_account_name="runs",
        labels={"team": "data"}, image_pull_policy="never", secret="mine", job={"spec": {"suspend": True}},
        customizations=[PATCH], job_watch_timeout_seconds=5, pod_watch_timeout_seconds=7.5, stream_output=False,
    ),
]  # fmt: skip


@pytest.mark.parametrize("flow_runner", EVERY, ids=["plain", "every field"])
def test_settings_give_an_equal_flow_runner(flow_runner):
    settings = flow_runner.to_settings()

    again = from_settings(FlowRunnerSettings(**settings.as_json()))

    assert (type(again), again, hash(again)) == (KubernetesFlowRunner, flow_runner, hash(flow_runner))


def test_settings_hold_only_what_was_given():
    assert KubernetesFlowRunner(image="flows:2").to_settings() == FlowRunnerSettings("kubernetes", {"image": "flows:2"})


def test_a_word_names_it_with_its_image():
    assert from_word("kubernetes:registry:5000/flows:2") == KubernetesFlowRunner(
        image="registry:5000/flows:2", stream_output=False
    )
    assert from_word("kubernetes") == KubernetesFlowRunner(stream_output=False)


def test_customizations_may_be_a_text():
    given = '[{"op": "remove", "path": "/metadata/labels/team"}]'

    assert KubernetesFlowRunner(customizations=given).customizations == [
        {"op": "remove", "path": "/metadata/labels/team"}
    ]


def test_what_was_given_is_copied():
    job = {"spec": {"suspend": True}}
    flow_runner = KubernetesFlowRunner(job=job)

    job["spec"]["suspend"] = False

    assert flow_runner.job == {"spec": {"suspend": True}}


REFUSED = {
    "a namespace that is no name": ({"namespace": "My Flows"}, "namespace='My Flows') can't be a name in a cluster"),
    "a Secret that is no name": ({"secret": ""}, "secret='') can't be a name in a cluster"),
    "a label of flowbook's": ({"labels": {"flowbook.run-id": "x"}}, "labels has flowbook.run-id, by which flowbook finds"),
    "a label's name": ({"labels": {"-team": "x"}}, "labels has '-team', which can't be a label's name."),
    "a label's value": ({"labels": {"team": "the data team"}}, "labels has team='the data team', which can't be a label's value"),
    "a pull policy": (
        {"image_pull_policy": "sometimes"},
        "image_pull_policy='sometimes') isn't known. Give one of 'IF_NOT_PRESENT', 'ALWAYS', 'NEVER'.",
    ),
    "a time that is none": ({"pod_watch_timeout_seconds": 0}, "pod_watch_timeout_seconds=0) isn't a time. Give seconds"),
    "a flag as a time": ({"job_watch_timeout_seconds": True}, "job_watch_timeout_seconds=True) isn't a time."),
    "an endless time": ({"job_watch_timeout_seconds": float("inf")}, "job_watch_timeout_seconds=inf) isn't a time."),
    "a Job that is none": ({"job": "job.yaml"}, "job='job.yaml') isn't a manifest. Give a dict"),
    "a pod as a Job": ({"job": {"kind": "Pod"}}, "job has kind: Pod. A run is a Job: kind: Job."),
    "a Job with a name": ({"job": {"metadata": {"name": "mine"}}}, "job has metadata.name: mine, and each run's Job has a name"),
    "a Job that isn't JSON": ({"job": {"spec": {1, 2}}}, "job isn't plain JSON"),
    "the token in a Job": (
        {"job": {"spec": {"containers": [{"env": [{"name": "FLOWBOOK_API_TOKEN", "value": "hunter2"}]}]}}},
        "its Job has FLOWBOOK_API_TOKEN in plain",
    ),
    "a secret in a Job": (
        {"job": {"spec": {"containers": [{"env": [{"name": "FLOWBOOK_SECRET_DB", "value": "hunter2"}]}]}}},
        "its Job has FLOWBOOK_SECRET_DB in plain",
    ),
    "a token in env": ({"env": {"FLOWBOOK_API_TOKEN": "hunter2"}}, "env has FLOWBOOK_API_TOKEN, a secret"),
    "operations that are none": ({"customizations": {"op": "add"}}, "isn't a list of operations of RFC 6902."),
    "a text that is no list": ({"customizations": "[{"}, "customizations is a text that isn't JSON"),
    "an unknown operation": ({"customizations": [{"op": "put", "path": "/a"}]}, "'op' is one of add, remove, replace, move"),
    "an operation without a value": ({"customizations": [{"op": "add", "path": "/a"}]}, "lacks 'value', which 'add' needs."),
    "a path that is none": ({"customizations": [{"op": "remove", "path": "spec"}]}, "has path='spec'. Give a JSON pointer"),
    "an unknown field": ({"node_selector": {}}, "KubernetesFlowRunner has no field 'node_selector'."),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_flow_runner_can_be_is_refused(name):
    fields, message = REFUSED[name]

    with pytest.raises(ArgumentError) as caught:
        KubernetesFlowRunner(**fields)

    assert message in str(caught.value)
    assert "KubernetesFlowRunner" in str(caught.value)
    assert "hunter2" not in str(caught.value)
