import contextlib
import os
from pathlib import Path

import psutil
import pytest

import flowbook.flow_runners
from tests.homes import home
from tests.scripts import ROOT

__all__ = ["home"]

KEEPER = Path(flowbook.flow_runners.__file__).with_name("keeper.py")


@pytest.fixture(autouse=True)
def _own_sources(monkeypatch):
    """Let the processes that a test starts import what it tests, and leave none of them behind."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    yield
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if str(KEEPER) in child.cmdline():
                for process in (*child.children(recursive=True), child):
                    process.kill()


@pytest.fixture
def folder(tmp_path):
    """Return a folder that tasks in other processes find by `FOLDER`."""
    os.environ["FOLDER"] = str(tmp_path)
    yield tmp_path
    del os.environ["FOLDER"]
