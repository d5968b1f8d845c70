"""A store for each test, and agents in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.homes import home
from tests.scripts import ROOT

__all__ = ["home"]


@pytest.fixture
def agents(tmp_path):
    """Return what starts `flowbook agent start`, or another program that works as an agent; all are ended at the end."""
    started = []

    def start(*options, program=None):
        command = (
            ["-m", "flowbook", "agent", "start", "--json", *options] if program is None else ["-c", program, *options]
        )
        log = (tmp_path / f"agent-{len(started)}.log").open("w")
        process = subprocess.Popen(
            [sys.executable, *command],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        log.close()
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()
