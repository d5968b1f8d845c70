"""What happened to the machine in a run that went on is enough to come to the same states once more."""

from __future__ import annotations

from unittest.mock import patch

import pytest

from flowbook import Flow, task, triggers
from flowbook.engine import epoch
from flowbook.engine.events import StateChanged
from flowbook.engine.machine import Machine
from flowbook.engine.messages import Settled
from flowbook.engine.state import Failed, Paused, Success
from flowbook.exceptions import TransitionError
from flowbook.executors import LocalDaskExecutor, LocalExecutor
from tests.engine.checked_machine import CheckedMachine, replayed
from tests.graphs import build
from tests.graphs import task as spec

machines = []


class Remembered(CheckedMachine):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        machines.append(self)


@task
def numbers():
    return [1, 2, 3]


@task
def double(x):
    return 2 * x


@task
def total(items):
    return sum(items)


@task(max_retries=1, retry_delay=0)
def fails(x):
    raise ValueError(x)


@task(trigger=triggers.manual_only)
def approved(x):
    return x


@task(trigger=triggers.all_finished)
def always(x):
    return x is None


class Resumes:
    """Resumes what waits, as soon as it says so."""

    run = None

    def emit(self, event):
        if isinstance(event, StateChanged) and isinstance(event.state, Paused) and event.key:
            self.run.resume(event.key)


def flow_of_many_kinds():
    with Flow("f") as flow:
        doubled = double.map(double.map(numbers()))
        total(doubled)
        always(fails(1))
        double(approved(3))
        fails.map([1, 2])
    return flow


@pytest.mark.parametrize(
    "executor", [LocalExecutor(), LocalDaskExecutor("threads", num_workers=3)], ids=["local", "threads"]
)
@pytest.mark.parametrize("limits", [{}, {"max_concurrency": 2}], ids=["unlimited", "limited"])
def test_a_run_replays_to_the_same_states(executor, limits):
    machines.clear()
    sink = Resumes()
    with patch.object(epoch, "Machine", Remembered):
        flow = flow_of_many_kinds()
        run = sink.run = flow.start(executor=executor, record=False, **limits)
        run.subscribe(sink)
        run.wait(60)
        if isinstance(run.state, Paused):  # it waited before somebody listened
            run.resume().wait(60)

    assert isinstance(run.state, Failed)
    for machine in machines:
        assert replayed(machine).states == machine.states


def test_a_flow_of_plain_tasks_replays_to_the_same_states():
    machines.clear()
    with patch.object(epoch, "Machine", Remembered):
        with Flow("f") as flow:
            total(double.map(numbers()))
            double(double(2))
        flow.run(record=False)

    (machine,) = machines
    assert "succeed" in {name for name, _, _ in machine.log}
    assert replayed(machine).states == machine.states


def test_a_machine_that_broke_a_rule_says_which():
    machine = Machine(build(spec("a"), spec("b", "a")))
    machine.begin()
    machine.handle(Settled("a", Success()))
    machine.progress.left["b"] = -3
    machine.progress.failed.add("a")

    with pytest.raises(TransitionError) as refused:
        machine.validate()

    assert str(refused.value) == (
        "The machine broke its own rules: b waits for -3 others; a has failed and is <Success>. Please report this."
    )
