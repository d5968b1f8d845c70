"""Ctrl-C, sent for real to a script and its workers, as a terminal does (engine.md, section 4)."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE_S = 40
CHILDREN = 12

SCRIPT = """
    import json, signal, sys, threading, time
    from pathlib import Path
    from flowbook import Flow, task, unmapped
    from tests.executors_of import AWAY, HERE, POOL

    @task
    def slow(n, folder, seconds):
        (folder / f"begun-{n}").touch()
        end = time.monotonic() + seconds
        while time.monotonic() < end and not (folder / "go").exists():
            time.sleep(0.01)
        return n

    def run_it(executor, folder):
        try:
            state = flow.run(executor=executor)
        except KeyboardInterrupt:
            return ["interrupted", type(flow.last_run.state).__name__, flow.last_run.state.message]
        begun = len(list(folder.glob("begun-*")))
        unfinished = sum(type(child).__name__ == "Pending" for child in state.result[done].map_states)
        (folder / "go").touch()
        resumed = flow.last_run.resume().wait(20)
        return [type(state).__name__, begun, unfinished, type(resumed).__name__, flow.last_run[done].result]

    def wait_for_it(executor, folder):
        run = flow.start(executor=executor)
        try:
            run.wait()
        except KeyboardInterrupt:
            before = type(run.state).__name__
        (folder / "go").touch()
        return [before, type(run.wait(20)).__name__]

    def say_when_it_is_cancelled(folder):
        while flow.last_run is None or type(flow.last_run.state).__name__ not in {"Cancelling", "Cancelled"}:
            time.sleep(0.01)
        (folder / "cancelling").touch()

    if __name__ == "__main__":
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin with it ignored
        name, act, seconds, folder = sys.argv[1], sys.argv[2], float(sys.argv[3]), Path(sys.argv[4])
        with Flow("f") as flow:
            done = slow.map(list(range(12)), unmapped(folder), unmapped(seconds))
        threading.Thread(target=say_when_it_is_cancelled, args=[folder], daemon=True).start()
        print(json.dumps(globals()[act]((HERE | AWAY | POOL)[name](), folder)))
"""


def interrupt(tmp_path, *args, times=1):
    """Run the script, press Ctrl-C when its first tasks run, and again once the run is cancelled; return what it printed."""
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))
    with subprocess.Popen(
        [sys.executable, script, *args, tmp_path],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        for sign in ("begun-*", "cancelling")[:times]:
            deadline = time.monotonic() + PATIENCE_S
            while not list(tmp_path.glob(sign)) and time.monotonic() < deadline:
                time.sleep(0.01)
            os.killpg(process.pid, signal.SIGINT)
        try:
            found, _ = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
    return json.loads(found)


@pytest.mark.parametrize("kind", ["local", "threads", "synchronous", "processes", "waves", "pool", "dask"])
def test_ctrl_c_cancels_the_run_and_it_can_be_resumed(tmp_path, kind):
    state, begun, unfinished, resumed, values = interrupt(tmp_path, kind, "run_it", "0.5")

    assert state == "Cancelled"
    assert begun < CHILDREN
    # On this thread the running task is stopped; elsewhere it goes on to its end.
    assert unfinished == CHILDREN - begun
    assert (resumed, values) == ("Success", list(range(CHILDREN)))


@pytest.mark.parametrize("kind", ["threads", "processes", "waves", "pool", "dask"])
def test_a_second_ctrl_c_waits_for_nothing(tmp_path, kind):
    found = interrupt(tmp_path, kind, "run_it", "300", times=2)

    said = "Stopped by a second Ctrl-C. A task that sleeps or is in C code may still go on."
    assert found == ["interrupted", "Cancelled", said]


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_ctrl_c_in_wait_only_stops_the_waiting(tmp_path, kind):
    found = interrupt(tmp_path, kind, "wait_for_it", "300")

    assert found == ["Running", "Success"]
