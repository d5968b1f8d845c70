"""What a run was given, as another process has it that goes on with it."""

from __future__ import annotations

import datetime as dt
import os
import random
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

import flowbook
from flowbook import Flow, Parameter, Secret, context, task, triggers
from flowbook.core.kept import KeptGiven
from flowbook.engine.state import Failed, Paused, Success
from flowbook.exceptions import (
    DamagedValueError,
    DefinitionError,
    MissingSecretError,
    ParameterError,
    RunClaimedError,
    RunIncompleteError,
    UnknownTaskError,
)
from flowbook.executors import DaskExecutor, LocalDaskExecutor, LocalExecutor
from flowbook.executors.dask_cluster import LastingCluster
from flowbook.store import open_store

ROOT = Path(__file__).parents[2]
LONG_S = 30
SECRET = "hunter2-is-no-secret"  # what must be found nowhere

#: Given to a run beside its parameters; the process ends where `publish` waits, or is killed while `middle` runs.
BEGINNER = textwrap.dedent("""
    import os, sys, time
    from pathlib import Path
    import flowbook
    from flowbook import Flow, Parameter, Secret, task, triggers
    from flowbook.executors import DaskExecutor, LocalDaskExecutor, LocalExecutor

    FOLDER, EXECUTOR, IS_SLOW = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "slow"

    class Limit:
        def __init__(self, count):
            self.count = count

    def seen():
        c = flowbook.context
        names = ("today", "yesterday_nodash", "date", "scheduled_start_time", "around", "day", "parameters")
        return {**{name: c[name] for name in names}, "limit": c.limit.count, "own": c.get("own"), "key": len(c.secrets["key"])}

    def note(_task, _old, new):
        if new.is_successful():
            with (FOLDER / "noted").open("a") as file:
                file.write(f"{os.getpid()}\\n")

    @task
    def first():
        return seen()

    @task
    def middle(before):
        if IS_SLOW:
            (FOLDER / "middle").touch()
            while not (FOLDER / "go").exists():
                time.sleep(0.01)
        return seen()

    @task(trigger=triggers.manual_only)
    def publish(before):
        return Secret("key").get() and seen()

    with Flow("given") as flow:
        begun = first()
        publish(middle(begun))
        Parameter("n")()
    if __name__ == "__main__":
        with flowbook.context(around="outside", day="hidden", secrets={"key": "SECRET"}):
            run = flow.start(
                {"n": 3},
                record=True,
                executor=eval(EXECUTOR),
                context={"limit": Limit(5), "day": ("a", 1)},
                task_contexts={"publish": {"own": 7}},
                state_handlers=[note],
            )
        print(run.run_id, flush=True)
        run.wait()
""").replace("SECRET", SECRET)


def _begin(folder: Path, executor: str, *, is_killed: bool) -> str:
    """Return the id of a run that another process began, which has ended."""
    script = folder / "beginner.py"
    script.write_text(BEGINNER)
    process = subprocess.Popen(
        [sys.executable, script, folder, executor, "slow" if is_killed else "fast"],
        stdout=subprocess.PIPE,
        text=True,
        # Fourteen hours ahead: it is another day there more often than not.
        env={**os.environ, "PYTHONPATH": str(ROOT), "TZ": "Pacific/Kiritimati"},
    )
    run_id = process.stdout.readline().strip()
    if is_killed:
        _wait_for(folder / "middle")
        process.kill()
    process.communicate()
    (folder / "go").touch()
    return run_id


def _wait_for(path: Path) -> None:
    while not path.exists():
        threading.Event().wait(0.01)


@pytest.fixture(scope="module")
def cluster():
    with LastingCluster(n_workers=1, threads_per_worker=2, dashboard_address="127.0.0.1:0", silence_logs=50) as found:
        yield found


EXECUTORS = {
    "local": LocalExecutor(),
    "threads": LocalDaskExecutor("threads", num_workers=2),
    "processes": LocalDaskExecutor("processes", num_workers=2),
    "cluster": DaskExecutor("tcp://nowhere:1"),
}


