"""A run in a process of its own that a notebook's kernel began: the kernel is killed, and another one finishes the run."""

from __future__ import annotations

import os
import textwrap

import jupyter_client
import pytest

from tests.flow_runners import flows
from tests.scripts import wait_for

LONG_S = 60

BEGIN = textwrap.dedent("""
    %load_ext flowbook
    import os, time
    from pathlib import Path
    from flowbook import Flow, task, triggers
    from flowbook.flow_runners import SubprocessFlowRunner

    FOLDER = Path(os.environ["FOLDER"])

    def note(name):
        with (FOLDER / "ran").open("a") as file:
            file.write(f"{name} {os.getpid()}\\n")

    @task(log_stdout=True)
    def load():
        note("load")
        print("loaded")
        return [1, 2, 3]

    @task
    def slow(rows):
        note("slow")
        (FOLDER / "slow").touch()
        while not (FOLDER / "go").exists():
            time.sleep(0.01)
        return sum(rows)

    @task(trigger=triggers.manual_only)
    def publish(total):
        note("publish")
        return total + 1

    with Flow("nightly") as flow:
        publish(slow(load()))
    run = flow.start(flow_runner=SubprocessFlowRunner())
    print(run.run_id)
""")

FIND = textwrap.dedent("""
    %load_ext flowbook
    import flowbook
    run = flowbook.run("nightly last")
    print(run.where, type(run["slow"]).__name__, [line.text for line in run.logs()])
""")

FINISH = textwrap.dedent("""
    paused = type(run.wait(50)).__name__
    run.resume("publish", by="ada")
    print(paused, type(run.wait(50)).__name__, run["publish"].result)
""")


class Kernel:
    """A notebook's kernel."""

    def __init__(self):
        self.manager = jupyter_client.KernelManager()
        self.manager.start_kernel()
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=LONG_S)

    def run(self, code):
        """Return what a cell writes."""
        said = []

        def hook(message):
            content = message["content"]
            if message["msg_type"] == "stream" and content["name"] == "stdout":
                said.append(content["text"])
            elif message["msg_type"] == "error":
                said.append("\n".join(content["traceback"]))

        self.client.execute_interactive(code, output_hook=hook, timeout=LONG_S)
        return "".join(said).strip()

    def kill(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()


@pytest.mark.acceptance
@pytest.mark.timeout(300)
def test_a_run_goes_on_when_its_kernel_is_killed_and_is_finished_from_another_one(folder, monkeypatch):
    monkeypatch.chdir(folder)
    first = Kernel()
    run_id = first.run(BEGIN)
    wait_for(folder / "slow")
    first.kill()
    second = Kernel()

    found = second.run(FIND)
    (folder / "go").touch()
    finished = second.run(FINISH)
    second.kill()

    assert len(run_id.splitlines()[-1]) == 32, run_id
    assert found == "elsewhere Running ['loaded']"
    assert finished == "Paused Success 7"
    assert flows.noted(folder) == ["load", "slow", "publish"]
    pids = [int(line.split()[1]) for line in (folder / "ran").read_text().splitlines()]
    assert (pids[0] == pids[1], pids[2] == pids[1], os.getpid() in pids) == (True, False, False)
