"""Whatever a task raises or returns, on every executor (engine.md, section 4). The rows: tests/misdeeds.py."""

import sys
import threading

import pytest

from flowbook import Flow, task
from flowbook.engine.events import StateChanged
from flowbook.engine.state import Failed, RemoteError, Success, TriggerFailed
from tests.executors_of import AWAY, HERE, POOL, any_executor
from tests.misdeeds import RAISED, RETURNED, Fatal, StubbornError, TakenError, Unreadable

PATIENCE_S = 40
TWICE = ["Running", "Failed", "Retrying", "Running", "Failed"]


@task
def one():
    return 1


@task
def below(x):
    return x


@task
def take(x):
    return type(x).__name__


@task
def total(xs):
    return sum(xs)


class Outcome:
    """One run, in which every misdeed of the tables was done once, each with a task below it."""

    def __init__(self, executor):
        with Flow("misdeeds") as flow:
            deeds = {f"raised_{name}": deed.act for name, deed in RAISED.items()}
            deeds |= {f"returned_{name}": deed.act for name, deed in RETURNED.items()}
            self.tasks = {name: task(act, name=name, max_retries=1, retry_delay=0)() for name, act in deeds.items()}
            self.downstream = {name: below(done) for name, done in self.tasks.items()}
            self.spent = total(self.tasks["returned_generator"])
            self.taken = {"fatal": take(Unreadable(Fatal("can't be read"))), "exit": take(Unreadable(SystemExit(3)))}
            self.fine = [below(one()) for _ in range(5)]
        self.run = flow.start(executor=executor, record=False)
        self.state = self.run.wait(PATIENCE_S)
        with Flow("after") as after:
            self.after = below(one())
        self.second = after.run(executor=executor)

    def kinds(self, name):
        return [type(e.state).__name__ for e in self.run.events() if isinstance(e, StateChanged) and e.key == name]


@pytest.fixture(scope="module", autouse=True)
def _no_callbacks_at_the_recursion_limit():
    """Where a deed has used up the recursion, Python can't call what watches an object that goes just then, and says so."""
    before = sys.unraisablehook
    sys.unraisablehook = lambda found: None if found.exc_type is RecursionError else before(found)
    yield
    sys.unraisablehook = before


@pytest.fixture(scope="module", params=[*HERE, *AWAY, *POOL, "cluster"])
def outcome(request):
    found = Outcome(any_executor(request))
    found.is_away = request.param not in HERE
    return found


def test_the_run_ends_failed_and_neighbours_and_the_next_run_are_untouched(outcome):
    assert type(outcome.state) is Failed
    assert [outcome.run[task].result for task in outcome.fine] == [1] * 5
    assert outcome.second.result[outcome.after].result == 1


@pytest.mark.parametrize("name", RAISED)
def test_what_a_task_raises_fails_it_alone_after_every_attempt(outcome, name):
    key, says = f"raised_{name}", RAISED[name].says

    state = outcome.run[key]
    error = state.result
    type_name = error.type_name if isinstance(error, RemoteError) else type(error).__name__

    assert type(state) is Failed
    assert state.message.startswith(says)
    assert len(state.message) < 10_100
    assert type_name == says.partition(":")[0]
    assert outcome.kinds(key) == TWICE
    assert type(outcome.run[outcome.downstream[key]]) is TriggerFailed


@pytest.mark.parametrize("name", RETURNED)
def test_an_odd_value_fails_its_task_only_where_it_cannot_travel(outcome, name):
    key, away = f"returned_{name}", RETURNED[name].away

    state, following = outcome.run[key], outcome.run[outcome.downstream[key]]

    if outcome.is_away and away:
        assert type(state) is Failed
        assert state.message.startswith(away)
        assert outcome.kinds(key) == TWICE
        assert type(following) is TriggerFailed
    elif outcome.is_away and RETURNED[name].unread:
        assert type(state) is Success
        assert type(following) is Failed
        assert following.message == RETURNED[name].unread
    else:
        assert outcome.kinds(key) == ["Running", "Success"]
        assert type(following) is Success


def test_a_generator_is_spent_once_and_by_one(outcome):
    spent = outcome.run[outcome.spent]

    assert type(spent) is (TriggerFailed if outcome.is_away else Success)
    assert outcome.is_away or spent.result == 3


@pytest.mark.parametrize(("name", "says"), [("fatal", "Fatal: can't be read"), ("exit", "SystemExit: 3")])
def test_an_argument_that_cannot_be_read_fails_the_task_that_gets_it(outcome, name, says):
    state = outcome.run[outcome.taken[name]]

    assert (type(state), state.message) == ((Failed, says) if outcome.is_away else (Success, None))


@pytest.mark.parametrize("make", (HERE | AWAY).values(), ids=HERE | AWAY)
def test_retry_on_knows_an_exception_that_could_not_travel(make):
    @task(max_retries=1, retry_delay=0, retry_on=StubbornError)
    def retried():
        raise StubbornError(1, 2)

    @task(max_retries=1, retry_delay=0, retry_on=TakenError)
    def left():
        raise StubbornError(1, 2)

    with Flow("retry on") as flow:
        retried()
        left()

    flow.run(executor=make(), record=False)

    kinds = [(e.key, type(e.state).__name__) for e in flow.last_run.events() if isinstance(e, StateChanged) and e.key]
    assert [kind for key, kind in kinds if key == "retried"] == TWICE
    assert [kind for key, kind in kinds if key == "left"] == ["Running", "Failed"]


@pytest.mark.parametrize("make", [HERE["local"], HERE["threads"], AWAY["processes"]], ids=["local", "threads", "away"])
def test_a_recorded_run_of_misdeeds_ends_as_one_that_is_not(make):
    with Flow("recorded") as flow:
        raised = {name: task(deed.act, name=f"raised_{name}")() for name, deed in RAISED.items()}
        for name, deed in RETURNED.items():
            task(deed.act, name=f"returned_{name}")()
        fine = below(one())

    run = flow.start(executor=make(), record=True)
    state = run.wait(PATIENCE_S)

    assert type(state) is Failed
    assert {type(run[found]) for found in raised.values()} == {Failed}
    assert run[fine].result == 1


A_LOCK = threading.Lock()


@pytest.mark.parametrize("make", AWAY.values(), ids=AWAY)
def test_what_cannot_go_to_a_worker_is_named_with_its_task(make):
    held = threading.Lock()

    @task(max_retries=1, retry_delay=0)
    def closes():
        return held

    @task
    def reads():
        return A_LOCK

    with Flow("stuck") as flow:
        by_code, by_global = closes(), reads()
        by_argument, mapped = take(held), take.map([1, held, 3])
        fine = below(one())

    run = flow.start(executor=make(), record=False)
    run.wait(PATIENCE_S)

    assert run[by_code].message.startswith(
        "UnpicklableError: Task 'closes' can't go to another process because of its code. A function can't be pickled: "
        "its variable held is a _thread.lock (cannot pickle '_thread.lock' object)."
    )
    assert "its global A_LOCK is a _thread.lock" in run[by_global].message
    assert run[by_argument].message.startswith(
        "UnpicklableError: Task 'take' can't go to another process because of its argument 'x'. A _thread.lock can't"
    )
    assert [type(child) for child in run[mapped].map_states] == [Success, Failed, Success]
    assert run[fine].result == 1
    assert type(run.state) is Failed