@pytest.mark.parametrize("is_killed", [False, True], ids=["paused", "killed"])
@pytest.mark.parametrize("kind", EXECUTORS)
def test_a_run_sees_in_another_process_what_it_saw_where_it_began(kind, is_killed, tmp_path, monkeypatch, request):
    address = request.getfixturevalue("cluster").scheduler_address if kind == "cluster" else ""
    written = {
        "local": "LocalExecutor()",
        "threads": "LocalDaskExecutor('threads', num_workers=2)",
        "processes": "LocalDaskExecutor('processes', num_workers=2)",
        "cluster": f"DaskExecutor({address!r})",
    }[kind]
    run_id = _begin(tmp_path, written, is_killed=is_killed)
    monkeypatch.setenv("FLOWBOOK_SECRET_KEY", SECRET)

    run = flowbook.run(run_id)
    with flowbook.context(around="where it goes on", secrets={"key": SECRET}):
        for _ in range(2 if is_killed else 1):  # the second time for `publish`, which waits for a person
            run.resume().wait(LONG_S)

    assert run.state.is_successful(), run.state
    first, publish = run["first"].result, run["publish"].result
    assert first["around"] == "outside"
    assert (first["day"], first["limit"], first["own"], first["key"]) == (("a", 1), 5, None, len(SECRET))
    assert first["parameters"] == {"n": 3}
    assert publish == {**first, "own": 7}
    assert run["middle"].result == first
    assert type(run.executor) is type(EXECUTORS[kind])
    assert str(os.getpid()) in (tmp_path / "noted").read_text().split()


def test_nothing_of_a_secret_is_written(tmp_path, home):
    run_id = _begin(tmp_path, "LocalExecutor()", is_killed=False)
    path = tmp_path / "run.flowbook"

    open_store().export_run(run_id, path)
    open_store().close()

    files = [path, *(each for each in home.rglob("*") if each.is_file())]
    assert [each.name for each in files if SECRET.encode() in each.read_bytes()] == []


def test_a_run_that_was_exported_has_what_it_was_given_where_it_is_imported(tmp_path, monkeypatch):
    run_id = _begin(tmp_path, "LocalExecutor()", is_killed=False)
    open_store().export_run(run_id, tmp_path / "run.flowbook")
    monkeypatch.setenv("FLOWBOOK_HOME", str(tmp_path / "elsewhere"))

    with open_store() as store:
        store.import_run(tmp_path / "run.flowbook")
        run = flowbook.run(run_id).resume(context={"secrets": {"key": SECRET}})
        state = run.wait(LONG_S)

        assert state.is_successful()
        assert run["publish"].result == {**run["first"].result, "own": 7}


# Here, and as another process sees it


def _looking() -> Flow:
    @task(trigger=triggers.manual_only)
    def look():
        return {name: each for name, each in context.to_dict().items() if name in {"a", "b", "today", "conn"}}

    with Flow("paused") as flow:
        look()
    return flow


def _paused(flow=None, **given):
    """Return the id of a run that waits; of a flow whose `look` returns what the context has, where none is given."""
    flow = flow or _looking()
    flow.run(record=True, **given)
    return flow.last_run.run_id


