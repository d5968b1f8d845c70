import sys

import pytest

from flowbook.store import open_store
from tests.homes import home

__all__ = ["home"]

FLOWS = """
from flowbook import DateTimeParameter, Flow, Parameter, flow, task


@task
def load(origin, limit):
    return origin * limit


@flow
def nightly(origin, limit=2):
    load(origin, limit)


with Flow("weekly") as weekly:
    load(Parameter("origin", default="EWR"), DateTimeParameter("day", required=False))
"""


@pytest.fixture
def store(home):  # noqa: ARG001  # the store is in it
    return open_store()


@pytest.fixture(autouse=True)
def _modules_and_path_as_before(tmp_path_factory):
    path = list(sys.path)
    _forget_modules_below(tmp_path_factory.getbasetemp())
    yield
    _forget_modules_below(tmp_path_factory.getbasetemp())
    sys.path[:] = path


def _forget_modules_below(folder):
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(str(folder)):
            del sys.modules[name]


@pytest.fixture
def write(tmp_path):
    """Return what writes a file beside the flows, and gives its path."""
    (tmp_path / "flows.py").write_text(FLOWS)

    def write_file(name, text):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write_file
