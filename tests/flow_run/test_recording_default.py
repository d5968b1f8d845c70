"""Whether a run is recorded where its caller does not say."""

from __future__ import annotations

import sys
import types

import pytest

from flowbook import Flow, task
from flowbook.flow_run.recording_default import is_recorded


class Shell:
    """A notebook's shell with these extensions loaded."""

    def __init__(self, *loaded):
        self.extension_manager = types.SimpleNamespace(loaded=set(loaded))


@pytest.fixture
def notebook(monkeypatch):
    """Let this process look like a notebook in which `%load_ext flowbook` was called."""
    module = types.SimpleNamespace(get_ipython=lambda: Shell("flowbook", "autoreload"))
    monkeypatch.setitem(sys.modules, "IPython", module)


@pytest.mark.usefixtures("notebook")
@pytest.mark.parametrize(
    ("record", "setting", "expected"),
    [(None, None, True), (None, "0", False), (None, "1", True), (False, "1", False), (True, "0", True)],
)
def test_a_notebook_records_unless_told_otherwise(monkeypatch, record, setting, expected):
    if setting is not None:
        monkeypatch.setenv("FLOWBOOK_RECORD", setting)

    assert is_recorded(record) is expected


@pytest.mark.parametrize("shell", [None, Shell(), Shell("autoreload")])
def test_elsewhere_nothing_is_recorded_unless_told_so(monkeypatch, shell):
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))

    assert [is_recorded(record) for record in (None, False, True)] == [False, False, True]


@pytest.mark.usefixtures("notebook")
def test_a_run_that_a_task_starts_is_not_recorded_by_itself():
    @task
    def inner():
        return is_recorded(None)

    with Flow("outer") as flow:
        found = inner()

    assert flow.run(record=False).result[found].result is False
