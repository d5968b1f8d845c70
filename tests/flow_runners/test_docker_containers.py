"""Runs in real containers of a real Docker engine, to their end against the API."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sys
import time
from pathlib import Path

import psutil
import pytest

import flowbook
from flowbook import Flow, task
from flowbook.deployments import DeploymentSpec, deploy
from flowbook.engine.state import Cancelled, Crashed, Success
from flowbook.exceptions import FlowRunnerError
from flowbook.executors import DaskExecutor, LocalDaskExecutor
from flowbook.store import open_store
from flowbook.store.process_identity import number_of
from flowbook.store.process_output import output_file
from tests.flow_runners.docker_lab import IMAGE
from tests.flow_runners.docker_runs import (
    TOKEN,
    agent_process,
    api,
    command,
    container,
    finished,
    flow_of,
    hanging,
    in_container,
    started,
    until,
    wait_for_line,
)

__all__ = ["api"]

pytestmark = [pytest.mark.docker, pytest.mark.acceptance, pytest.mark.timeout(300)]

# What a container is given ------------------------------------------------------------------------------------------


def test_a_flow_runs_in_a_container_with_its_labels_and_volumes(lab, tmp_path):
    def work():
        Path("/out/made").write_text("in the container")
        try:
            Path("/in/made").write_text("not there")
        except OSError as error:
            return error.strerror, Path("/in/given").read_text(), os.environ["MY_VARIABLE"], os.getpid()

    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    (tmp_path / "in" / "given").write_text("from outside")
    run = started(
        work,
        env={"MY_VARIABLE": "FOO"},
        labels={"team": "data", "flowbook.run-id": "another"},
        volumes=[f"{tmp_path}/in:/in:ro", f"{tmp_path}/out:/out"],
    )

    state = finished(run)

    there = container(lab, run)
    assert (type(state), run["work"].result) == (Success, ("Read-only file system", "from outside", "FOO", 1))
    assert (tmp_path / "out" / "made").read_text() == "in the container"
    assert (there.name, there.status, there.attrs["HostConfig"]["NetworkMode"]) == ("works-run-1", "exited", "host")
    assert {name: there.labels.get(name) for name in ("team", "flowbook.run-id", "flowbook.version")} == {
        "team": "data",
        "flowbook.run-id": run.run_id,
        "flowbook.version": "0.1.0",
    }


def test_a_container_joins_all_its_networks_before_it_starts(lab):
    def work():
        return os.environ["FLOWBOOK_API_URL"].rpartition(":")[0], sorted(name for _, name in socket.if_nameindex())

    run = started(work, networks=[lab.network("first"), lab.network("second")])

    state = finished(run)

    networks = container(lab, run).attrs["NetworkSettings"]["Networks"]
    assert (type(state), run["work"].result) == (Success, ("http://host.docker.internal", ["eth0", "eth1", "lo"]))
    assert sorted(networks) == ["first", "second"]


def test_a_network_mode_of_the_persons_own_is_kept(lab):
    def work():
        return os.environ["FLOWBOOK_API_URL"].rpartition(":")[0]

    run = started(work, network_mode=lab.network("first"))

    assert (type(finished(run)), run["work"].result) == (Success, "http://host.docker.internal")
    assert container(lab, run).attrs["HostConfig"]["NetworkMode"] == "first"


def test_an_address_that_a_container_reaches_is_given_as_it_is(lab, api, monkeypatch):
    def work():
        return os.environ["FLOWBOOK_API_URL"]

    monkeypatch.setenv("FLOWBOOK_API_URL", f"http://{lab.gateway}:{api}")
    run = started(work, networks=[lab.network("first")])

    assert (type(finished(run)), run["work"].result) == (Success, f"http://{lab.gateway}:{api}")
    assert container(lab, run).attrs["HostConfig"]["ExtraHosts"] in (None, [])


def test_names_that_collide_get_a_number(lab):
    def work():
        return 1

    for name in ("works-run-1", "works-run-1-2"):
        lab.client.containers.create(IMAGE, "true", name=name)
    run = started(work)

    assert type(finished(run)) is Success
    assert container(lab, run).name == "works-run-1-3"


# Images -------------------------------------------------------------------------------------------------------------


def test_images_are_pulled_as_the_policy_says(lab):
    def work():
        return os.environ.get("EDITION")

    def edition(number, name):
        """Push an edition of the image to the registry, and forget it here; return its digest."""
        made = lab.client.containers.create(IMAGE, "true")
        image = made.commit(name.rpartition(":")[0], name.rpartition(":")[2], changes=f"ENV EDITION={number}")
        made.remove()
        said = lab.client.api.push(name, stream=True, decode=True)
        digest = next(each["aux"]["Digest"] for each in said if "aux" in each)
        lab.client.images.remove(image.id, force=True)
        return digest

    def result(image, policy=None):
        run = started(work, image=image, image_pull_policy=policy)
        assert type(finished(run)) is Success
        return run["work"].result

    name = f"{lab.start_registry()}/team/flows:1"
    first = edition(1, name)
    with pytest.raises(FlowRunnerError) as never:
        started(work, image=name, image_pull_policy="NEVER")
    pulled = result(name)
    edition(2, f"{lab.registry}/team/flows:1")
    lab.client.images.pull(f"{lab.registry}/team/flows@{first}").tag(f"{lab.registry}/team/flows", "1")
    kept = result(name)
    newer = result(name, "ALWAYS")
    by_digest = result(f"{lab.registry}/team/flows@{first}")
    with pytest.raises(FlowRunnerError) as missing:
        started(work, image=f"{lab.registry}/team/none:1")

    assert (pulled, kept, newer, by_digest) == ("1", "1", "2", "1")
    assert str(never.value).startswith(f"The image {name} isn't on the Docker engine's machine, and")
    assert f"The image {lab.registry}/team/none:1 can't be pulled: " in str(missing.value)
    assert lab.client.containers.list(all=True, filters={"label": "flowbook.run-id", "status": "created"}) == []


def test_without_an_image_the_usual_one_is_asked_for_and_not_pulled():
    with pytest.raises(FlowRunnerError) as caught:
        flow_of(lambda: 1).start(flow_runner=in_container(image=None))

    assert re.match(r"The image flowbook:\S+-python\S+ isn't on the Docker engine's machine, and", str(caught.value))


def test_an_image_of_this_machine_without_a_tag_says_how_to_use_it(lab):
    lab.client.images.get(IMAGE).tag("flowbook-test")

    with pytest.raises(FlowRunnerError) as caught:
        started(lambda: 1, image="flowbook-test")

    assert str(caught.value).endswith(
        "It is on this machine: image_pull_policy='NEVER' or a tag of its own uses that one."
    )


def test_a_container_that_can_not_start_leaves_nothing_behind(lab):
    with pytest.raises(FlowRunnerError) as caught:
        started(lambda: 1, networks=[lab.network("first"), "nowhere"])

    (summary,) = open_store().runs.list()
    assert "The container works-run-1 of image flowbook-test:1 can't be started: network nowhere not found" in str(
        caught.value
    )
    assert (summary.state, "network nowhere not found" in summary.message) == ("Crashed", True)
    assert TOKEN not in summary.message
    assert lab.client.containers.list(all=True) == []


def test_the_engines_own_socket_is_not_mounted_unless_that_is_allowed(lab, monkeypatch):
    def work():
        return Path("/engine.sock").is_socket()

    mount = [f"{lab.folder}/docker.sock:/engine.sock"]
    with pytest.raises(
        FlowRunnerError, match=r"docker\.sock is the Docker socket, which gives the container the whole"
    ):
        started(work, volumes=mount)
    recorded = open_store().runs.list()
    monkeypatch.setenv("FLOWBOOK_ALLOW_HOST_MOUNTS", "1")
    run = started(work, volumes=mount)

    assert (type(finished(run)), run["work"].result, recorded) == (Success, True, [])


# Output -------------------------------------------------------------------------------------------------------------


def test_output_comes_as_it_is_written_and_invalid_text_does_no_harm(tmp_path, capfd):
    def work():
        os.write(1, b"first \xff line\n")
        os.write(2, b"to stderr\n")
        while not Path("/out/go").exists():
            time.sleep(0.01)
        os.write(1, b"x" * 40_000 + b"\nlast line\n")

    run = started(work, volumes=[f"{tmp_path}:/out"], stream_output=True)
    wait_for_line(run, "to stderr")
    until(lambda: type(run.state).__name__ == "Running")
    shown = until(lambda: capfd.readouterr().out)
    (tmp_path / "go").touch()
    state = finished(run)

    *_, long, last = output_file(run.run_id).read_text().splitlines()
    assert ("first � line" in shown, type(state)) == (True, Success)
    assert (len(long), last) == (40_000, "last line")


def test_no_secret_is_shown_anywhere(lab, monkeypatch):
    def work():
        os.write(1, f"token {os.environ['FLOWBOOK_API_TOKEN']}, secret {os.environ['FLOWBOOK_SECRET_DB']}\n".encode())
        sys.stdout.flush()
        os._exit(3)

    monkeypatch.setenv("FLOWBOOK_SECRET_DB", "hunter2-of-this-test")
    run = started(work)

    state = finished(run)

    assert "    token *****, secret *****" in state.message
    assert (TOKEN in state.message, "hunter2" in state.message) == (False, False)
    shown = in_container().preview(type("Run", (), {"run_id": "1", "flow_name": "f", "number": 1, "epoch": 1})())
    assert (TOKEN in shown, "hunter2" in shown, TOKEN in repr(container(lab, run).labels)) == (False, False, False)


# Ends ---------------------------------------------------------------------------------------------------------------


def test_a_container_that_is_killed_from_outside_makes_the_run_crashed_at_once(lab):
    run = started(hanging())
    wait_for_line(run, "it hangs")
    began = time.monotonic()

    container(lab, run).kill()
    state = finished(run)

    assert (type(state), time.monotonic() - began < 20) == (Crashed, True)
    assert state.message == (
        "Its process was ended by SIGKILL in the middle of the run; maybe the machine ran out of memory. "
        "run.resume() goes on from what is stored.\nThe last lines of its output:\n    it hangs"
    )


def test_a_container_that_is_removed_with_force_makes_the_run_crashed(lab):
    run = started(hanging())
    wait_for_line(run, "it hangs")

    container(lab, run).remove(force=True)
    state = finished(run)

    assert (type(state), state.message.partition(" run.resume()")[0]) == (
        Crashed,
        "Its container works-run-1 was removed in the middle of the run.",
    )


def test_a_container_that_runs_out_of_memory_says_so_and_how_much_it_may_have(lab, tmp_path):
    def work():
        (Path("/out") / "there").touch()
        while not Path("/out/go").exists():
            time.sleep(0.01)
        return len(bytearray(b"x") * 2**30)

    run = started(work, volumes=[f"{tmp_path}:/out"])
    until((tmp_path / "there").exists)
    container(lab, run).update(mem_limit="300m", memswap_limit="300m")
    (tmp_path / "go").touch()
    state = finished(run)

    assert type(state) is Crashed
    assert state.message.startswith(
        "Its container works-run-1 ran out of memory, of which it may have 300 MiB: its process was ended by SIGKILL."
    )


def test_a_process_that_ends_by_itself_tells_its_code_and_its_last_lines():
    def work():
        os.write(2, b"I can't go on\n")
        os._exit(7)

    run = started(work, auto_remove=True)

    state = finished(run)

    assert type(state) is Crashed
    assert state.message == (
        "Its process ended with exit code 7 in the middle of the run. run.resume() goes on from what is stored.\n"
        "The last lines of its output:\n    I can't go on"
    )


def test_a_container_is_removed_once_it_has_ended_and_its_output_is_kept(lab):
    def work():
        os.write(1, b"".join(b"line %d\n" % number for number in range(2000)))
        return 1

    run = started(work, auto_remove=True)

    state = finished(run)

    assert type(state) is Success
    assert lab.client.containers.list(all=True) == []
    assert output_file(run.run_id).read_text().splitlines()[-1] == "line 1999"
    assert list(output_file(run.run_id).parent.glob("*.log.*")) == []


def test_a_failed_flow_is_no_crash(lab):
    def work():
        raise ValueError("not today")

    run = started(work)

    state = finished(run)

    assert (state.is_failed(), type(state) is Crashed) == (True, False)
    assert container(lab, run).attrs["State"]["ExitCode"] == 0


def test_a_run_is_cancelled_and_resumed_in_another_container(lab, tmp_path):
    def work():
        Path("/out/there").touch()
        while not Path("/out/go").exists():
            time.sleep(0.01)
        return "done"

    run = started(work, volumes=[f"{tmp_path}:/out"])
    until((tmp_path / "there").exists)
    run.cancel(by="ada", now=True)
    cancelled = finished(run)
    first = container(lab, run)
    (tmp_path / "go").touch()
    run.resume()
    state = finished(run)

    assert (type(cancelled), type(state), run["work"].result) == (Cancelled, Success, "done")
    assert (first.attrs["State"]["ExitCode"], container(lab, run).name) == (0, "works-run-1-2")


def test_a_container_is_told_to_end_and_its_run_cancelled(lab):
    flow_runner = in_container()
    run = flow_of(hanging()).start(flow_runner=flow_runner)
    wait_for_line(run, "it hangs")

    flow_runner.end(run.identifier)
    state = finished(run)
    flow_runner.end(run.identifier)  # it is over
    there = container(lab, run)
    there.remove()
    flow_runner.end(run.identifier)  # and gone

    assert (type(state), there.attrs["State"]["ExitCode"]) == (Cancelled, 0)


# Executors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "executor",
    [LocalDaskExecutor("threads"), LocalDaskExecutor("processes", num_workers=2), DaskExecutor()],
    ids=["threads", "processes", "dask"],
)
def test_executors_work_in_a_container(executor):
    def double(n):
        return n * 2, os.getpid() > 0

    def total(pairs):
        return sum(n for n, _ in pairs)

    with Flow("many", executor=executor) as flow:
        doubled = task(double, name="double").map(list(range(6)))
        task(total, name="total")(doubled)
    run = flow.start(flow_runner=in_container())

    assert (type(finished(run)), run["total"].result) == (Success, 30)


# Whoever starts it, and whoever looks -------------------------------------------------------------------------------


def test_a_deployment_runs_to_its_end_in_a_container(lab, tmp_path):
    def work(n):
        os.write(1, b"in the container\n")
        return n * 10

    with Flow("nightly") as flow:
        task(work, name="work")(flowbook.Parameter("n", default=1)())
    deploy(DeploymentSpec("west", flow, parameters={"n": 4}, flow_runner=in_container(stream_output=True)))
    asked = command("deployment", "run", "nightly/west", "--json")
    agent = agent_process(tmp_path)
    run = flowbook.run(json.loads(asked)["run_id"])
    state = until(lambda: run.state.is_finished() and run.state)
    agent.send_signal(signal.SIGINT)
    said = agent.communicate(timeout=60)[0]

    assert (type(state), run["work"].result) == (Success, 40)
    assert container(lab, run).name == "nightly-run-1"
    assert [word in said for word in ("in the container\n", "nightly run 1 succeeded")] == [True, True]


def test_an_agent_that_starts_again_keeps_the_containers_of_the_one_that_died(lab, tmp_path):
    def work():
        for number in range(10_000):
            os.write(1, b"line %d\n" % number)
            time.sleep(0.02)
            if Path("/out/go").exists():
                os._exit(9)

    deploy(DeploymentSpec("west", flow_of(work, "long"), flow_runner=in_container(volumes=[f"{tmp_path}:/out"])))
    run = flowbook.run(json.loads(command("deployment", "run", "long/west", "--json"))["run_id"])
    first = agent_process(tmp_path)
    wait_for_line(run, "line 20")
    for process in psutil.Process(first.pid).children(recursive=True):
        process.kill()
    first.kill()
    first.communicate()
    keeper = number_of(run.identifier)
    second = agent_process(tmp_path)
    until(lambda: number_of(run.identifier) != keeper)
    (tmp_path / "go").touch()
    state = until(lambda: type(run.state) is Crashed and run.state)
    second.send_signal(signal.SIGINT)
    said = second.communicate(timeout=60)[0]

    lines = output_file(run.run_id).read_text().splitlines()
    assert list(dict.fromkeys(lines)) == [f"line {number}" for number in range(len(set(lines)))]
    assert len(lines) - len(set(lines)) <= 1  # the line that the keeper was at when it was killed
    assert state.message.startswith("Its process ended with exit code 9 in the middle of the run.")
    assert f"long run 1 goes on in container {container(lab, run).name}, which is watched again" in said


def test_a_detached_run_outlives_its_terminal_and_its_death_is_noticed(lab, tmp_path):
    file = tmp_path / "hangs.py"
    file.write_text(
        "import sys, time\n\nfrom flowbook import Flow, task\n\n\n@task\ndef hang():\n"
        "    sys.__stdout__.write('it hangs\\n')\n    sys.__stdout__.flush()\n    time.sleep(600)\n\n\n"
        "with Flow('hangs') as flow:\n    hang()\n"
    )
    said = command("run", "start", str(file), "--detach", "--on", f"docker:{IMAGE}")
    run = flowbook.run("last")
    wait_for_line(run, "it hangs")

    container(lab, run).kill("SIGKILL")
    state = until(lambda: type(run.state) is Crashed and run.state)

    assert said.startswith("hangs run 1 goes on in container hangs-run-1, without this terminal.\n")
    assert re.match("Its process was ended by SIGKILL in the middle of the run", state.message)
    assert command("run", "logs", "last", "--output") == "it hangs\n"
