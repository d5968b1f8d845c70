"""Runs in containers, for tests: served by an API, started, waited for and looked at."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time

import psutil
import pytest

from flowbook import Flow, task
from flowbook.flow_runners import DockerFlowRunner
from flowbook.store import open_store
from flowbook.store.process_identity import container_of
from flowbook.store.process_output import output_file
from tests.flow_runners.docker_lab import IMAGE
from tests.scripts import ROOT

__all__ = [
    "LONG_S",
    "TOKEN",
    "agent_process",
    "api",
    "command",
    "container",
    "finished",
    "flow_of",
    "hanging",
    "in_container",
    "keepers",
    "started",
    "until",
    "wait_for_line",
]

LONG_S = 90
TOKEN = "t0ken-of-this-test-0123456789"


def until(is_so, within_s=LONG_S):
    deadline = time.monotonic() + within_s
    while not (found := is_so()):
        assert time.monotonic() < deadline, "it took too long"
        threading.Event().wait(0.02)
    return found


@pytest.fixture(autouse=True)
def api(lab, home, monkeypatch, tmp_path):
    """Serve the test's store, and let everything use it through the API; return the server's port."""
    monkeypatch.setenv("DOCKER_HOST", lab.address)
    monkeypatch.setenv("FLOWBOOK_API_TOKEN", TOKEN)
    command = [sys.executable, "-m", "flowbook", "server", "start", "--host", "0.0.0.0", "--port", "0", "--json"]
    command += ["--allow-host", "host.docker.internal", "--allow-host", lab.gateway]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    port = int(json.loads(server.stdout.readline())["address"].rstrip("/").rpartition(":")[2])
    monkeypatch.setenv("FLOWBOOK_API_URL", f"http://127.0.0.1:{port}")
    yield port
    lab.clear()
    until(lambda: not keepers())
    open_store().close()
    server.terminate()
    server.communicate(timeout=20)
    del home


def keepers():
    found = []
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if any(word.endswith("container_keeper.py") for word in child.cmdline()):
                found.append(child)
    return found


def in_container(**fields):
    return DockerFlowRunner(**{"image": IMAGE, "stream_output": False, **fields})


def flow_of(function, name="works", **options):
    """Return a flow of one task."""
    with Flow(name, **options) as flow:
        task(function, name="work")()
    return flow


def started(function, name="works", **fields):
    """Start a flow of one task in a container; return its run."""
    return flow_of(function, name).start(flow_runner=in_container(**fields))


def finished(run):
    """Wait until a run, and what keeps its container, have ended; return its state."""
    state = run.wait(LONG_S)
    until(lambda: not run._control.own_process.ends_soon())
    return state


def container(lab, run):
    """Return the run's container, as the engine has it."""
    return lab.client.containers.get(container_of(until(lambda: run.identifier)).rpartition(":")[2])


def wait_for_line(run, line):
    until(lambda: output_file(run.run_id).exists() and line in output_file(run.run_id).read_text(errors="replace"))


def hanging():
    """Return a function that is stored by value: containers don't have this module."""

    def hang():
        os.write(1, b"it hangs\n")
        while True:
            time.sleep(0.01)

    return hang


def command(*words):
    done = subprocess.run([sys.executable, "-m", "flowbook", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def agent_process(folder):
    return subprocess.Popen(
        [sys.executable, "-m", "flowbook", "agent", "start", "--name", "west"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
