import multiprocessing
import os
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from flowbook import Flow, context, task, unmapped
from flowbook.engine.events import StateChanged
from flowbook.exceptions import ExecutorError
from flowbook.executors import LocalDaskExecutor
from flowbook.executors.base import Answer, Call
from flowbook.executors.batches import Batch, CallQueue, Item

ROOT = Path(__file__).parents[2]


@pytest.fixture
def executor():
    return LocalDaskExecutor("processes", num_workers=2)


@task
def number():
    return 1


def test_a_task_that_ends_its_process_crashes_and_the_others_go_on(executor):
    @task
    def leave(code):
        os._exit(code)

    with Flow("delays") as flow:
        left, fine = leave(7), number()

    state = flow.run(executor=executor)

    assert type(state.result[left]).__name__ == "Crashed"
    assert state.result[left].message.startswith("Its process ended while it ran: exit code 7.")
    assert state.result[fine].result == 1


def test_a_killed_process_is_named_by_its_signal_and_its_attempt_counted(executor):
    @task(max_retries=1, retry_delay=timedelta(0))
    def killed_once():
        if context.task_run_count == 1:
            os.kill(os.getpid(), 9)
        return context.task_run_count

    with Flow("delays") as flow:
        killed = killed_once()

    state = flow.run(executor=executor)

    events = [e.state for e in flow.last_run.events() if isinstance(e, StateChanged) and e.key == "killed_once"]
    assert [type(s).__name__ for s in events] == ["Running", "Crashed", "Retrying", "Running", "Success"]
    assert "killed by SIGKILL" in events[1].message
    assert state.result[killed].result == 2


def test_children_in_a_batch_with_a_crash_are_done_by_others(executor):
    @task
    def mostly(n):
        if n == 60:
            os._exit(1)
        return n

    with Flow("delays") as flow:
        mapped = mostly.map(list(range(100)))

    state = flow.run(executor=executor)

    names = [type(s).__name__ for s in state.result[mapped].map_states]
    assert names == ["Success"] * 60 + ["Crashed"] + ["Success"] * 39


def test_a_slow_child_delays_none_of_the_others(executor, tmp_path):
    @task
    def maybe_wait(n, path):
        deadline = time.monotonic() + 20
        while n == 50 and not Path(path).exists() and time.monotonic() < deadline:
            time.sleep(0.005)

    left = set(range(300)) - {50}
    are_done = threading.Event()

    class Sink:
        def emit(self, event):
            if isinstance(event, StateChanged) and event.state.is_successful() and "[" in event.key:
                left.discard(int(event.key[11:-1]))
                if not left:
                    are_done.set()

    with Flow("delays") as flow:
        maybe_wait.map(list(range(300)), unmapped(str(tmp_path / "go")))

    run = flow.start(executor=executor)
    run.subscribe(Sink())
    are_done.wait(15)
    left_before_the_slow_one = sorted(left)
    (tmp_path / "go").touch()

    assert left_before_the_slow_one == []
    assert repr(run.wait(20)) == "<Success: 'All tasks that decide the run succeeded.'>"


def test_no_process_is_left_when_the_run_is_over(executor):
    with Flow("delays") as flow:
        number()

    flow.run(executor=executor)

    assert multiprocessing.active_children() == []


def test_arrays_come_and_go_writable(executor):
    @task
    def double(array):
        array *= 2
        return array

    with Flow("arrays") as flow:
        doubled = double(np.ones(100_000))

    found = flow.run(executor=executor).result[doubled].result
    found += 1

    assert found.sum() == 300_000


#: What a script may hold: all of it lives in `__main__`, and goes to the processes by value.
MAIN = """
import dataclasses
from flowbook import Flow, task
from flowbook.executors import LocalDaskExecutor

FACTOR = 3

@dataclasses.dataclass
class Point:
    x: int

class Line:
    def __init__(self, slope):
        self.slope = slope
    def at(self, n):
        return n * self.slope

def tripled(n):
    return n * FACTOR

@task
def in_main(n):
    return Point(tripled(n))

@task
def unpack(point):
    return point.x

def closure(k):
    @task
    def inner(n):
        return n * k
    return inner

square = task(lambda n: n * n, name="square")
bound = task(Line(5).at, name="bound")

def main():
    with Flow("main") as flow:
        point = in_main(2)
        found = [unpack(point), closure(7)(2), square(4), bound(2)]
    state = flow.run(executor=LocalDaskExecutor("processes", num_workers=1))
    print(isinstance(state.result[point].result, Point), [state.result[each].result for each in found])
    print(state.message)

"""


