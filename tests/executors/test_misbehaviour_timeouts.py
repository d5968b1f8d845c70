"""Tasks that never end, on every executor: timed out, told what may go on, tried again, and heard of no more."""

import contextlib
import datetime as dt
import time
from pathlib import Path

import pytest

from flowbook import Flow, context, task, unmapped
from flowbook.engine.events import StateChanged
from flowbook.engine.state import Success, TimedOut
from tests.executors_of import AWAY, HERE, POOL, any_executor

PATIENCE_S = 40
SAID = (
    "Took longer than 0.1 s. Its thread was told to stop; a sleep or C code in it may still go on, and what it "
    "returns is dropped."
)


@pytest.fixture(scope="module", params=[*HERE, *AWAY, *POOL, "cluster"])
def executor(request):
    return any_executor(request)


@pytest.fixture(scope="module", params=[*HERE, *AWAY, "cluster"])
def lasting_executor(request):
    """Return an executor whose workers are still there after an attempt."""
    return any_executor(request)


def _spin(end):
    while time.monotonic() < end:
        pass


def _sleep(end):
    time.sleep(end - time.monotonic())


def _catch_exceptions(end):
    while time.monotonic() < end:
        with contextlib.suppress(Exception):
            time.sleep(0.001)


def _catch_all(end):
    while time.monotonic() < end:
        with contextlib.suppress(BaseException):
            time.sleep(0.001)


async def _loop(end):
    while time.monotonic() < end:
        pass


@task(timeout=0.1)
def never_ends(kind):
    """Go on for far longer than the run does, but not for ever."""
    return {"spin": _spin, "sleep": _sleep, "exceptions": _catch_exceptions, "all": _catch_all}[kind](
        time.monotonic() + 1.5
    )


@task(timeout=dt.timedelta(milliseconds=100))
async def never_ends_async():
    await _loop(time.monotonic() + 1.5)


@task
def one():
    return 1


def test_what_never_ends_is_timed_out_and_told_what_may_go_on(executor):
    with Flow("endless") as flow:
        late = never_ends.map(["spin", "sleep", "exceptions", "all"])
        late_async = never_ends_async()
        fine = one()
    start = time.monotonic()

    run = flow.start(executor=executor, record=False)
    run.wait(PATIENCE_S)

    states = [*run[late].map_states, run[late_async]]
    assert [type(state) for state in states] == [TimedOut] * 5
    assert {state.message for state in states} == {SAID}
    assert {type(state.result) for state in states} == {TimeoutError}
    assert run[fine].result == 1
    assert time.monotonic() - start < PATIENCE_S / 2


def test_what_an_abandoned_attempt_says_and_returns_lands_nowhere(lasting_executor, tmp_path):
    @task(timeout=0.5, max_retries=4, retry_delay=0, retry_on=TimeoutError, log_stdout=True)
    def outlives(folder):
        print(f"attempt {context.task_run_count}")  # noqa: T201
        logger, go_on, said = context.logger, folder / "go-on", folder / "said"
        if context.task_run_count > 1:
            go_on.touch()
            while not said.exists():
                time.sleep(0.005)
            return "second"
        while not go_on.exists():
            try:
                # What stops the thread may reach it anywhere in here.
                while not go_on.exists():
                    time.sleep(0.005)
            except SystemExit:
                continue
        print("late")  # noqa: T201
        logger.warning("late")
        said.touch()
        return "first"

    with Flow("abandoned") as flow:
        found = outlives(tmp_path)

    run = flow.start(executor=lasting_executor, record=False)
    run.wait(PATIENCE_S)

    kinds = [type(e.state).__name__ for e in run.events() if isinstance(e, StateChanged) and e.key == "outlives"]
    texts = [log.text for log in run.logs("outlives")]
    assert run[found].result == "second"
    assert kinds[:4] == ["Running", "TimedOut", "Retrying", "Running"]
    assert texts == [f"attempt {n}" for n in range(1, len(texts) + 1)]


def test_a_timeout_longer_than_a_clock_can_wait_is_none(executor):
    @task(timeout=dt.timedelta.max)
    def quick():
        return 1

    with Flow("patient") as flow:
        found = quick()

    assert flow.run(executor=executor, record=False).result[found].result == 1


def test_children_that_time_out_leave_the_others_alone(executor, tmp_path):
    @task(timeout=1)
    def maybe(n, folder):
        while n == 1 and not (folder / "never").exists():
            time.sleep(0.005)
        return n

    with Flow("children") as flow:
        found = maybe.map([0, 1, 2], unmapped(Path(tmp_path)))

    kinds = [type(state) for state in flow.run(executor=executor, record=False).result[found].map_states]

    assert kinds == [Success, TimedOut, Success]
