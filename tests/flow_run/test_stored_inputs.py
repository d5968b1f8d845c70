"""What is kept with a run of what it was given: what is not, what becomes of it, and that no secret is written."""

from __future__ import annotations

import datetime as dt
import os
import random
import textwrap
import threading

import pytest

import flowbook
from flowbook import Flow, Parameter, Secret, context, task, triggers
from flowbook.engine.state import Failed, Paused
from flowbook.exceptions import (
    DamagedValueError,
    MissingSecretError,
    ParameterError,
    RunClaimedError,
    RunIncompleteError,
)
from flowbook.executors import LocalExecutor
from flowbook.flow_run.stored_inputs import StoredInputs
from flowbook.store import open_store
from tests.begun_runs import LONG_S, SECRET, Connection, begin, paused
from tests.scripts import start


def test_nothing_of_a_secret_is_written(tmp_path, home):
    run_id = begin(tmp_path, "LocalExecutor()", is_killed=False)
    path = tmp_path / "run.flowbook"

    open_store().export_run(run_id, path)
    open_store().close()

    files = [path, *(each for each in home.rglob("*") if each.is_file())]
    assert [each.name for each in files if SECRET.encode() in each.read_bytes()] == []


def test_a_run_that_was_exported_has_what_it_was_given_where_it_is_imported(tmp_path, monkeypatch):
    run_id = begin(tmp_path, "LocalExecutor()", is_killed=False)
    open_store().export_run(run_id, tmp_path / "run.flowbook")
    monkeypatch.setenv("FLOWBOOK_HOME", str(tmp_path / "elsewhere"))

    with open_store() as store:
        store.import_run(tmp_path / "run.flowbook")
        run = flowbook.run(run_id).resume(context={"secrets": {"key": SECRET}})
        state = run.wait(LONG_S)

        assert state.is_successful()
        assert run["publish"].result == {**run["first"].result, "own": 7}


def test_a_state_given_with_a_failure_and_kept_inputs_comes_back_as_it_was():
    @task(keep=False)
    def private():
        return 0

    @task(trigger=triggers.manual_only)
    def approve(x, y):
        return x + y

    @task(trigger=triggers.all_finished)
    def load():
        return 1

    with Flow("odd") as flow:
        loaded = load()
        approved = approve(private(), loaded)
    states = {
        loaded: Failed("broke", ValueError("odd")),
        approved: Paused("look", cached_inputs={"x": 1, "y": [2]}),
    }
    run_id = paused(flow, task_states=states)

    found = flowbook.run(run_id)

    assert (type(found["load"]), str(found["load"].result)) == (Failed, "odd")


def test_what_can_not_be_pickled_is_named_where_the_run_goes_on_and_can_be_given_again():
    run_id = paused(context={"a": 1, "conn": Connection()})
    run = flowbook.run(run_id)

    message = (
        r"Run 1 of 'paused' can't resume here without inputs that couldn't be stored: 'conn' of the context "
        r"\(.*Connection can't be pickled.*lock.*\)\. "
        r"Pass them again, run\.resume\(context=\{'conn': \.\.\.\}\), or resume without them: force=True \("
    )
    with pytest.raises(RunIncompleteError, match=message) as refused:
        run.resume()
    with flowbook.context(conn="again"):
        state = run.resume().wait(LONG_S)

    assert refused.value.missing == ("conn",)
    assert open_store().runs.summary(run_id).epoch == 2
    assert state.is_successful()
    assert (run["look"].result["a"], run["look"].result["conn"]) == (1, "again")


def test_a_run_goes_on_without_what_could_not_be_kept_when_forced():
    run_id = paused(context={"a": 1, "conn": Connection()})

    run = flowbook.run(run_id).resume(force=True)
    run.wait(LONG_S)

    assert run["look"].result["a"] == 1
    assert "conn" not in run["look"].result


