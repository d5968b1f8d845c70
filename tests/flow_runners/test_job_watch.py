"""What follows from what a cluster shows of a Job and its pods. The sequences in `recorded/` are a real cluster's answers."""

import json
from pathlib import Path

import pytest

from flowbook.flow_run.ports import Outcome
from flowbook.flow_run.process_end import how_it_ended
from flowbook.flow_runners.job_watch import End, GiveUp, JobWatch, PodStarted, PodStopped, Say, Timeouts
from flowbook.flow_runners.watch_cursor import Sighting, WatchCursor

RECORDED = Path(__file__).parent / "recorded"
NO_LIMITS = Timeouts(60.0, 300.0)


def replay(name, timeouts=NO_LIMITS):
    """Return what a watch decides about a recorded sequence, and when it decided last."""
    recorded = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    cursors = {"Pod": WatchCursor("Pod")}
    watch, now, decisions = JobWatch(recorded["name"], timeouts, 0.0), 0.0, []
    for event in recorded["events"]:
        if "created" in event:
            cursors["Job"] = WatchCursor("Job", [event["created"]])
            continue
        while (deadline := watch.deadline()) is not None and deadline < event["at"] and not watch.is_over:
            now = deadline
            decisions += watch.tick(now)
        if not watch.is_over:
            now = event["at"]
        for sighting in _sightings(cursors[event["kind"]], event):
            decisions += watch.see(sighting, now)
        if "list" in event and event["kind"] == "Pod":
            watch.see_pods(now, is_clear=True)
    if not watch.is_over and (deadline := watch.deadline()) is not None:
        now = deadline
        decisions += watch.tick(now)
    return decisions, now


def _sightings(cursor, event):
    if "list" in event:
        return cursor.listed(event["list"])
    found = cursor.take(event["line"]) if "line" in event else None
    return [] if found is None else [found]


def pod_of(name):
    recorded = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    pods = [each for each in recorded["events"] if each.get("kind") == "Pod"]
    found = [each["line"]["object"] for each in pods if "line" in each]
    found += [each for listed in pods for each in listed.get("list", {}).get("items", ())]
    return next(each["metadata"]["name"] for each in found if "name" in each["metadata"])


def test_a_short_pod_is_never_seen_running_and_succeeds():
    text = (RECORDED / "short-pod.json").read_text(encoding="utf-8")

    decisions, _ = replay("short-pod")

    pod = pod_of("short-pod")
    assert '"phase":"Running"' not in text
    assert decisions == [PodStarted(pod), PodStopped(pod), End(Outcome(0))]


def test_a_failed_job_tells_its_exit_code_though_it_has_no_completion_time():
    text = (RECORDED / "failed.json").read_text(encoding="utf-8")

    decisions, _ = replay("failed")

    assert "completionTime" not in text
    assert decisions[-1] == End(Outcome(3))
    assert how_it_ended(decisions[-1].outcome) == "Its process ended with exit code 3 in the middle of the run."


def test_a_watch_that_is_cut_goes_on_where_it_was():
    recorded = json.loads((RECORDED / "cut.json").read_text(encoding="utf-8"))

    decisions, _ = replay("cut")

    pod = pod_of("cut")
    assert sum("cut" in event for event in recorded["events"]) >= 6
    assert sum("list" in event for event in recorded["events"]) == 2
    assert decisions == [PodStarted(pod), End(Outcome(0))]


def test_410_gone_makes_it_list_again_and_nothing_is_doubled():
    recorded = json.loads((RECORDED / "gone.json").read_text(encoding="utf-8"))

    decisions, _ = replay("gone")

    pod = pod_of("gone")
    codes = [
        each["line"]["object"]["code"] for each in recorded["events"] if each.get("line", {}).get("type") == "ERROR"
    ]
    assert codes == [410, 410]
    assert sum("list" in event for event in recorded["events"]) == 4
    assert decisions == [PodStarted(pod), PodStopped(pod), End(Outcome(0))]