class Connection:
    """Can't be pickled."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


def test_the_day_that_was_given_is_the_day_wherever_the_run_goes_on():
    run_id = _paused(context={"today": "2020-02-02"})

    run = flowbook.run(run_id).resume()
    run.wait(LONG_S)

    assert run["look"].result == {"today": "2020-02-02"}


def test_what_surrounded_a_run_is_seen_when_it_goes_on_without_it_in_the_same_process_too():
    with flowbook.context(a=1):
        run_id = _paused(context={"b": 2})
    here = flowbook.run(run_id).flow

    with flowbook.context(a=1):
        here.run(context={"b": 2})
    run = here.last_run.resume()
    run.wait(LONG_S)

    assert {name: run["look"].result[name] for name in ("a", "b")} == {"a": 1, "b": 2}


def test_what_is_given_again_wins_and_serves_whoever_goes_on_next():
    @task(trigger=triggers.manual_only)
    def look():
        return context.a, context.b, context.get("own")

    @task(trigger=triggers.manual_only)
    def again(_before):
        return context.a, context.b, context.get("own")

    noted = []
    with Flow("twice") as flow:
        again(look())
    run_id = _paused(flow, context={"a": 1, "b": 2}, task_contexts={look: {"own": 3}})

    first = flowbook.run(run_id, flow=flow).resume(
        context={"a": 10}, task_contexts={"again": {"own": 30}}, state_handlers=[lambda *seen: noted.append(seen[2])]
    )
    first.wait(LONG_S)
    second = flowbook.run(run_id).resume()
    second.wait(LONG_S)

    assert first["look"].result == (10, 2, 3)
    assert second["again"].result == (10, 2, 30)
    assert noted


def test_what_is_given_again_elsewhere_is_known_to_an_object_of_before():
    @task(trigger=triggers.manual_only)
    def look():
        return context.a

    @task(trigger=triggers.manual_only)
    def again(before):
        return before, context.a

    with Flow("known") as flow:
        again(look())
    run_id = _paused(flow, context={"a": 1})
    before = flow.last_run

    flowbook.run(run_id).resume(context={"a": 2}).wait(LONG_S)
    before.wait(LONG_S)
    before.resume().wait(LONG_S)

    assert before["again"].result == (2, 2)


def test_states_given_stand_still_when_more_was_given_again():
    @task
    def load():
        return 1

    @task(trigger=triggers.manual_only)
    def look(x):
        return x, context.a

    @task(trigger=triggers.manual_only)
    def last(x, y):
        return x, y

    with Flow("again") as flow:
        loaded = load()
        last(loaded, look(loaded))
    run_id = _paused(flow, task_states={loaded: Success(result=[7])}, state_handlers=[lambda *_: None])

    flowbook.run(run_id).resume(context={"a": 2}).wait(LONG_S)
    run = flowbook.run(run_id).resume(state_handlers=[])
    run.wait(LONG_S)

    assert run["last"].result == ([7], ([7], 2))


def test_a_context_of_a_task_that_a_changed_flow_lacks_is_left_out():
    run_id = _paused(context={"a": 1}, task_contexts={"look": {"own": 1}})

    @task
    def other():
        return context.a

    with Flow("paused") as changed:
        other()
    run = flowbook.run(run_id, flow=changed).resume(force=True, context={"b": 1})
    run.wait(LONG_S)

    assert run["other"].result == 1


@pytest.mark.parametrize("kind", ["local", "processes"])
def test_a_run_within_a_task_keeps_what_was_put_around_it_and_nothing_of_the_tasks_own(kind):
    @task
    def outer():
        @task(trigger=triggers.manual_only)
        def inner():
            return context.a, context.own, context.flow_name, context.parameters, context.get("map_index")

        with Flow("inner") as flow:
            inner()
        with flowbook.context(secrets={"key": SECRET}):
            flow.run(record=True)
        return flow.last_run.run_id

    with Flow("outer") as flow:
        outer(task_args={"name": "outer"})
        Parameter("n", 1)()
    with flowbook.context(a=1):
        flow.run(executor=EXECUTORS[kind], task_contexts={"outer": {"own": 2}})
    run_id = flow.last_run["outer"].result

    kept = open_store().runs.get(run_id).parameters_ref.load()[1]
    run = flowbook.run(run_id).resume(context={"secrets": {"key": 1}})
    run.wait(LONG_S)

    assert sorted(kept) == ["context", "parameters", "secrets"]
    assert run["inner"].result[:4] == (1, 2, "inner", {})


def test_retrying_elsewhere_goes_on_with_what_was_given():
    @task
    def fails():
        return 1 / context.a

    with Flow("fails") as flow:
        fails()
    flow.run(context={"a": 0})  # not recorded while it ran: what is needed to go on is kept when it ends
    run_id = flow.last_run.run_id

    again = flowbook.run(run_id).retry().wait(LONG_S)
    fixed = flowbook.run(run_id).retry(context={"a": 2})
    fixed.wait(LONG_S)

    assert "division by zero" in again.result[next(iter(again.result))].message
    assert fixed["fails"].result == 0.5


def test_states_that_a_run_was_given_stand_in_another_process():
    @task
    def load():
        return [1]

    @task
    def each(x):
        return x

    @task(trigger=triggers.manual_only)
    def approve(x):
        return x

    @task
    def last(a, b, c):
        return a, b, c

    with Flow("states") as flow:
        loaded = load()
        mapped = each.map(loaded)
        last(approve(loaded), loaded, mapped)
    flow.run()
    old = flow.last_run
    given = {loaded: Success("given", result=[5, 6]), mapped: old["each"]}  # its second child is new
    run_id = _paused(flow, task_states=given)

    run = flowbook.run(run_id)
    seen = run["load"].message, run["load"].result, [child.result for child in run["each"].map_states]
    run.resume()
    run.wait(LONG_S)

    assert seen == ("given", [5, 6], [1, 6])
    assert run["last"].result == ([5, 6], [5, 6], [1, 6])
    assert run_id not in set(flow.history("load")["run_id"])  # it did not run there


#: Starts at `middle`, with an input that is nowhere else, and is killed there.
STARTS = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from flowbook import Flow, task, triggers
    from flowbook.engine.state import Paused

    FOLDER = Path(sys.argv[1])

    def note(name):
        with (FOLDER / "ran").open("a") as file:
            file.write(name + "\\n")

    @task
    def left_out():
        note("left_out")

    @task
    def first():
        note("first")

    @task(trigger=triggers.manual_only)
    def middle(x):
        note("middle")
        (FOLDER / "middle").touch()
        while not (FOLDER / "go").exists():
            time.sleep(0.01)
        return x

    @task
    def last(x):
        note("last")
        return x + 1

    @task
    def apart(_):
        note("apart")

    with Flow("starts") as flow:
        begun = middle(first())
        last(begun)
        apart(left_out())
    flow.set_reference_tasks([flow.get_tasks("last")[0]])
    if __name__ == "__main__":
        given = {begun: Paused("look", cached_inputs={"x": 5})}
        run = flow.start(record=True, start_tasks=[begun], task_states=given)
        print(run.run_id, flush=True)
        run.wait()
""")


