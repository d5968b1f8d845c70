"""Settings of all tests."""

import os

import pytest
from hypothesis import settings

# Before any lock is made: a test in which two locks are taken in the wrong order fails, here and in its subprocesses.
os.environ["FLOWBOOK_CHECK_LOCKS"] = "1"

from flowbook._utils import locks  # after the line above

# How long an example takes says how busy the machine is; pytest-timeout ends what hangs.
settings.register_profile("flowbook", deadline=None)
settings.load_profile("flowbook")


@pytest.fixture(autouse=True)
def _locks_are_taken_in_order():
    """Fail a test in which that was refused, though what took the lock went on without it."""
    yield
    assert locks.violations() == []