def test_an_evicted_pod_says_why():
    decisions, _ = replay("evicted")

    pod = pod_of("evicted")
    how = f"Its pod {pod} was evicted: The node was low on resource: ephemeral-storage."
    assert decisions == [PodStarted(pod), PodStopped(pod), End(Outcome(-9, how=how))]


def test_an_image_that_cannot_be_pulled_is_said_and_given_up_in_time():
    decisions, now = replay("pull", Timeouts(60.0, 20.0))

    said, last = decisions
    why = (
        'ErrImagePull: rpc error: code = Unknown desc = Error response from daemon: Get "http://127.0.0.1:1/v2/": '
        "dial tcp 127.0.0.1:1: connect: connection refused."
    )
    assert said == Say(f"Its pod waits: {why}")
    assert last == GiveUp(
        f"Its pod {pod_of('pull')} had not started after 20 s: {why} "
        "Check the image's name, and that nodes may pull it (imagePullSecrets)."
    )
    assert now == pytest.approx(20.0, abs=1.0)


def test_an_image_that_is_not_on_the_node_is_given_up_in_time():
    decisions, now = replay("never-pull", Timeouts(60.0, 4.0))

    why = 'ErrImageNeverPull: Container image "flowbook:absent" is not present with pull policy of Never.'
    assert decisions == [
        Say(f"Its pod waits: {why}"),
        GiveUp(
            f"Its pod {pod_of('never-pull')} had not started after 4 s: {why} "
            "Load the image on the node, or let it be pulled: image_pull_policy='IF_NOT_PRESENT'."
        ),
    ]
    assert now == pytest.approx(4.0, abs=1.0)


def test_an_image_whose_name_can_be_none_is_given_up_at_once():
    decisions, now = replay("bad-name", Timeouts(60.0, 300.0))

    assert isinstance(decisions[-1], GiveUp)
    assert decisions[-1].how.startswith("Its pod can't start: InvalidImageName: ")
    assert now < 5.0


def test_a_pod_that_no_node_takes_is_given_up_in_time():
    decisions, _ = replay("unschedulable", Timeouts(60.0, 3.0))

    why = "Unschedulable: 0/1 nodes are available: 1 Insufficient cpu."
    assert decisions == [
        Say(f"Its pod waits: {why}"),
        GiveUp(
            f"Its pod {pod_of('unschedulable')} had not started after 3 s: {why} "
            "Ask for less (resources.requests, nodeSelector), or wait longer: pod_watch_timeout_seconds=1800."
        ),
    ]


def test_a_secret_that_is_missing_is_named():
    decisions, _ = replay("secret", Timeouts(60.0, 4.0))

    assert decisions[0] == Say('Its pod waits: CreateContainerConfigError: secret "absent" not found.')
    assert isinstance(decisions[-1], GiveUp)


def test_a_container_out_of_memory_says_its_limit():
    decisions, _ = replay("memory")

    how = "Its container needed more memory than its limit of 64Mi and was killed (OOMKilled). Raise resources.limits.memory."
    assert decisions[-1] == End(Outcome(-9, how=how))


def test_a_container_that_was_killed_tells_the_signal():
    decisions, _ = replay("killed")

    assert decisions[-1] == End(Outcome(-9))
    assert "SIGKILL" in how_it_ended(decisions[-1].outcome)


def test_a_deleted_job_ends_once_its_pod_has_ended():
    recorded = json.loads((RECORDED / "deleted.json").read_text(encoding="utf-8"))
    deleted = next(each["at"] for each in recorded["events"] if each.get("line", {}).get("type") == "DELETED")

    decisions, now = replay("deleted")

    how = f"Its Job {recorded['name']} was deleted before it had ended."
    assert decisions[-1] == End(Outcome(-9, how=how))
    assert now > deleted + 25  # its grace period: the shell took no notice of SIGTERM


def test_a_job_that_runs_longer_than_it_may_says_so():
    decisions, _ = replay("too-long")

    assert decisions[-1].outcome.how.endswith("ran longer than it may (activeDeadlineSeconds: 3), and was ended.")


