"""Classes of libraries that are loaded, or that another thread is loading."""

from __future__ import annotations

import io
import sys
import types
from decimal import Decimal

import pytest

from flowbook._utils.loaded import LoadedClasses
from flowbook.engine.state import Success
from flowbook.flow_run.recording_default import is_recorded
from flowbook.flow_run.row_counts import table_of
from flowbook.results.code_hash import code_hash
from flowbook.results.content_hash import content_hash
from flowbook.results.preview import describe, table_mark
from flowbook.results.unpicklable import unpicklable
from flowbook.terminal.marks import Marks
from flowbook.terminal.reporting import TroubleSink, log_sinks
from flowbook.terminal.screen import Screen

LIBRARIES = (
    "IPython",
    "PIL.Image",
    "matplotlib.axes",
    "matplotlib.figure",
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "sklearn.base",
)


@pytest.fixture
def half_loaded(monkeypatch):
    """Have the libraries as they are at first, while another thread imports them."""
    for name in LIBRARIES:
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))


def test_classes_are_told_as_far_as_they_are_there(monkeypatch):
    library = types.ModuleType("library")
    monkeypatch.setitem(sys.modules, "library", library)

    tables = LoadedClasses("library", "Frame", "Series")
    before = tables.now()
    library.Frame, library.Series = type("Frame", (), {}), type("Series", (), {})
    both = tables.now()
    del library.Series

    assert before == ()
    assert both == (library.Frame, both[1])
    assert tables.now() == (library.Frame,)
    assert LoadedClasses("another_library", "Frame").now() == ()


@pytest.mark.usefixtures("half_loaded")
@pytest.mark.parametrize("value", [3.5, "text", [1, 2, 3], {"a": [1.0]}, {1, 2}], ids=repr)
def test_while_another_thread_loads_a_library_a_value_has_its_preview(value):
    assert "can't be shown" not in describe(value)["text"]
    assert table_mark(value) == ""


def test_while_another_thread_loads_a_library_values_and_code_have_their_hashes(request):
    limits = [1, 2, 3]
    value = {"rows": [(1, "one"), (2, "two")], "of": {1.5, 2.5}, "price": Decimal("9.50")}

    def capped(rows):
        return rows[: limits[0]]

    before = content_hash(value), code_hash(capped)
    request.getfixturevalue("half_loaded")

    assert (content_hash(value), code_hash(capped)) == before


@pytest.mark.usefixtures("half_loaded")
def test_while_another_thread_loads_a_library_a_run_begins_and_says_what_it_knows():
    error = TypeError("cannot pickle 'generator' object")

    assert is_recorded(None) is False
    assert table_of(Success(result=[1, 2])) is None
    assert "generator" in str(unpicklable([1, 2, 3], error))


def test_while_another_thread_loads_logging_a_run_is_reported_as_if_nobody_had(monkeypatch):
    monkeypatch.delenv("FLOWBOOK_LOGGING_LEVEL", raising=False)
    monkeypatch.setitem(sys.modules, "logging", types.ModuleType("logging"))

    (sink,) = log_sinks(None, is_displayed=False, is_watched=False)
    Screen(io.StringIO(), Marks(is_plain=True), has_colours=False)._move_log_handlers()

    assert isinstance(sink, TroubleSink)
