"""Tasks that end their own process: counted as an attempt, said how, and survived by the run (store.md, promise 5)."""

import contextlib
import faulthandler
import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from pathlib import Path

import pytest

from flowbook import Flow, task
from flowbook.engine.events import StateChanged
from flowbook.engine.state import Crashed, Success, TriggerFailed
from flowbook.executors import LocalDaskExecutor
from tests.executors_of import pool_get
from tests.notes import count, note

PATIENCE_S = 50
ROOT = Path(__file__).parents[2]
TWICE = ["Running", "Crashed", "Retrying", "Running", "Crashed"]


class Deadly:
    """Ends the process that unpickles it."""

    def __init__(self, code):
        self.code = code

    def __reduce__(self):
        return os._exit, (self.code,)


def _segfault():
    faulthandler._sigsegv()


def _abort():
    os.abort()


def _alarm():
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    time.sleep(20)


DEATHS = {
    "exit_zero": (lambda: os._exit(0), "exit code 0"),
    "exit": (lambda: os._exit(7), "exit code 7"),
    "kill": (lambda: os.kill(os.getpid(), signal.SIGKILL), "killed by SIGKILL"),
    "terminate": (lambda: os.kill(os.getpid(), signal.SIGTERM), "killed by SIGTERM"),
    "segfault": (_segfault, "killed by SIGSEGV"),
    "abort": (_abort, "killed by SIGABRT"),
    "alarm": (_alarm, "killed by SIGALRM"),
    "hang_up": (lambda: os.closerange(3, _descriptors()[-1] + 1), "exit code 1"),
}


def _descriptors():
    """Return the process's open descriptors but the first three; their numbers are high if the driver had many open."""
    return sorted(each for each in (int(path.name) for path in Path("/dev/fd").iterdir()) if each > 2)


def _write_into_the_pipe():
    for descriptor in _descriptors():
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.write(descriptor, b"\0\0\0\1\0" * 3)


@task
def one():
    return 1


@task
def below(x):
    return x


@task
def noted(file, name, size=None):
    note(file, name)
    return None if size is None else bytes(size)


@task
def len_of(content):
    return len(content)


@task
def meet(folder, me, other):
    """Wait for the other; then one of the two ends its process, and the other goes on."""
    Path(folder, me).touch()
    deadline = time.monotonic() + 20
    while not Path(folder, other).exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    if me == "deadly":
        os._exit(1)
    time.sleep(20)


def side_by_side(graph, keys, num_workers):
    """Stand for a `get` that ends all its processes as soon as one has ended."""
    del num_workers
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=graph[key][0], args=graph[key][1:]) for key in keys]
    for process in processes:
        process.start()
    connection.wait([process.sentinel for process in processes])
    for process in processes:
        process.kill()
        process.join()
    raise BrokenProcessPool("one has ended")


def refuse(*args, **options):
    del args, options
    raise ValueError("not today")


def kinds_of(run, key):
    return [type(e.state).__name__ for e in run.events() if isinstance(e, StateChanged) and e.key == key]


def test_a_task_that_ends_its_process_crashes_alone_after_every_attempt():
    with Flow("deadly") as flow:
        deadly = {name: task(act, name=name, max_retries=1, retry_delay=0)() for name, (act, _) in DEATHS.items()}
        after = {name: below(done) for name, done in deadly.items()}
        read = below(Deadly(5))
        fine = [below(one()) for _ in range(20)]

    run = flow.start(executor=LocalDaskExecutor("processes", num_workers=2), record=False)
    run.wait(PATIENCE_S)

    assert {name: type(run[done]) for name, done in deadly.items()} == dict.fromkeys(DEATHS, Crashed)
    for name, (_, how) in DEATHS.items():
        assert run[name].message == (
            f"Its process ended while it ran: {how}. Look for os._exit, a crash in C code, or a lack of memory."
        )
        assert kinds_of(run, name) == TWICE
    assert {type(run[found]) for found in after.values()} == {TriggerFailed}
    assert "exit code 5" in run[read].message
    assert [type(run[found]) for found in fine] == [Success] * 20
    assert multiprocessing.active_children() == []


