"""What a run held goes with the run, not with the next garbage collection."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest

from flowbook import Flow, task, unmapped
from flowbook.executors import LocalDaskExecutor, LocalExecutor

LONG_S = 30


class Large:
    """A value that one would rather not keep."""


@task
def make():
    return Large()


@task
def use(value, number=1):
    return number if value else 0


def unchanged(_task, _old, new):
    return new


@task(log_stdout=True, state_handlers=[unchanged])
def tell(value):
    return repr(value)


@pytest.fixture
def without_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def end_of(value):
    """Return an event that is set once nobody has the value any more; a thread of the run may have it a moment longer."""
    is_gone = threading.Event()
    weakref.finalize(value, is_gone.set)
    return is_gone


def written():
    with Flow("memory") as flow:
        made = make()
        use(made)
        use.map([1, 2, 3], number=unmapped(use(made)))
        tell(made)
    return flow, made


@pytest.mark.parametrize("executor", [LocalExecutor(), LocalDaskExecutor("threads", num_workers=2)], ids=repr)
@pytest.mark.usefixtures("without_collector")
def test_a_runs_values_go_with_the_run(executor):
    flow, made = written()

    state = flow.run(executor=executor, record=False)
    is_gone = end_of(state.result[made].result)
    while_held = not is_gone.is_set()
    del state
    flow.last_run = None

    assert (while_held, is_gone.wait(LONG_S)) == (True, True)


@pytest.mark.usefixtures("without_collector")
def test_the_run_before_goes_when_the_flow_runs_again():
    flow, made = written()

    is_gone = end_of(flow.run(record=False).result[made].result)
    while_last = not is_gone.is_set()
    flow.run(record=False)

    assert (while_last, is_gone.wait(LONG_S)) == (True, True)


@pytest.mark.usefixtures("home", "without_collector")
def test_a_recorded_run_goes_as_well():
    flow, made = written()

    flow.run(record=True)
    is_gone = end_of(flow.last_run[made].result)
    while_held = not is_gone.is_set()
    flow.last_run = None

    assert (while_held, is_gone.wait(LONG_S)) == (True, True)
