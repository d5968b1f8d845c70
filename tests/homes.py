"""A store of its own for each test; imported by the conftest of each folder that runs flows."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Point every setting that names a folder to a temporary one; return the store's folder."""
    folder = tmp_path / "home"
    monkeypatch.setenv("FLOWBOOK_HOME", str(folder))
    monkeypatch.setenv("FLOWBOOK_KEY_FILE", str(tmp_path / "config" / "store.key"))
    monkeypatch.setenv("FLOWBOOK_PROJECT", "test")
    monkeypatch.delenv("FLOWBOOK_RECORD", raising=False)
    yield folder
    if folder.exists():
        from flowbook.store import open_store  # noqa: PLC0415  # only where a test has used it

        open_store().close()
