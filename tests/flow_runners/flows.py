"""Flows that tests run in processes of their own. Tasks find the test's folder by the environment."""

from __future__ import annotations

import os
import time
from pathlib import Path

from flowbook import Flow, Parameter, task, triggers

__all__ = ["marked", "note", "noted", "pausing", "wait_for", "waiting"]


def folder() -> Path:
    return Path(os.environ["FOLDER"])


def note(name: str) -> None:
    with (folder() / "ran").open("a") as file:
        file.write(f"{name} {os.getpid()}\n")


def noted(where: Path) -> list[str]:
    """Return the names of the tasks that ran, in order."""
    file = where / "ran"
    return [line.split()[0] for line in file.read_text().splitlines()] if file.exists() else []


def wait_for(name: str) -> None:
    while not (folder() / name).exists():
        time.sleep(0.01)


@task
def before(n: int) -> int:
    note("before")
    return n + 1


@task(log_stdout=True)
def middle(n: int) -> int:
    note("middle")
    print("in the middle", n)  # noqa: T201  # what is captured
    (folder() / "middle").touch()
    wait_for("go")
    return n * 10


@task
def after(n: int) -> int:
    note("after")
    return n + 1


@task(trigger=triggers.manual_only)
def approve(n: int) -> int:
    note("approve")
    return n


@task
def marks(name: str) -> str:
    return os.environ.get(name, "")


def waiting() -> Flow:
    """Return a flow whose second task waits for the file `go`."""
    with Flow("waiting") as flow:
        after(middle(before(Parameter("n", default=1)())))
    return flow


def pausing() -> Flow:
    """Return a flow that waits for a person after its first task."""
    with Flow("pausing") as flow:
        after(approve(before(Parameter("n", default=1)())))
    return flow


def marked(name: str = "MY_VARIABLE") -> Flow:
    """Return a flow that returns an environment variable of its process."""
    with Flow("marked") as flow:
        marks(name)
    return flow
