"""A process that records is killed: what it was told to secure is there, and the file is whole."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from flowbook.engine.state import Success
from flowbook.store import open_store

if TYPE_CHECKING:
    from pathlib import Path

RECORD = textwrap.dedent("""
    import sys
    from flowbook.engine.events import StateChanged
    from flowbook.engine.state import *
    from flowbook.store import RunRecord, open_store

    store = open_store()
    store.runs.create(RunRecord("r1", "f", "p", {"name": "f", "tasks": []}))
    recorder = store.runs.recorder("r1", 1)
    for n in range(1_000_000):
        recorder.emit(StateChanged(2 * n + 1, f"t{n}", Running()))
        recorder.emit(StateChanged(2 * n + 2, f"t{n}", Success(result=(n, b"x" * (n % 3 * 40_000)))))
        recorder.secure((f"t{n}",))
        sys.stdout.write(f"{n}\\n")
        sys.stdout.flush()
""")


@pytest.mark.parametrize("lines", [1, 40, 200])
def test_what_was_secured_before_a_kill_is_there(tmp_path: Path, lines: int) -> None:
    process = subprocess.Popen([sys.executable, "-c", RECORD], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(lines):
        last = int(process.stdout.readline())

    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    last = max([last, *(int(line) for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n"))])
    process.stdout.close()

    with open_store() as store:
        states = store.history.states("r1")
        told = [states[f"t{n}"] for n in range(last + 1)]
        assert [type(state) for state in told] == [Success] * (last + 1)
        assert [state.result[0] for state in told] == list(range(last + 1))
    with sqlite3.connect(tmp_path / "home" / "store.sqlite") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_a_forked_child_writes_beside_its_parent() -> None:
    if not hasattr(os, "fork"):
        pytest.skip("no fork here")
    script = textwrap.dedent("""
        import os
        from flowbook.store import open_store

        store = open_store()
        store.values.put(0)
        child = os.fork()
        for n in range(200):
            store.values.put((child == 0, n))
        if child == 0:
            store.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        refs = [store.values.put((who, n)) for who in (True, False) for n in range(200)]
        assert store._database.read("SELECT count(*) FROM value") == [(401,)]
        assert store._database.read("PRAGMA integrity_check") == [("ok",)]
    """)

    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")
