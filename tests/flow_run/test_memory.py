"""What a run held goes with the run, not with the next garbage collection."""

from __future__ import annotations

import gc
import weakref

import pytest

from flowbook import Flow, task, unmapped
from flowbook.executors import LocalDaskExecutor, LocalExecutor


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
    value = weakref.ref(state.result[made].result)
    while_held = value() is not None
    del state
    flow.last_run = None

    assert (while_held, value()) == (True, None)


@pytest.mark.usefixtures("without_collector")
def test_the_run_before_goes_when_the_flow_runs_again():
    flow, made = written()

    before = weakref.ref(flow.run(record=False).result[made].result)
    while_last = before() is not None
    flow.run(record=False)

    assert (while_last, before()) == (True, None)


@pytest.mark.usefixtures("home", "without_collector")
def test_a_recorded_run_goes_as_well():
    flow, made = written()

    flow.run(record=True)
    value = weakref.ref(flow.last_run[made].result)
    while_held = value() is not None
    flow.last_run = None

    assert (while_held, value()) == (True, None)