# What hasn't been recorded


def watching(now=0.0):
    """Return a watch whose pods have been listed once."""
    watch = JobWatch("delays-1-x", Timeouts(60.0, 300.0), now)
    watch.see_pods(now, is_clear=True)
    return watch


def job(**status):
    return {"metadata": {"uid": "j", "name": "delays-1-x"}, "spec": {}, "status": status}


def pod(uid="p", phase="Pending", *, container=None, **status):
    statuses = [] if container is None else [{"name": "flow", "state": container}]
    found = {"phase": phase, "containerStatuses": statuses, **status}
    return {"metadata": {"uid": uid, "name": f"delays-1-x-{uid}"}, "spec": {}, "status": found}


def failed(reason="BackoffLimitExceeded"):
    return [
        {"type": "Failed", "status": "True", "reason": reason, "message": "Job has reached the specified backoff limit"}
    ]


def test_a_job_without_a_pod_is_given_up_and_its_events_are_asked():
    watch = watching(100.0)
    watch.see(Sighting("Job", job()), 100.5)

    assert watch.deadline() == 160.0
    assert watch.tick(159.9) == []
    assert watch.tick(160.0) == [GiveUp("Its Job delays-1-x had no pod after 60 s.", asks_events=True)]
    assert watch.tick(200.0) == []


def test_nothing_is_late_before_pods_were_listed_or_while_they_cannot_be():
    watch = JobWatch("delays-1-x", Timeouts(60.0, 300.0), 0.0)

    assert (watch.deadline(), watch.tick(900.0)) == (None, [])
    watch.see_pods(1000.0, is_clear=True)
    assert watch.deadline() == 1060.0
    watch.see_pods(1030.0, is_clear=False)
    watch.see_pods(1040.0, is_clear=False)
    assert (watch.deadline(), watch.tick(1900.0)) == (None, [])
    watch.see_pods(2030.0, is_clear=True)
    assert watch.deadline() == 2060.0
    watch.see(Sighting("Pod", pod()), 2031.0)
    watch.see_pods(2041.0, is_clear=False)
    watch.see_pods(2051.0, is_clear=True)
    assert watch.deadline() == 2341.0


def test_a_suspended_job_may_wait_as_long_as_it_takes():
    watch = watching()
    suspended = {**job(), "spec": {"suspend": True}}

    said = watch.see(Sighting("Job", suspended), 1.0)

    assert said == [Say("Its Job is suspended until the cluster lets it start.")]
    assert (watch.deadline(), watch.tick(90_000.0)) == (None, [])
    watch.see(Sighting("Job", job()), 90_000.0)
    assert watch.deadline() == 90_060.0


def test_time_counts_anew_while_an_init_container_runs():
    watch = watching()
    preparing = pod(initContainerStatuses=[{"name": "init", "state": {"running": {}}}])

    watch.see(Sighting("Pod", preparing), 1.0)
    assert (watch.deadline(), watch.tick(5000.0)) == (None, [])
    watch.see(Sighting("Pod", pod()), 5000.0)

    assert watch.deadline() == 5300.0


def test_a_job_may_have_failed_before_its_pods_end_is_seen():
    watch = watching()
    watch.see(Sighting("Pod", pod(phase="Running", container={"running": {}})), 1.0)

    first = watch.see(Sighting("Job", job(conditions=failed())), 2.0)
    then = watch.see(Sighting("Pod", pod(phase="Failed", container={"terminated": {"exitCode": 7}})), 2.1)

    assert first == []
    assert then == [PodStopped("delays-1-x-p"), End(Outcome(7))]


def test_a_job_that_failed_without_a_word_of_its_pod_ends_after_a_while():
    watch = watching()

    watch.see(Sighting("Job", job(conditions=failed())), 2.0)

    assert watch.deadline() == 7.0
    how = "Its Job delays-1-x failed: BackoffLimitExceeded: Job has reached the specified backoff limit."
    assert watch.tick(7.0) == [End(Outcome(1, how=how))]


