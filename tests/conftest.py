"""Settings of all tests."""

import os
import sys
import tempfile

import pytest
from hypothesis import settings

# Before any lock is made: a test in which two locks are taken in the wrong order fails, here and in its subprocesses.
os.environ["FLOWBOOK_CHECK_LOCKS"] = "1"

# A test without a store of its own has one that nobody else uses.
os.environ["FLOWBOOK_HOME"] = tempfile.mkdtemp(prefix="flowbook-tests-")
os.environ["FLOWBOOK_KEY_FILE"] = f"{os.environ['FLOWBOOK_HOME']}/store.key"

from flowbook._utils import locks  # after the lines above

# How long an example takes says how busy the machine is; pytest-timeout ends what hangs.
settings.register_profile("flowbook", deadline=None)
settings.load_profile("flowbook")


@pytest.fixture(autouse=True)
def _stores_are_closed(monkeypatch):
    """Close the stores that a test leaves open, so that thousands of tests don't run out of descriptors."""
    del monkeypatch  # its settings are undone after this
    before = _open_stores()
    yield
    for store in _open_stores() - before:
        store.close()


def _open_stores():
    module = sys.modules.get("flowbook.store.store")
    return set() if module is None else {each for each in module._opened._stores.values() if not each.is_closed}


@pytest.fixture(autouse=True)
def _locks_are_taken_in_order():
    """Fail a test in which that was refused, though what took the lock went on without it."""
    yield
    assert locks.violations() == []
