"""What a run was given goes along to its process; and what its tasks have going on is taken up again in the next one."""

from __future__ import annotations

import threading
import time

import pytest

from flowbook import Flow, context, resource_manager, task
from flowbook.engine.signals import LOOP
from flowbook.engine.state import Success
from flowbook.exceptions import RunIncompleteError
from flowbook.executors import LocalDaskExecutor
from flowbook.flow_runners import SubprocessFlowRunner
from tests.flow_runners import flows
from tests.scripts import wait_for

LONG_S = 50
QUIET = SubprocessFlowRunner(stream_output=False)


def until(is_so):
    deadline = time.monotonic() + LONG_S
    while not is_so():
        assert time.monotonic() < deadline, "it took too long"
        threading.Event().wait(0.005)


class Limit:
    """A value of the context that is no plain one."""

    def __init__(self, count):
        self.count = count


def test_everything_that_a_run_was_given_goes_along(folder):
    @task
    def look(n):
        return {"n": n, "limit": context.limit.count, "own": context.get("own"), "name": context.get("flow_run_name")}

    def handler(_task, _old, new):
        if new.is_successful():
            flows.note("handled")

    with Flow("given") as flow:
        look(flows.middle(flows.before(1)))
    run = flow.start(
        flow_runner=QUIET,
        flow_run_name="nightly",
        executor=LocalDaskExecutor("threads", num_workers=2),
        context={"limit": Limit(5)},
        task_contexts={"look": {"own": 7}},
        task_states={"middle": Success(result=30)},
        start_tasks=["look"],
        state_handlers=[handler],
        max_concurrency=1,
    )
    state = run.wait(LONG_S)

    assert (type(state), run["look"].result) == (Success, {"n": 30, "limit": 5, "own": 7, "name": "nightly"})
    assert (run.name, run["before"].is_pending(), flows.noted(folder)) == ("nightly", True, ["handled", "handled"])


def test_a_resource_that_is_open_here_keeps_its_run_here(folder):
    @resource_manager
    class Connection:
        def setup(self):
            return threading.Lock()  # can't go along

        def cleanup(self, lock):
            flows.note("cleanup")
            del lock

    @task
    def use(lock, n):
        return lock.locked() or n

    with Flow("resources") as flow, Connection() as lock:
        use(lock, flows.middle(flows.before(1), upstream_tasks=[lock]))
    run = flow.start(record=True)
    wait_for(folder / "middle")

    with pytest.raises(RunIncompleteError, match=r"the output of 'Connection\.setup'"):
        run.hand_over(QUIET)
    (folder / "go").touch()
    state = run.wait(LONG_S)

    assert (type(state), run["use"].result, flows.noted(folder)) == (Success, 20, ["before", "middle", "cleanup"])


def test_a_loop_ends_its_rounds_before_its_run_is_handed_over(folder):
    @task
    def rounds():
        done = context.get("task_loop_result", 0)
        flows.note("round")
        (flows.folder() / "begun").touch()
        time.sleep(0.05)
        if done < 5:
            raise LOOP(result=done + 1)
        return done

    with Flow("loops") as flow:
        flows.after(rounds())
    run = flow.start(record=True)
    wait_for(folder / "begun")

    run.hand_over(QUIET)
    state = run.wait(LONG_S)

    assert (type(state), run["after"].result) == (Success, 6)
    assert flows.noted(folder) == ["round"] * 6 + ["after"]
