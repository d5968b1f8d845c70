"""Tasks that end their own process: counted as an attempt, said how, and survived by the run (store.md, promise 5)."""

import faulthandler
import multiprocessing
import os
import signal
import time

from flowbook import Flow, task
from flowbook.engine.events import StateChanged
from flowbook.engine.state import Crashed, Success, TriggerFailed
from flowbook.executors import LocalDaskExecutor

PATIENCE_S = 50
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
    "hang_up": (lambda: os.closerange(3, 256), "exit code 1"),
}


@task
def one():
    return 1


@task
def below(x):
    return x


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
