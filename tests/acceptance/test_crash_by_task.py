"""A task that ends the process which it shares with the driver: seen from elsewhere, and gone on with (store.md, promise 5)."""

import os
import subprocess
import sys
import textwrap

import pytest

import flowbook
from flowbook.engine.state import Crashed, Success
from tests.acceptance.trials import ROOT
from tests.homes import home
from tests.notes import count

__all__ = ["home"]

pytestmark = pytest.mark.acceptance

PATIENCE_S = 50
SCRIPT = textwrap.dedent("""
    import os, signal, sys
    from pathlib import Path
    from flowbook import Flow, task, unmapped
    from tests.executors_of import AWAY, HERE
    from tests.notes import note

    DEEDS = {"exit": lambda: os._exit(3), "kill": lambda: os.kill(os.getpid(), signal.SIGKILL)}

    @task
    def before(n, file):
        note(file, f"before[{n}]")
        return bytes(n * 20_000)

    @task
    def leave(found, deed, file):
        first = "leave" not in Path(file).read_text()
        note(file, "leave")
        if first:
            DEEDS[deed]()
        return sum(map(len, found))

    @task
    def after(total, file):
        note(file, "after")
        return total + 1

    if __name__ == "__main__":
        name, deed, file = sys.argv[1:]
        with Flow("left") as flow:
            found = before.map(list(range(6)), unmapped(file))
            after(leave(found, deed, file), file)
        run = flow.start(executor=(HERE | AWAY)[name](), record=True)
        print(run.run_id, flush=True)
        run.wait()
""")


@pytest.mark.parametrize("deed", ["exit", "kill"])
@pytest.mark.parametrize("kind", ["local", "threads", "synchronous", "waves", "dask"])
def test_a_task_that_ends_the_drivers_process_is_seen_crashed_and_what_was_committed_runs_once(tmp_path, kind, deed):
    script, ran = tmp_path / "script.py", tmp_path / "ran"
    script.write_text(SCRIPT)
    ran.touch()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    done = subprocess.run(
        [sys.executable, script, kind, deed, ran],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=PATIENCE_S,
        env=environment,
    )
    run = flowbook.run(done.stdout.strip())
    seen = [type(run.state), *(type(run.states[f"before[{n}]"]) for n in range(6))]
    resumed = run.resume()
    state = resumed.wait(PATIENCE_S)

    assert done.returncode == {"exit": 3, "kill": -9}[deed]
    assert seen == [Crashed, *[Success] * 6]
    assert type(state) is Success
    assert resumed["after"].result == 300_001
    assert count(ran) == {**{f"before[{n}]": 1 for n in range(6)}, "leave": 2, "after": 1}
