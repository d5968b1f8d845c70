"""Values on their way from one task to others."""

import sys
import types

from flowbook._utils.handed_on import handed_on, own_list


def test_while_another_thread_imports_pandas_values_are_passed_on_as_they_are(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", types.ModuleType("pandas"))  # as it is at first
    value = [1, object()]

    assert handed_on(value) is value
    assert own_list(value) == value
