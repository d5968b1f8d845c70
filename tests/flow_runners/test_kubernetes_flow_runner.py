"""`KubernetesFlowRunner` before a server that answers as a cluster did, over the real client library."""

import json
import os
import sys

import pytest

import flowbook
from flowbook.exceptions import FlowRunnerError
from flowbook.flow_run.ports import Outcome, RunToStart
from flowbook.flow_runners import KubernetesFlowRunner
from flowbook.flow_runners.job_mark import JobMark, WatchedJob, unwatched_jobs
from flowbook.store.process_identity import is_here
from flowbook.store.process_output import output_file, remove_old_output, remove_output
from tests.flow_runners import flows
from tests.flow_runners.cluster_server import ClusterServer

RUN = RunToStart("7c1f09e2a1b44d0f8e6f5a3b2c1d0e9f", "short-pod", 3, 1)
API = {"FLOWBOOK_API_URL": "http://flowbook.example.com:4200"}
RUNNER = KubernetesFlowRunner(image="flows:2", env=API, stream_output=False)
JOBS, PODS = "/apis/batch/v1/namespaces/flows/jobs", "/api/v1/namespaces/default/pods"


def line(second, text):
    return f"2026-11-30T09:32:{second:02}.500000001Z {text}\n".encode()


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Return a function that starts a server and makes it the cluster."""
    started = []

    def start(*args, **options):
        server = ClusterServer(tmp_path, *args, **options)
        started.append(server)
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig))
        return server

    yield start
    for server in started:
        server.stop()


def test_a_job_is_made_in_the_contexts_namespace_and_watched_to_its_end(cluster):
    server = cluster("short-pod", log=[line(1, "10 flights") + line(2, "done")])
    names = []

    outcome = RUNNER.submit(RUN, names.append)

    (body,) = [each for each in server.bodies if each]
    assert json.loads(body) == {
        **RUNNER._manifest(RUN),
        "metadata": {**RUNNER._manifest(RUN)["metadata"], "namespace": "flows"},
    }
    assert server.asked[0] == f"POST {JOBS}"
    assert outcome == Outcome(0, ("10 flights", "done"))
    assert output_file(RUN.run_id).read_text() == "10 flights\ndone\n"
    assert is_here(names[0])
    assert unwatched_jobs() == []
    assert not server.is_deleted


def test_a_log_that_is_cut_again_and_again_loses_and_doubles_nothing(cluster):
    lines = [line(second, f"line {second}") for second in range(30)]
    cuts = [b"".join(lines[: n + 1]) + lines[n + 1][:25] for n in range(0, 28, 4)]
    cluster("failed", log=[*cuts, b"".join(lines)])

    outcome = RUNNER.submit(RUN, lambda _: None)

    assert output_file(RUN.run_id).read_text() == "".join(f"line {n}\n" for n in range(30))
    assert outcome.exit_code == 3


def test_a_pod_that_does_not_start_has_its_job_deleted(cluster):
    server = cluster("never-pull")
    flow_runner = KubernetesFlowRunner(
        image="flowbook:absent", env=API, stream_output=False, pod_watch_timeout_seconds=0.3
    )

    outcome = flow_runner.submit(RUN, lambda _: None)

    assert server.is_deleted
    assert "ErrImageNeverPull" in outcome.how
    assert output_file(RUN.run_id).read_text().startswith("[flowbook] Its pod waits: ErrImageNeverPull: ")


def test_what_the_cluster_refuses_is_a_failed_submission_with_its_reason(cluster):
    server = cluster()
    server.refused[f"POST {JOBS}"] = (403, 'jobs.batch is forbidden: User "ana" cannot create resource "jobs"')
    names = []

    with pytest.raises(FlowRunnerError) as caught:
        RUNNER.submit(RUN, names.append)

    assert str(caught.value) == (
        "The cluster refuses to make a Job in namespace 'flows': jobs.batch is forbidden: User \"ana\" cannot create resource "
        '"jobs". Give the account of this process the rights in docs/kubernetes.md.'
    )
    assert names == []


def test_a_cluster_that_is_not_there_is_said(cluster):
    server = cluster()
    server.stop()

    with pytest.raises(FlowRunnerError) as caught:
        RUNNER.submit(RUN, lambda _: None)

    assert "can't be reached, to make a Job in namespace 'flows'" in str(caught.value)
    cluster()  # its end is waited for once


def test_without_a_kubeconfig_it_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))

    with pytest.raises(FlowRunnerError) as caught:
        RUNNER.check()

    assert str(caught.value).startswith("There is no cluster to run in: ")
    assert "Set KUBECONFIG" in str(caught.value)


def test_without_the_library_it_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "kubernetes", None)

    with pytest.raises(FlowRunnerError) as caught:
        RUNNER.check()

    assert str(caught.value) == (
        "KubernetesFlowRunner needs the package kubernetes: pip install 'jupyter-flowbook[kubernetes]'"
    )


def test_ending_a_run_deletes_its_job_and_one_that_is_gone_is_no_error(cluster):
    server = cluster()
    name = f"host|1|2|kubernetes:flows/{server.created['metadata']['name']}:uid"

    RUNNER.end(name)
    server.refused["DELETE"] = (404, "not found")
    RUNNER.end(name)

    assert server.is_deleted
    assert server.asked == [f"DELETE {JOBS}/{server.created['metadata']['name']}"] * 2


def test_a_job_whose_watcher_died_is_watched_again_from_the_line_that_was_read_last(cluster):
    server = cluster("short-pod", log=[b"".join(line(second, f"line {second}") for second in range(6))])
    metadata = server.created["metadata"]
    made = WatchedJob(*RUN, metadata["namespace"], metadata["name"], metadata["uid"], {"image": "flows:2", "env": API})
    output_file(RUN.run_id).parent.mkdir(parents=True)
    output_file(RUN.run_id).write_text("line 0\nline 1\nline 2\n")
    died = JobMark(made)
    died.note_read(1_796_031_122_500_000_001)  # 09:32:02.500000001
    os.close(died._file)
    remove_old_output()

    (found,) = unwatched_jobs()
    outcome = RUNNER.watch_again(JobMark(found))

    assert found == made
    assert outcome.exit_code == 0
    assert output_file(RUN.run_id).read_text() == "".join(f"line {n}\n" for n in range(6))
    assert unwatched_jobs() == []


def test_a_job_that_somebody_watches_is_left_to_them(home):
    made = WatchedJob(*RUN, "flows", "short-pod-3-x", "uid", {})
    output_file(RUN.run_id).parent.mkdir(parents=True)
    JobMark(made)

    with pytest.raises(BlockingIOError):
        JobMark(made)

    assert unwatched_jobs() == []
    assert (home / "output" / f"{RUN.run_id}.log.job").exists()
    remove_output(RUN.run_id)
    assert list((home / "output").iterdir()) == []


def test_a_job_that_is_gone_leaves_nothing_to_watch(cluster):
    cluster()
    made = WatchedJob(*RUN, "flows", "another", "another", {})
    output_file(RUN.run_id).parent.mkdir(parents=True)

    assert RUNNER.watch_again(JobMark(made)) is None
    assert unwatched_jobs() == []


def test_a_run_with_a_secret_needs_none_here_since_the_clusters_secret_has_it(cluster):
    server = cluster("short-pod", log=[line(1, "10 flights")])

    with flowbook.context(secrets={"DB": "hunter2"}):
        run = flows.waiting().start(flow_runner=RUNNER)
        state = run.wait(40)

    assert "ended with exit code 0 before the run went on" in state.message  # nothing ran: the server only plays a Job
    assert b"hunter2" not in b"".join(server.bodies)
    assert server.asked[0] == f"POST {JOBS}"
