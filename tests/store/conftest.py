"""Stores of their own for each test: on disk and in memory, with the same promises."""

from __future__ import annotations

from types import CodeType
from typing import TYPE_CHECKING

import pytest

from flowbook.store import MemoryStore, Store, open_store
from tests.served import served

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


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "remote":
        with served(tmp_path / "server") as both:
            yield both.remote
        return
    with open_store() if request.param == "disk" else MemoryStore() as store:
        yield store


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test all kinds of stores; one that looks into the database, only those that have one."""
    if "store" in metafunc.fixturenames:
        names = {*_names_in(metafunc.function.__code__), *metafunc.fixturenames}
        behind_api = [] if names & _INSIDE else ["remote"]
        metafunc.parametrize("store", ["disk", "memory", *behind_api], indirect=True)


#: What only a store of this machine has, and a fixture that reads it.
_INSIDE = {"_database", "_blobs", "asked"}


def _names_in(code: CodeType) -> Iterator[str]:
    """Yield the attributes that a function and those within it use."""
    yield from code.co_names
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _names_in(each)
