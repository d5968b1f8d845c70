"""Stores of their own for each test: on disk and in memory, with the same promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flowbook.store import MemoryStore, Store, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FLOWBOOK_KEY_FILE", str(tmp_path / "keys" / "store.key"))


@pytest.fixture
def disk_store() -> Iterator[Store]:
    with open_store() as store:
        yield store


@pytest.fixture(params=["disk", "memory"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    with open_store() if request.param == "disk" else MemoryStore() as store:
        yield store