def test_a_run_that_started_in_the_middle_goes_on_there_after_a_kill(tmp_path):
    script = tmp_path / "starts.py"
    script.write_text(STARTS)
    process = subprocess.Popen(
        [sys.executable, script, tmp_path],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    run_id = process.stdout.readline().strip()
    _wait_for(tmp_path / "middle")
    process.kill()
    process.communicate()
    (tmp_path / "go").touch()

    run = flowbook.run(run_id).resume()
    run.wait(LONG_S)

    assert run["last"].result == 6
    assert (tmp_path / "ran").read_text().split() == ["middle", "middle", "last"]


def test_a_cancelled_run_that_started_in_the_middle_leaves_out_what_it_left_out_and_asks_triggers():
    go, ran = threading.Event(), []

    @task
    def other():
        ran.append("other")

    @task
    def load():
        ran.append("load")
        return [1]

    @task
    def each(x):
        go.wait(LONG_S)
        ran.append("each")
        return x

    @task(trigger=triggers.all_failed)
    def never(_):
        ran.append("never")

    @task
    def last(x):
        ran.append("last")
        return x

    with Flow("cancelled") as flow:
        loaded = load()
        children = each.map(loaded)
        never(children)
        last(children)
        other()
    run = flow.start(start_tasks=[children], task_states={loaded: Success(result=[1, 2])})
    while not run["each"].is_mapped():
        threading.Event().wait(0.01)

    run.cancel()
    go.set()
    run.wait(LONG_S)
    state = run.resume().wait(LONG_S)

    assert sorted(ran) == ["each", "each", "last"]
    assert run["last"].result == [1, 2]
    assert (type(run["never"]).__name__, type(run["other"]).__name__) == ("TriggerFailed", "Pending")
    assert not state.is_successful()


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
    run_id = _paused(flow, task_states=states)

    found = flowbook.run(run_id)

    assert (type(found["load"]), str(found["load"].result)) == (Failed, "odd")


# What can't be kept


def test_what_can_not_be_pickled_is_named_where_the_run_goes_on_and_can_be_given_again():
    run_id = _paused(context={"a": 1, "conn": Connection()})
    run = flowbook.run(run_id)

    message = (
        r"Run 1 of 'paused' can't go on here without what could not be kept: 'conn' of the context \(.*Connection can't be "
        r"pickled.*lock.*\)\. Give it again, run\.resume\(context=\{'conn': \.\.\.\}\), or go on without it: force=True \("
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
    run_id = _paused(context={"a": 1, "conn": Connection()})

    run = flowbook.run(run_id).resume(force=True)
    run.wait(LONG_S)

    assert run["look"].result["a"] == 1
    assert "conn" not in run["look"].result


def test_everything_that_is_missing_is_named_with_how_it_is_given():
    lock = threading.Lock()

    def notes(_task, _old, _new):
        return lock and None

    run_id = _paused(
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
    run_id = _paused(flow, parameters={"conn": Connection(), "n": 2})
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

    run_id = _paused(executor=Own())

    with pytest.warns(UserWarning, match=r"The executor of run 1 of 'paused' was not kept, so it goes on with local"):
        flowbook.run(run_id).resume().wait(LONG_S)


def test_an_executor_that_is_given_wins():
    run_id = _paused(executor=LocalDaskExecutor("threads", num_workers=3))

    kept, given = flowbook.run(run_id), flowbook.run(run_id, executor=LocalExecutor())

    assert (kept.executor.describe(), type(given.executor)) == ("threads, 3 workers", LocalExecutor)


# Secrets


def test_a_secret_that_is_nowhere_is_asked_for_by_name(monkeypatch):
    run_id = _paused(context={"secrets": {"db-password": SECRET}})
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

    run_id = _paused(context=given, task_contexts=own, state_handlers=[lambda *_: SECRET and None])
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
    run_id = _paused(flow, context={"token": Secret("token")})

    run = flowbook.run(run_id).resume()
    run.wait(LONG_S)
    monkeypatch.delenv("FLOWBOOK_SECRET_TOKEN")

    assert run["read"].result is True


@pytest.mark.parametrize("kind", ["local", "threads", "processes"])
def test_a_secret_in_the_context_of_one_task_is_hidden_in_what_the_task_says(kind, home):
    @task(log_stdout=True)
    def says():
        print(context.secrets["key"])  # noqa: T201  # what is hidden
        raise ValueError(context.secrets["key"])

    with Flow("says") as flow:
        says()
    flow.run(record=True, executor=EXECUTORS[kind], task_contexts={"says": {"secrets": {"key": SECRET}}})
    run = flow.last_run
    open_store().close()

    assert [line.text for line in run.logs()][:1] == ["*****"]
    assert [each.name for each in home.rglob("*") if each.is_file() and SECRET.encode() in each.read_bytes()] == []


# What is wrong


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"context": 5}, DefinitionError, r"context=5 is no dict"),
        ({"task_contexts": {"nope": {}}}, UnknownTaskError, r"nope"),
        ({"task_contexts": {"look": 5}}, DefinitionError, r"task_contexts has 5 for 'look'"),
        ({"state_handlers": print}, DefinitionError, r"is one function\. Give a list"),
        ({"parameters": {"n": 1}}, ParameterError, r"Flow 'paused' has no parameter 'n'"),
    ],
)
@pytest.mark.parametrize("action", ["resume", "retry"])
def test_what_is_given_again_and_is_wrong_is_refused_before_anything_happens(action, given, error, message):
    run_id = _paused()

    with pytest.raises(error, match=message):
        getattr(flowbook.run(run_id), action)(**given)

    assert open_store().runs.summary(run_id).epoch == 1