def test_everything_that_is_missing_is_named_with_how_it_is_given():
    lock = threading.Lock()

    def notes(_task, _old, _new):
        return lock and None

    run_id = paused(
        context={"conn": Connection()}, task_contexts={"look": {"own": Connection()}}, state_handlers=[notes]
    )

    with pytest.raises(RunIncompleteError) as refused:
        flowbook.run(run_id).resume()
    run = flowbook.run(run_id).resume(context={"conn": 1}, task_contexts={"look": {"own": 2}}, state_handlers=[])

    assert refused.value.missing == ("conn", "own", notes.__qualname__)
    assert "run.resume(context={'conn': ...}, task_contexts={'look': {'own': ...}}, state_handlers=[...])" in str(
        refused.value
    )
    assert run.wait(LONG_S).is_successful()


def test_a_parameter_that_can_not_be_pickled_does_not_keep_a_run_from_being_recorded():
    @task(trigger=triggers.manual_only)
    def use(conn, n):
        return type(conn).__name__, n

    with Flow("parameters") as flow:
        use(Parameter("conn"), Parameter("n"))
    run_id = paused(flow, parameters={"conn": Connection(), "n": 2})
    run = flowbook.run(run_id)

    with pytest.raises(RunIncompleteError, match=r"parameter 'conn' .*run\.resume\(parameters=\{'conn': \.\.\.\}\)"):
        run.resume()
    with pytest.raises(ParameterError, match=r"Run 1 of 'parameters' began with n=2 and goes on with that"):
        run.resume(parameters={"n": 3, "conn": Connection()})
    run.resume(parameters={"conn": Connection()})
    run.wait(LONG_S)

    assert run["use"].result == ("Connection", 2)


def test_an_executor_that_can_not_be_pickled_is_replaced_by_the_flows_with_a_warning():
    class Own(LocalExecutor):
        def __init__(self) -> None:
            super().__init__()
            self.lock = threading.Lock()

    run_id = paused(executor=Own())

    with pytest.warns(UserWarning, match=r"The executor of run 1 of 'paused' wasn't stored, so it resumes with local"):
        flowbook.run(run_id).resume().wait(LONG_S)


def test_a_secret_that_is_nowhere_is_asked_for_by_name(monkeypatch):
    run_id = paused(context={"secrets": {"db-password": SECRET}})
    run = flowbook.run(run_id)

    with pytest.raises(
        MissingSecretError,
        match=r"had a secret 'db-password' in its context, and secrets are not stored\. Set the environment variable "
        r"FLOWBOOK_SECRET_DB_PASSWORD, or give it again, run\.resume\(context=\{'secrets': \{'db-password': \.\.\.\}\}\)",
    ):
        run.resume()
    monkeypatch.setenv("FLOWBOOK_SECRET_DB_PASSWORD", SECRET)

    assert run.resume().wait(LONG_S).is_successful()


def test_a_value_that_holds_a_secret_is_not_written_either(home):
    given = {"a": 1, "url": {"parts": [f"db://ada:{SECRET}@host"]}, "secrets": {"key": SECRET}}
    own = {"look": {"header": (f"Bearer {SECRET}",), "secrets": {"other": "a further one"}, "b": "so a further one"}}

    run_id = paused(context=given, task_contexts=own, state_handlers=[lambda *_: SECRET and None])
    run = flowbook.run(run_id)
    with pytest.raises(MissingSecretError, match="'key'"):
        run.resume()
    secrets = {"secrets": {"key": 1, "other": 2}}
    with pytest.raises(RunIncompleteError, match="it holds a secret") as refused:
        run.resume(context=secrets)
    open_store().close()

    assert refused.value.missing[:3] == ("url", "header", "b")
    written = b"".join(each.read_bytes() for each in home.rglob("*") if each.is_file())
    assert b"db://ada" not in written
    assert b"Bearer" not in written


