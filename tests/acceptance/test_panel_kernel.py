"""The panel in a real kernel: what a view says is answered, while a cell runs too."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.manager import start_new_kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jupyter_client import BlockingKernelClient

pytestmark = pytest.mark.acceptance
ROOT = Path(__file__).parents[2]
SETUP = """
import threading
from flowbook import Flow, task
from flowbook.engine.signals import PAUSE
from flowbook.notebook.panel import Panel
from flowbook.notebook.panel_session import PanelSession
from tests.notebook.recorded import ASSETS

door, approvals = threading.Event(), iter([False, True])

@task
def approve():
    door.wait(60)
    if not next(approvals):
        raise PAUSE

with Flow("delays") as flow:
    approve()
session = PanelSession(flow.start())
session.start()
panel = Panel(session, assets=ASSETS)
print(panel.model_id)
"""


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[BlockingKernelClient]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("FLOWBOOK_HOME", str(tmp_path))
    manager, client = start_new_kernel(startup_timeout=120, kernel_name="python3", env={**os.environ})
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def _until(
    client: BlockingKernelClient, is_it: Callable[[dict[str, Any]], bool], timeout_s: float = 60
) -> dict[str, Any]:
    end = time.monotonic() + timeout_s
    while (left := end - time.monotonic()) > 0:
        message = client.get_iopub_msg(timeout=left)
        if is_it(message):
            return message
    raise TimeoutError


def _is_custom(kind: str) -> Callable[[dict[str, Any]], bool]:
    def is_it(message: dict[str, Any]) -> bool:
        told = message["content"].get("data") or {}
        return message["msg_type"] == "comm_msg" and (told.get("content") or {}).get("type") == kind

    return is_it


def _say(client: BlockingKernelClient, comm: str, subshell: str | None = None, **content: Any) -> None:
    data = {"method": "custom", "content": content}
    message = client.session.msg("comm_msg", {"comm_id": comm, "data": data})
    if subshell is not None:
        message["header"]["subshell_id"] = subshell
    client.shell_channel.send(message)


def _replied(client: BlockingKernelClient, request: str) -> None:
    """Wait for the reply to a request, as JupyterLab does before it sends the next one.

    A message that comes while ipykernel 7.3 sends a reply isn't always noticed (ipython/ipykernel#1554).
    """
    while client.get_shell_msg(timeout=60)["parent_header"].get("msg_id") != request:
        pass


def _open(client: BlockingKernelClient) -> str:
    request = client.execute(SETUP)
    told = _until(client, lambda message: message["msg_type"] in {"stream", "error"})
    assert told["msg_type"] == "stream", told["content"]
    _until(client, lambda message: message["content"].get("execution_state") == "idle")
    _replied(client, request)
    return str(told["content"]["text"].strip())


def test_a_view_is_answered_and_told_what_changes(client: BlockingKernelClient) -> None:
    comm = _open(client)

    _say(client, comm, type="hello", id="h1", view="v")
    ack = _until(client, _is_custom("ack"))
    snapshot = _until(client, _is_custom("snapshot"))
    request = client.execute("door.set()")
    patch = _until(client, _is_custom("patch"))
    _replied(client, request)
    _say(client, comm, type="resume", id="c1", view="v", key="approve")
    resumed = _until(client, _is_custom("ack"))

    assert ack["content"]["data"]["content"]["ok"]
    assert snapshot["content"]["data"]["content"]["tasks"]["approve"]["state"] == "Running"
    assert patch["content"]["data"]["content"]["tasks"]["approve"]["state"] == "Paused"
    assert resumed["content"]["data"]["content"]["text"] == "approve goes on."


#: Lets the run come to its pause, and runs until there is a file.
BUSY = """
import os, pathlib
door.set(); session.run.wait(); print('runs')
while not (pathlib.Path(os.environ["FLOWBOOK_HOME"]) / "go").exists():
    threading.Event().wait(0.01)
"""


@pytest.mark.subshells
def test_a_click_is_answered_while_a_cell_runs(client: BlockingKernelClient, tmp_path: Path) -> None:
    comm = _open(client)
    client.control_channel.send(client.session.msg("create_subshell_request", {}))
    subshell = client.get_control_msg(timeout=60)["content"]["subshell_id"]
    _say(client, comm, subshell, type="hello", id="h1", view="v")
    _until(client, _is_custom("snapshot"))
    request = client.execute(BUSY)
    _until(client, lambda message: message["msg_type"] == "stream")

    _say(client, comm, subshell, type="resume", id="c1", view="v", key="approve")
    seen: list[dict[str, Any]] = []
    ack = _until(client, lambda message: seen.append(message) or _is_custom("ack")(message))  # type: ignore[func-returns-value]
    (tmp_path / "go").touch()
    _replied(client, request)

    assert ack["content"]["data"]["content"]["text"] == "approve goes on."
    ends = [each for each in seen if each["content"].get("execution_state") == "idle"]
    assert [each for each in ends if each["parent_header"].get("msg_id") == request] == []


FLOW = """
%load_ext flowbook
import threading
from flowbook import task

@task
def load():
    return 1
"""
AGAIN = """
%%flow again
load()
"""
THREADS = """
again.last_run.wait(60)
print(sorted(each.name for each in threading.enumerate() if each.name.startswith("flowbook-")))
"""


def _run(client: BlockingKernelClient, code: str, cell: str) -> str:
    """Run a cell as JupyterLab does; return what it printed."""
    message = client.session.msg("execute_request", {"code": code.strip(), "allow_stdin": True, "silent": False})
    message["metadata"] = {"cellId": cell}
    client.shell_channel.send(message)
    printed = ""
    while True:
        told = client.get_iopub_msg(timeout=20)
        if told["parent_header"].get("msg_id") != message["header"]["msg_id"]:
            continue
        assert told["msg_type"] != "error", told["content"]
        if told["msg_type"] == "stream":
            printed += told["content"]["text"]
        if told["content"].get("execution_state") == "idle":
            break
    _replied(client, message["header"]["msg_id"])
    return printed


@pytest.mark.parametrize("cells", [["flow"], ["flow", "copy"]], ids=["the same cell", "cells by turns"])
def test_a_flow_run_again_twenty_times_leaves_no_threads(client: BlockingKernelClient, cells: list[str]) -> None:
    _run(client, FLOW, "tasks")

    _run(client, AGAIN, "flow")
    once = _run(client, THREADS, "threads")
    for number in range(20):
        _run(client, AGAIN, cells[number % len(cells)])
    often = _run(client, THREADS, "threads")

    # The worker of the newest panel may still wait for more to do.
    assert [text.count("flowbook-feed") for text in (once, often)] == [1, 1]
    assert often.count("flowbook-panel") <= 1


def test_panels_opened_again_by_the_same_cell_leave_no_threads(client: BlockingKernelClient) -> None:
    _run(client, FLOW, "tasks")
    _run(client, AGAIN, "flow")

    for _ in range(5):
        _run(client, "%flow show again", "show")
        _run(client, "%flow run again", "run")
        _run(client, "%cache", "cache")
    threads = _run(client, THREADS, "threads")

    # One for the panels of three cells, one for the cache browser; and the workers of those that had something to do.
    assert threads.count("flowbook-feed") == 2
    assert threads.count("flowbook-panel") <= 4