def test_a_task_that_ends_a_process_of_a_foreign_get_crashes_alone_after_every_attempt(ran):
    deaths = {
        name: act for name, (act, _) in DEATHS.items() if name != "hang_up"
    }  # it closes the file of notes as well
    with Flow("deadly") as flow:
        deadly = {name: task(act, name=name, max_retries=1, retry_delay=0)() for name, act in deaths.items()}
        after = {name: below(done) for name, done in deadly.items()}
        fine = [noted(str(ran), number) for number in range(20)]
        large = len_of(noted(str(ran), "large", 10_000))

    run = flow.start(executor=LocalDaskExecutor(pool_get, num_workers=1), record=True)
    run.wait(PATIENCE_S)

    assert {name: type(run[done]) for name, done in deadly.items()} == dict.fromkeys(deaths, Crashed)
    for name in deaths:
        assert run[name].message.startswith("Its process ended while it ran (BrokenProcessPool: ")
        assert run[name].message.endswith("). Look for os._exit, a crash in C code, or a lack of memory.")
        assert kinds_of(run, name) == TWICE
    assert {type(run[found]) for found in after.values()} == {TriggerFailed}
    assert [run[found].result for found in fine] == [None] * 20
    assert run[large].result == 10_000
    assert count(ran) == {**{str(number): 1 for number in range(20)}, "large": 1}


def test_who_runs_beside_a_task_that_ends_its_process_is_told_by_whom_it_may_have_been_ended(tmp_path):
    folder = str(tmp_path)
    with Flow("beside") as flow:
        deadly, beside = meet(folder, "deadly", "beside"), meet(folder, "beside", "deadly")

    run = flow.start(executor=LocalDaskExecutor(side_by_side), record=False)
    run.wait(PATIENCE_S)

    assert [type(run[deadly]), type(run[beside])] == [Crashed, Crashed]
    assert run[deadly].message == run[beside].message
    assert run[beside].message.startswith(
        "Its process ended while it ran, or was ended because another one had (BrokenProcess"
    )
    assert run[beside].message.endswith("a lack of memory, in any of: meet, meet.")


def test_a_foreign_get_that_only_raises_is_named():
    with Flow("refused") as flow:
        asked = one()

    run = flow.start(executor=LocalDaskExecutor(refuse), record=False)
    run.wait(PATIENCE_S)

    assert run[asked].message == f"The scheduler {refuse!r} raised ValueError: not today"


def test_a_task_that_spoils_the_pipe_to_the_driver_crashes_alone():
    with Flow("spoilt") as flow:
        spoilt, fine = task(_write_into_the_pipe, name="spoil")(), [below(one()) for _ in range(4)]

    run = flow.start(executor=LocalDaskExecutor("processes", num_workers=2), record=False)
    run.wait(PATIENCE_S)

    assert type(run[spoilt]) is Crashed
    assert [run[found].result for found in fine] == [1] * 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
@pytest.mark.parametrize(
    ("kind", "leave"),
    [("local", "exit"), ("local", "raise"), ("threads", "return"), ("processes", "exit"), ("waves", "return")],
)
def test_what_a_task_forked_ends_where_the_task_ends(tmp_path, kind, leave):
    script = tmp_path / "forks.py"
    script.write_text(textwrap.dedent(FORKS))

    done = subprocess.run(
        [sys.executable, script, kind, leave, tmp_path],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=PATIENCE_S,
    )

    code = {"exit": 7, "return": 0, "raise": 1}[leave]
    assert done.stdout.splitlines() == [f"Success {code} 1"]


FORKS = """
    import os, sys
    from pathlib import Path
    from flowbook import Flow, context, task
    from flowbook.engine import signals
    from tests.executors_of import AWAY, HERE

    @task
    def forks(leave):
        with context(colour="red"):
            child = os.fork()
            if not child and leave == "exit":
                sys.exit(7)
            if not child and leave == "raise":
                raise signals.SKIP
            return child and os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    @task
    def after(code, folder):
        (folder / f"ran-{os.getpid()}").touch()
        return code

    if __name__ == "__main__":
        name, leave, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
        with Flow("forks") as flow:
            found = after(forks(leave), folder)
        state = flow.run(executor=(HERE | AWAY)[name](), record=False)
        print(type(state).__name__, state.result[found].result, len(list(folder.glob("ran-*"))))
"""
