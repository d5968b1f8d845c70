"""What tasks show is taken where it is made, also where another thread has only begun to load what shows it."""

from __future__ import annotations

import importlib
import sys
import threading

from flowbook.engine.displays import _AfterImport

SLOW = "flowbook_test_slow_library"
GATES = "flowbook_test_gates"
CODE = f"import {GATES}\n{GATES}.begun.set()\nassert {GATES}.goes_on.wait(10)\nKIND = 'whole'\n"


def test_a_module_that_another_thread_is_loading_is_changed_once_it_is_whole(tmp_path, monkeypatch):
    gates = type(sys)(GATES)
    gates.begun, gates.goes_on = threading.Event(), threading.Event()
    monkeypatch.setitem(sys.modules, GATES, gates)
    (tmp_path / f"{SLOW}.py").write_text(CODE)
    monkeypatch.syspath_prepend(tmp_path)
    load, found = importlib.import_module, []
    loading = threading.Thread(target=load, args=(SLOW,))
    loading.start()
    assert gates.begun.wait(10)

    def loaded(name):
        gates.goes_on.set()  # not before somebody waits for the module, or takes it as it is
        return load(name)

    monkeypatch.setattr(importlib, "import_module", loaded)
    finder = _AfterImport({SLOW: lambda module: found.append(getattr(module, "KIND", "half"))})
    finder.install()
    gates.goes_on.set()
    loading.join()
    sys.modules.pop(SLOW, None)

    assert found == ["whole"]
    assert finder not in sys.meta_path
