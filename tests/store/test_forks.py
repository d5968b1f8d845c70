"""A process that is forked while other threads use the store can use it, too."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

PROGRAM = textwrap.dedent("""
    import os, signal, tempfile, threading
    os.environ["FLOWBOOK_HOME"] = tempfile.mkdtemp()
    os.environ["FLOWBOOK_KEY_FILE"] = os.environ["FLOWBOOK_HOME"] + "/key"
    from contextlib import ExitStack
    from flowbook.results import serializer
    from flowbook.store import open_store, store as stores

    class Given:
        number = 5

    store = open_store()
    large = store.values.put(list(range(200_000)))
    held, may_end = threading.Event(), threading.Event()

    def hold():  # what other threads have at the fork, in the order of the locks' ranks
        with ExitStack() as stack:
            for lock in (
                stores._opened._lock, store.cache._uses_lock, store._database._lock, store._database._version_lock,
                serializer._BY_VALUE.lock, store._blobs._lock,
            ):
                stack.enter_context(lock)
            held.set()
            may_end.wait()

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    assert held.wait(30)
    child = os.fork()
    if not child:
        signal.alarm(30)
        again = open_store()
        again.cache.used("an entry")
        again.values.put(Given(), by_value=True)
        is_read = again.values.load(large)[-1] == 199_999
        again.close()
        os._exit(0 if is_read else 1)
    _, status = os.waitpid(child, 0)
    may_end.set()
    thread.join()
    print(status)
""")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_uses_the_store_that_other_threads_were_at_when_it_was_forked():
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM]  # newer Pythons warn of a fork beside threads
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")