def python(*args, text=None):
    """Return the lines that Python prints."""
    done = subprocess.run(
        [sys.executable, *args],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=50,
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize("way", ["script", "module", "command"])
def test_what_a_script_defines_goes_to_the_processes_by_value(tmp_path, monkeypatch, way):
    monkeypatch.chdir(tmp_path)
    Path("script.py").write_text(MAIN + "if __name__ == '__main__':\n    main()\n")
    ways = {"script": ["script.py"], "module": ["-m", "script"], "command": ["-c", MAIN + "main()\n"]}

    found = python(*ways[way])

    assert found == ["True [6, 14, 16, 10]", "All tasks that decide the run succeeded."]


def test_a_script_without_a_guard_gets_an_error_that_says_so(tmp_path):
    script = tmp_path / "bare.py"
    script.write_text(MAIN + "main()\n")

    last = python(script)[-1]

    assert last.startswith("A worker process ended before it was ready")
    assert "if __name__ == '__main__':" in last


def test_a_recorded_script_without_a_guard_records_its_one_run_and_says_only_that(tmp_path):
    script = tmp_path / "bare.py"
    script.write_text(
        "from flowbook import Flow, runs, task\n"
        "from flowbook.executors import LocalDaskExecutor\n"
        "with Flow('bare') as flow:\n"
        "    task(lambda: 1, name='one')()\n"
        "state = flow.run(executor=LocalDaskExecutor('processes', num_workers=2), record=True)\n"
        "print(type(state).__name__, len(runs()), state.message)\n"
    )

    done = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=50,
    )

    assert done.stdout.startswith("Failed 1 A worker process ended before it was ready")
    assert ("Traceback" in done.stderr, "IntegrityError" in done.stderr) == (False, False)
    assert "Put the run under `if __name__ == '__main__':`" in done.stderr


def test_a_script_that_is_no_file_is_told_to_become_one():
    last = python("-", text=MAIN + "main()\n")[-1]

    assert last == (
        "A worker process ended before it was ready (exit code 1). Worker processes import the script that starts them, "
        "and '<stdin>' isn't a file. Save the script as a file and run that."
    )


def test_a_scheduler_that_is_none_is_refused():
    with pytest.raises(ExecutorError, match=r"There is no scheduler 'cloud'\. Use one of 'threads', 'processes'"):
        LocalDaskExecutor("cloud")


def test_a_get_that_raises_crashes_its_wave_and_the_run_ends():
    def broken(*_, **__):
        raise OSError("no room")

    with Flow("delays") as flow:
        lost = number()

    state = flow.run(executor=LocalDaskExecutor(broken)).result[lost]

    assert type(state).__name__ == "Crashed"
    assert "OSError: no room" in state.message


# How calls wait, and go together


def calls(count, group="g", priority=0, first=0):
    return [Call(first + n, "task", b"", group=group, priority=priority) for n in range(count)]


def test_the_first_calls_of_a_group_go_singly_then_as_many_as_their_pace_allows():
    waiting = CallQueue()
    waiting.add(calls(1000))

    singles = [len(waiting.take(2)) for _ in range(4)]
    for _ in range(4):
        waiting.record_duration("g", 0.01)
    together = len(waiting.take(2))

    assert singles == [1, 1, 1, 1]
    assert together == 10


def test_calls_without_a_group_never_go_together_and_the_deepest_go_first():
    waiting = CallQueue()
    waiting.add(calls(2, group=""))
    waiting.add(calls(1, group="", priority=5, first=9))

    taken = [[call.id for call in waiting.take(1)] for _ in range(3)]

    assert taken == [[9], [0], [1]]


def test_a_batch_gives_back_what_has_not_begun():
    said = []

    def body(*given):
        report = given[-1]
        report("running", 0)
        batch.give_back()
        return Answer(b"done")

    batch = Batch([Item(n, b"", ()) for n in range(3)], lambda news, _: said.extend((n.kind, n.id) for n in news))
    batch.run(body, {}, ())

    assert said == [("running", 0), ("returned", 1), ("returned", 2), ("done", 0)]


class Stopped:
    """CallJournal of a run that was cancelled."""

    def record(self, kind, number, body=b""):
        pass

    def is_stopped(self):
        return True

    def is_superseded(self):
        return False


def test_a_batch_of_a_run_that_was_cancelled_begins_nothing():
    said = []
    items = [Item(n, b"", ()) for n in range(2)]
    batch = Batch(items, lambda news, _: said.extend((n.kind, n.id) for n in news), Stopped())

    batch.run(lambda *_: None, {}, ())

    assert said == [("unstarted", 0), ("unstarted", 1)]
