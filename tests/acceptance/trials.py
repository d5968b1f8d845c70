"""A flow whose process is killed and which goes on: what the tests of crashes share."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from flowbook.engine.state import Success
from flowbook.store import open_store

if TYPE_CHECKING:
    import random

ROOT = Path(__file__).parents[2]
IS_LONG = os.environ.get("FLOWBOOK_SOAK") == "1"
LONG_S = 60
SEED = int(os.environ.get("FLOWBOOK_SEED", "20261120"))

#: A flow of 22 tasks with small and large values; each leaves a line where it ran, before it returns.
FLOW = textwrap.dedent("""
    import os, sys, time
    from flowbook import Flow, Parameter, task
    from flowbook.executors import DaskExecutor, LocalDaskExecutor, LocalExecutor

    RAN = os.environ["RAN"]  # goes along to where a task runs

    def note(name):
        file = os.open(RAN, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(file, (name + "\\n").encode())
        os.close(file)
        time.sleep(0.003)

    @task
    def load(n):
        note("load")
        return list(range(n))

    @task
    def square(x):
        note(f"square[{x}]")
        return bytes([x]) * 70_000 if x % 3 == 0 else x * x

    @task
    def size(found):
        note("size")
        return [len(x) if isinstance(x, bytes) else x for x in found]

    @task
    def add(total, step):
        note(f"add-{step}")
        return total + step

    @task
    def total(found):
        note("total")
        return sum(found)

    EXECUTORS = {
        "local": LocalExecutor,
        "threads": lambda: LocalDaskExecutor("threads", num_workers=4),
        "dask": lambda: DaskExecutor(cluster_kwargs={"processes": False, "dashboard_address": None}),
        "cluster": lambda: DaskExecutor(os.environ["CLUSTER"]),
    }

    def make(executor):
        with Flow("crash", executor=EXECUTORS[executor]()) as flow:
            found = total(size(square.map(load(Parameter("n", default=12)))))
            for step in range(8):
                found = add(found, step)
        return flow
""")
#: What a process does that is to be killed: begins the run, or goes on with it.
BEGIN = FLOW + textwrap.dedent("""
    os.environ.get("POINT") and exec(os.environ["POINT"])
    run = make(sys.argv[1]).start(record=True)
    print(run.run_id, flush=True)
    print(type(run.wait()).__name__, flush=True)
""")
GO_ON = textwrap.dedent("""
    import sys, flowbook
    from flowbook.exceptions import StartTaskError
    run = flowbook.run(sys.argv[1])
    if not run.state.is_finished() or type(run.state).__name__ == "Crashed":
        run.resume()
    print("here", flush=True)
    print(type(run.wait()).__name__, flush=True)
""")
NAMES = ["load", *(f"square[{n}]" for n in range(12)), "size", "total", *(f"add-{n}" for n in range(8))]
_ADDS = ["add", *(f"add-{n}" for n in range(2, 9))]
KEYS = dict(zip(NAMES, [*NAMES[:15], *_ADDS], strict=True))
RESULT = sum(70_000 if n % 3 == 0 else n * n for n in range(12)) + sum(range(8))


class Trial:
    """One run, killed and gone on with."""

    def __init__(self, folder: Path, executor: str, **env: str) -> None:
        folder.mkdir(exist_ok=True)
        self.ran_file = folder / "ran"
        self.ran_file.touch()
        self.executor = executor
        self._env = env
        self.run_id = ""
        #: How often each task whose result was committed had run when that was seen.
        self.committed: dict[str, int] = {}

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "RAN": str(self.ran_file), **self._env, **env}
        return subprocess.Popen([sys.executable, "-c", *arguments], stdout=subprocess.PIPE, text=True, env=environment)

    def kill(self, process: subprocess.Popen[str], more_lines: int, after_s: float) -> str:
        """Kill it when so many more tasks have run, and a moment later; return what else it said."""
        before = self.ran().total()
        first = process.stdout.readline().strip()
        self.run_id = self.run_id or first
        pause = threading.Event()
        while self.ran().total() < before + more_lines and process.poll() is None:
            pause.wait(0.001)
        pause.wait(after_s)
        process.send_signal(signal.SIGKILL)
        process.wait()
        said = process.stdout.read()
        process.stdout.close()
        return said

    def finish(self) -> str:
        process = self.start(GO_ON, self.run_id)
        said, _ = process.communicate(timeout=LONG_S)
        return said.split()[-1]

    def ran(self) -> Counter[str]:
        return Counter(self.ran_file.read_text().split())

    def check(self) -> None:
        """See that what was committed before is there and did not run again; note what is committed now."""
        ran = self.ran()
        states = open_store().history.states(self.run_id)
        again = {name: (times, ran[name]) for name, times in self.committed.items() if ran[name] != times}
        assert again == {}
        lost = [name for name in self.committed if not isinstance(states.get(KEYS[name]), Success)]
        assert lost == []
        for name, key in KEYS.items():
            if isinstance(states.get(key), Success):
                states[key].result  # noqa: B018  # it loads
                self.committed[name] = ran[name]

    def check_end(self, store: Path) -> None:
        self.check()
        assert set(self.committed) == set(NAMES)
        assert open_store().history.states(self.run_id)["add-8"].result == RESULT
        check_file(store)


def check_file(store: Path) -> None:
    with contextlib.closing(sqlite3.connect(store / "store.sqlite")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        known = {digest.hex() for (digest,) in connection.execute("SELECT digest FROM value WHERE content IS NULL")}
    elsewhere = Path(os.environ.get("FLOWBOOK_BLOBS", store)).glob("flowbook-*")
    folders = [store / "blobs", *elsewhere]
    there = {path.parent.name + path.name for folder in folders for path in folder.glob("??/*")}
    assert known <= there


def kill_and_go_on(  # what tests vary
    folder: Path, executor: str, kills: int, chance: random.Random, *, places: int, **env: str
) -> None:
    """Kill runs, one after another, so often in all; see that each ends well, and nothing committed runs again.

    Kills at less than so many different places aren't enough: where a kill comes too late for that, there are more.
    """
    done, seen = 0, set[int]()
    while done < kills or (len(seen) < places and done < 10 * kills):
        trial = Trial(folder / f"trial-{done}", executor, **env)
        process = trial.start(BEGIN, executor)
        while True:
            said = trial.kill(process, chance.randint(1, 9), chance.uniform(0, 0.004))
            done += 1
            trial.check()
            seen.add(len(trial.committed))
            if said.strip() or (done >= kills and len(seen) >= places):
                break
            process = trial.start(GO_ON, trial.run_id)
        assert trial.finish() == "Success"
        trial.check_end(open_store().path)
    assert len(seen) >= places, seen