def test_a_job_may_be_complete_before_its_pod_is_seen_at_all():
    watch = watching()
    complete = Sighting("Job", job(conditions=[{"type": "Complete", "status": "True"}]))

    first = watch.see(complete, 2.0)
    then = watch.see(Sighting("Pod", pod(phase="Succeeded", container={"terminated": {"exitCode": 0}})), 2.1)

    assert first == []
    assert then == [PodStarted("delays-1-x-p"), PodStopped("delays-1-x-p"), End(Outcome(0))]
    alone = watching()
    alone.see(complete, 2.0)
    assert (alone.deadline(), alone.tick(7.0)) == (7.0, [End(Outcome(0))])


def test_a_condition_that_is_not_true_means_nothing():
    watch = watching()

    found = watch.see(Sighting("Job", job(conditions=[{"type": "Complete", "status": "False"}])), 2.0)

    assert found == []


def test_a_pod_that_was_preempted_says_so():
    watch = watching()
    message = "default-scheduler: preempting to accommodate a higher priority pod"
    condition = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler", "message": message}
    ended = pod(phase="Failed", container={"terminated": {"exitCode": 143}}, conditions=[condition])
    watch.see(Sighting("Pod", ended), 1.0)

    (end,) = watch.see(Sighting("Job", job(conditions=failed())), 2.0)

    assert end.outcome == Outcome(
        -15, how=f"Its pod delays-1-x-p was ended by the cluster (PreemptionByScheduler): {message}."
    )


def test_a_pod_that_replaces_a_deleted_one_is_read_too():
    watch = watching()
    running = {"running": {}}

    decisions = [
        *watch.see(Sighting("Pod", pod("a", "Running", container=running)), 1.0),
        *watch.see(Sighting("Pod", pod("a", "Running", container=running), is_gone=True), 2.0),
        *watch.see(Sighting("Pod", pod("b", "Running", container=running)), 3.0),
    ]

    first, second = "delays-1-x-a", "delays-1-x-b"
    assert decisions == [PodStarted(first), PodStopped(first), PodStarted(second)]
    assert watch.deadline() is None


def test_a_deleted_job_whose_pod_ended_well_ended_well():
    watch = watching()
    watch.see(Sighting("Pod", pod(phase="Running", container={"running": {}})), 1.0)
    watch.see(Sighting("Job", job(), is_gone=True), 2.0)

    decisions = watch.see(Sighting("Pod", pod(phase="Succeeded", container={"terminated": {"exitCode": 0}})), 3.0)

    assert decisions == [PodStopped("delays-1-x-p"), End(Outcome(0))]


def test_a_deleted_job_that_never_had_a_pod_is_over_at_once():
    watch = watching()

    (end,) = watch.see(Sighting("Job", job(), is_gone=True), 2.0)

    assert end == End(Outcome(-15, how="Its Job delays-1-x was deleted before it had ended."))


# The cursor


def listing(version, *objects):
    return {"metadata": {"resourceVersion": version}, "items": list(objects)}


def test_a_list_after_a_gap_shows_what_has_gone_meanwhile():
    cursor = WatchCursor("Job", [job()])

    assert cursor.listed(listing("7")) == [Sighting("Job", job(), is_gone=True)]
    assert cursor.listed(listing("8")) == []
    assert cursor.version == "8"


def test_a_watch_goes_on_from_the_last_version_and_after_an_error_from_a_new_list():
    cursor = WatchCursor("Pod")
    cursor.listed(listing("7"))
    newer = pod()
    newer["metadata"]["resourceVersion"] = "8"

    assert cursor.take({"type": "ADDED", "object": newer}) == Sighting("Pod", newer)
    assert cursor.version == "8"
    assert cursor.take({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}}) is None
    assert cursor.version == "9"
    cursor.failed(None)
    assert cursor.version == "9"
    assert cursor.take({"type": "ERROR", "object": {"code": 410}}) is None
    assert cursor.version is None
    cursor.listed(listing("12", newer))
    cursor.failed(410)
    assert cursor.version is None