def test_a_run_that_goes_on_is_given_nothing_more():
    go = threading.Event()

    @task
    def waits():
        return go.wait(LONG_S)

    @task(trigger=triggers.manual_only)
    def look():
        return 1

    with Flow("live", executor=LocalDaskExecutor("threads", num_workers=2)) as flow:
        waits()
        look()
    run = flow.start(record=False)
    while not run["look"].is_paused():
        threading.Event().wait(0.01)

    with pytest.raises(DefinitionError, match=r"goes on here, with what it was given before\. Leave out context="):
        run.resume(context={"a": 1})
    go.set()
    run.resume()

    assert run.wait(LONG_S).is_successful()


def test_a_run_that_another_process_has_is_given_nothing_more(tmp_path):
    script = tmp_path / "beginner.py"
    script.write_text(BEGINNER)
    process = subprocess.Popen(
        [sys.executable, script, tmp_path, "LocalExecutor()", "slow"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    run_id = process.stdout.readline().strip()
    _wait_for(tmp_path / "middle")

    with pytest.raises(DefinitionError, match=r"goes on in another process, .* Leave out context= and state_handlers="):
        flowbook.run(run_id).resume(context={"a": 1}, state_handlers=[])
    (tmp_path / "go").touch()
    process.communicate()

    with pytest.raises(MissingSecretError):
        flowbook.run(run_id).resume()


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
def test_no_run_is_there_without_what_it_was_given_whenever_its_process_is_killed(trial):
    process = subprocess.Popen(
        [sys.executable, "-c", BEGINS], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    for _ in range(trial + 2):
        process.stdout.readline()
    threading.Event().wait(random.Random(trial).uniform(0, 0.006))  # about as long as one takes

    process.kill()
    process.communicate()

    store = open_store()
    found = [KeptGiven(store.runs.get(each.run_id).parameters_ref.load(), store.values) for each in store.runs.list()]
    assert [(given.load().context["own"].n, given.load().task_contexts) for given in found] == [
        (n, {"look": {"n": n}}) for n in range(len(found))
    ]
    assert len(found) >= trial


@pytest.mark.parametrize("index", [["flowbook given 9", {}], ["flowbook given 1"], [], "odd", 5])
def test_what_is_kept_in_another_way_is_refused(index):
    run_id = _paused(context={"a": 1})
    store = open_store()
    store.runs.keep_given(run_id, 1, store.values.put(index), ())

    with pytest.raises(DamagedValueError, match=r"not kept in a way that this version of flowbook can read"):
        flowbook.run(run_id)


def test_who_goes_on_no_more_can_not_change_what_a_run_was_given():
    run_id = _paused(context={"a": 1})
    store = open_store()
    flowbook.run(run_id).resume().wait(LONG_S)

    with pytest.raises(RunClaimedError):
        store.runs.keep_given(run_id, 1, store.values.put({}), ())


def test_a_clean_up_after_cancelling_elsewhere_sees_the_context():
    @flowbook.resource_manager
    class Place:
        def setup(self):
            return context.a

        def cleanup(self, held):
            assert (held, context.a, context.get("conn")) == (1, 1, None)

    @task(trigger=triggers.manual_only)
    def look(place):
        return place

    with Flow("cleaned") as flow, Place() as place:
        look(place)
    run_id = _paused(flow, context={"a": 1, "conn": Connection()})

    run = flowbook.run(run_id)
    run.cancel()
    run.wait(LONG_S)

    assert run.state.is_cancelled()
    assert all(state.is_successful() for key, state in run.states.items() if "cleanup" in key)
    assert any("cleanup" in key for key in run.states)


# What it costs


def test_equal_contexts_are_kept_once_and_runs_without_any_keep_what_they_did():
    def values():
        return open_store()._database.read("SELECT count(*) FROM value")[0][0]

    @task(trigger=triggers.manual_only)
    def look():
        return 1

    with Flow("cost") as flow:
        look()
    _paused(flow)
    bare = values()
    _paused(flow)
    also_bare = values()
    first = _paused(flow, context={"a": 1})
    one = values()
    _paused(flow, context={"a": 1})

    assert (also_bare, one, values()) == (bare, bare + 2, bare + 2)
    assert open_store().runs.get(first).parameters_ref.load()[0] == "flowbook given 1"


def test_what_an_open_run_was_given_outlasts_a_sweep_and_goes_with_a_finished_one():
    @task(trigger=triggers.manual_only)
    def look():
        return len(context.a)

    with Flow("swept") as flow:
        look()
    run_id = _paused(flow, context={"a": tuple(range(30_000))}, task_contexts={"look": {"own": (1,)}})
    swept = open_store().sweep(older_than=dt.timedelta(0))
    run = flowbook.run(run_id).resume()
    state = run.wait(LONG_S)
    later = open_store().sweep(older_than=dt.timedelta(0))

    assert swept.dropped == ()
    assert state.is_successful()
    assert len(later.dropped) >= len({"index", "context", "task context"})
    assert flowbook.run(run_id, flow=flow).state.is_successful()
