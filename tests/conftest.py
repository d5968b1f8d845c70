"""Settings of all tests."""

import os
import random
import sys

import pytest
from hypothesis import HealthCheck, settings

from tests.own_folder import HOME, IPYTHON

# Before any lock is made: a test in which two locks are taken in the wrong order fails, here and in its subprocesses.
os.environ["FLOWBOOK_CHECK_LOCKS"] = "1"

# A test without a store of its own has one that nobody else uses.
os.environ["FLOWBOOK_HOME"] = str(HOME)
os.environ["FLOWBOOK_KEY_FILE"] = str(HOME / "store.key")
# Both workers make shells, and a person may have one: no two write one history.
os.environ["IPYTHONDIR"] = str(IPYTHON)

from flowbook._utils import locks, threads  # after the lines above

_SHARED_HOME = HOME.resolve()

# How long an example takes says how busy the machine is; pytest-timeout ends what hangs. The short form takes the same
# examples each time, so that a change is judged and not its luck; `make soak` looks for new ones.
settings.register_profile(
    "flowbook",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=os.environ.get("FLOWBOOK_SOAK") != "1",
)
settings.load_profile("flowbook")


if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.pop("PYTHONHASHSEED", None)  # what a test starts hashes in its own way


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes():
    """Let all workers hash alike: they must find the same tests, and a test's name may be that of a set."""
    os.environ.setdefault("PYTHONHASHSEED", str(random.randrange(1 << 32)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Keep each module's tests on one worker, and on one of them all that starts browsers and kernels."""
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415  # only where tests are dealt out

    class ByModule(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            module = nodeid.partition("::")[0]
            return "tests/acceptance" if module.startswith("tests/acceptance/") else module

    return ByModule(config, log)


#: How long the threads of a test may take to end after it.
_END_S = 5.0


@pytest.fixture(autouse=True)
def _stores_are_closed(monkeypatch):
    """Close the stores of its own that a test leaves open, so that thousands of tests don't run out of descriptors."""
    del monkeypatch  # its settings are undone after this
    stores, running = _open_stores(), set(threads.alive())
    yield
    left = _open_stores() - stores
    for thread in set(threads.alive()) - running if left else ():
        if thread.name.startswith("flowbook-run-"):
            thread.join(_END_S)  # a run of the test may be recording its end
    if {thread for thread in set(threads.alive()) - running if thread.name not in _WITHOUT_STORES}:
        return  # somebody still reads or writes, and an open descriptor does less harm
    for store in left:
        store.close()


#: Threads that may outlive what they were made for, and use no store.
_WITHOUT_STORES = {f"flowbook-{name}" for name in ("dask-closing", "process-killer", "reader", "exit")}


def _open_stores():
    module = sys.modules.get("flowbook.store.store")
    if module is None:
        return set()
    return {store for path, store in module._opened._stores.items() if not store.is_closed and path != _SHARED_HOME}


@pytest.fixture(autouse=True)
def _locks_are_taken_in_order():
    """Fail a test in which that was refused, though what took the lock went on without it."""
    yield
    assert locks.violations() == []


def pytest_sessionfinish():
    """Let the shells that tests made end with the process: each would collect all garbage first, minutes in all."""
    shells = sys.modules.get("IPython.core.interactiveshell")
    if shells is not None:
        shells.InteractiveShell._atexit_once = lambda _: None