def test_a_secret_object_is_kept_by_its_name(monkeypatch):
    @task(trigger=triggers.manual_only)
    def read():
        return context.token.get() == SECRET

    with Flow("token") as flow:
        read()
    monkeypatch.setenv("FLOWBOOK_SECRET_TOKEN", SECRET)
    run_id = paused(flow, context={"token": Secret("token")})

    run = flowbook.run(run_id).resume()
    run.wait(LONG_S)
    monkeypatch.delenv("FLOWBOOK_SECRET_TOKEN")

    assert run["read"].result is True


#: Begins one run after the other, of a context that grows; says so before each.
BEGINS = textwrap.dedent("""
    from flowbook import Flow, task, triggers

    class Own:
        def __init__(self, n):
            self.n, self.large = n, b"x" * (n % 3 * 40_000)

    @task(trigger=triggers.manual_only)
    def look():
        return 1

    with Flow("begins") as flow:
        look()
    for n in range(1_000_000):
        print(n, flush=True)
        flow.run(record=True, context={"own": Own(n)}, task_contexts={"look": {"n": n}})
""")


@pytest.mark.soak
@pytest.mark.parametrize("trial", range(60 if os.environ.get("FLOWBOOK_SOAK") == "1" else 3))
def test_no_run_is_there_without_what_it_was_given_whenever_its_process_is_killed(trial, tmp_path):
    process = start(BEGINS, tmp_path)
    for _ in range(trial + 2):
        process.stdout.readline()
    threading.Event().wait(random.Random(trial).uniform(0, 0.006))  # about as long as one takes

    process.kill()
    process.communicate()

    store = open_store()
    found = [
        StoredInputs(store.runs.get(each.run_id).parameters_ref.load(), store.values) for each in store.runs.list()
    ]
    assert [(given.load().context["own"].n, given.load().task_contexts) for given in found] == [
        (n, {"look": {"n": n}}) for n in range(len(found))
    ]
    assert len(found) >= trial


@pytest.mark.parametrize("index", [["flowbook given 9", {}], ["flowbook given 1"], [], "odd", 5])
def test_what_is_kept_in_another_way_is_refused(index):
    run_id = paused(context={"a": 1})
    store = open_store()
    store.ownership.set_inputs(run_id, 1, store.values.put(index), ())

    with pytest.raises(
        DamagedValueError, match=r"This version of flowbook can't read how this run's inputs are stored"
    ):
        flowbook.run(run_id)


def test_who_goes_on_no_more_can_not_change_what_a_run_was_given():
    run_id = paused(context={"a": 1})
    store = open_store()
    flowbook.run(run_id).resume().wait(LONG_S)

    with pytest.raises(RunClaimedError):
        store.ownership.set_inputs(run_id, 1, store.values.put({}), ())


def test_equal_contexts_are_kept_once_and_runs_without_any_keep_what_they_did():
    def values():
        return open_store()._database.read("SELECT count(*) FROM value")[0][0]

    @task(trigger=triggers.manual_only)
    def look():
        return 1

    with Flow("cost") as flow:
        look()
    paused(flow)
    bare = values()
    paused(flow)
    also_bare = values()
    first = paused(flow, context={"a": 1})
    one = values()
    paused(flow, context={"a": 1})

    assert (also_bare, one, values()) == (bare, bare + 2, bare + 2)
    assert open_store().runs.get(first).parameters_ref.load()[0] == "flowbook given 1"


def test_what_an_open_run_was_given_outlasts_a_sweep_and_goes_with_a_finished_one():
    @task(trigger=triggers.manual_only)
    def look():
        return len(context.a)

    with Flow("swept") as flow:
        look()
    run_id = paused(flow, context={"a": tuple(range(30_000))}, task_contexts={"look": {"own": (1,)}})
    swept = open_store().sweep(older_than=dt.timedelta(0))
    run = flowbook.run(run_id).resume()
    state = run.wait(LONG_S)
    later = open_store().sweep(older_than=dt.timedelta(0))

    assert swept.dropped == ()
    assert state.is_successful()
    assert len(later.dropped) >= len({"index", "context", "task context"})
    assert flowbook.run(run_id, flow=flow).state.is_successful()
