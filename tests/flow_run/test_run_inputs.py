"""What a run was given, as another process has it that goes on with it."""

from __future__ import annotations

import os
import textwrap
import threading

import pytest

import flowbook
from flowbook import Flow, Parameter, context, task, triggers
from flowbook.engine.state import Success
from flowbook.exceptions import (
    DefinitionError,
    MissingSecretError,
    ParameterError,
    UnknownTaskError,
)
from flowbook.executors import DaskExecutor, LocalDaskExecutor, LocalExecutor
from flowbook.executors.dask_cluster import LastingCluster
from flowbook.store import open_store
from tests.begun_runs import BEGINNER, LONG_S, SECRET, Connection, begin, paused
from tests.scripts import start, wait_for


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
    run_id = begin(tmp_path, written, is_killed=is_killed)
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


def test_the_day_that_was_given_is_the_day_wherever_the_run_goes_on():
    run_id = paused(context={"today": "2020-02-02"})

    run = flowbook.run(run_id).resume()
    run.wait(LONG_S)

    assert run["look"].result == {"today": "2020-02-02"}


def test_what_surrounded_a_run_is_seen_when_it_goes_on_without_it_in_the_same_process_too():
    with flowbook.context(a=1):
        run_id = paused(context={"b": 2})
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
    run_id = paused(flow, context={"a": 1, "b": 2}, task_contexts={look: {"own": 3}})

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
    run_id = paused(flow, context={"a": 1})
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
    run_id = paused(flow, task_states={loaded: Success(result=[7])}, state_handlers=[lambda *_: None])

    flowbook.run(run_id).resume(context={"a": 2}).wait(LONG_S)
    run = flowbook.run(run_id).resume(state_handlers=[])
    run.wait(LONG_S)

    assert run["last"].result == ([7], ([7], 2))


def test_a_context_of_a_task_that_a_changed_flow_lacks_is_left_out():
    run_id = paused(context={"a": 1}, task_contexts={"look": {"own": 1}})

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
    run_id = paused(flow, task_states=given)

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
    process = start(STARTS, tmp_path, tmp_path)
    run_id = process.stdout.readline().strip()
    wait_for(tmp_path / "middle")
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


def test_an_executor_that_is_given_wins():
    run_id = paused(executor=LocalDaskExecutor("threads", num_workers=3))

    kept, given = flowbook.run(run_id), flowbook.run(run_id, executor=LocalExecutor())

    assert (kept.executor.describe(), type(given.executor)) == ("threads, 3 workers", LocalExecutor)


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


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"context": 5}, DefinitionError, r"context=5 isn.t a dict"),
        ({"task_contexts": {"nope": {}}}, UnknownTaskError, r"nope"),
        ({"task_contexts": {"look": 5}}, DefinitionError, r"task_contexts has 5 for 'look'"),
        ({"state_handlers": print}, DefinitionError, r"is one function\. Give a list"),
        ({"parameters": {"n": 1}}, ParameterError, r"Flow 'paused' has no parameter 'n'"),
    ],
)
@pytest.mark.parametrize("action", ["resume", "retry"])
def test_what_is_given_again_and_is_wrong_is_refused_before_anything_happens(action, given, error, message):
    run_id = paused()

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
    process = start(BEGINNER, tmp_path, tmp_path, "LocalExecutor()", "slow")
    run_id = process.stdout.readline().strip()
    wait_for(tmp_path / "middle")

    with pytest.raises(DefinitionError, match=r"goes on in another process, .* Leave out context= and state_handlers="):
        flowbook.run(run_id).resume(context={"a": 1}, state_handlers=[])
    (tmp_path / "go").touch()
    process.communicate()

    with pytest.raises(MissingSecretError):
        flowbook.run(run_id).resume()


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
    run_id = paused(flow, context={"a": 1, "conn": Connection()})

    run = flowbook.run(run_id)
    run.cancel()
    run.wait(LONG_S)

    assert run.state.is_cancelled()
    assert all(state.is_successful() for key, state in run.states.items() if "cleanup" in key)
    assert any("cleanup" in key for key in run.states)
