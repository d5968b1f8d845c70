import contextlib
import os
from pathlib import Path

import psutil
import pytest

import flowbook.flow_runners
from tests.flow_runners.docker_lab import Lab, why_not
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
            if any(str(keeper) in child.cmdline() for keeper in (KEEPER, KEEPER.with_name("container_keeper.py"))):
                for process in (*child.children(recursive=True), child):
                    process.kill()


@pytest.fixture
def folder(tmp_path):
    """Return a folder that tasks in other processes find by `FOLDER`."""
    os.environ["FOLDER"] = str(tmp_path)
    yield tmp_path
    del os.environ["FOLDER"]


def pytest_collection_modifyitems(config, items):
    """Leave the tests of containers to `make docker`: they take some minutes, and root on Linux."""
    left_out = [item for item in items if item.get_closest_marker("docker")]
    if left_out and os.environ.get("FLOWBOOK_DOCKER") != "1":
        items[:] = [item for item in items if not item.get_closest_marker("docker")]
        config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session")
def lab():
    """Give a Docker engine with an image of this Python and this flowbook."""
    assert why_not() is None, why_not()
    found = Lab()
    try:
        found.start()
        yield found
    finally:
        found.close()
