from __future__ import annotations

import datetime as dt
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import warnings
from collections import Counter
from pathlib import Path

import cloudpickle
import pytest

import flowbook
import flowbook.exceptions
from flowbook import Flow, Parameter, task, triggers
from flowbook.engine import signals
from flowbook.engine.cache_validators import all_inputs
from flowbook.engine.events import Decided, StateChanged
from flowbook.engine.limits import Limits
from flowbook.engine.state import Mapped, Paused, Queued, Success
from flowbook.engine.steps import attempt_number
from flowbook.exceptions import RunClaimedError, StartTaskError
from flowbook.executors import LocalDaskExecutor
from flowbook.store import open_store
from flowbook.store.state_codec import decode, encode
from tests.executors_of import everywhere

ROOT = Path(__file__).parents[2]
LONG_S = 30


@task
def one():
    return 1


@task
def double(x):
    return 2 * x


@task(trigger=triggers.manual_only)
def approve(x):
    return x


def script(folder, text):
    """Write a program that has `FLOW` in it; return its path."""
    path = folder / "program.py"
    path.write_text(textwrap.dedent(text))
    return path


def test_a_parameter_may_have_the_name_of_what_is_kept_beside_a_run():
    with Flow("delays") as flow:
        double(Parameter("origin", default=1))

    flow.run(origin=4)

    assert (flow.last_run.parameters, flow.last_run["double"].result) == ({"origin": 4}, 8)


def python(path, *arguments):
    return subprocess.run(
        [sys.executable, "-W", "error", str(path), *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=LONG_S,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


# In the background


def test_start_returns_at_once_and_the_run_can_be_watched():
    gate = threading.Event()

    @task
    def waits():
        gate.wait(LONG_S)
        return 5

    with Flow("f") as flow:
        w = waits()

    run = flow.start()
    live, unfinished = run.is_live, run[w].is_finished()
    gate.set()
    state = run.wait(LONG_S)

    assert (live, unfinished) == (True, False)
    assert (type(state), run[w].result, run["waits"].result, run.is_live) == (Success, 5, 5, False)
    assert flow.last_run is run


def test_waiting_has_a_limit():
    gate = threading.Event()

    @task
    def waits():
        gate.wait(LONG_S)

    with Flow("f") as flow:
        waits()
    run = flow.start()

    state = run.wait(timeout=0.01)

    gate.set()
    run.wait(LONG_S)
    assert type(state).__name__ == "Running"


def test_a_sink_that_raises_gets_no_more_and_the_run_goes_on(caplog):
    told = []

    class Sink:
        def emit(self, event):
            told.append(event)
            raise LookupError("no screen")

    begun, go_on = threading.Event(), threading.Event()

    @task
    def first():
        begun.set()
        go_on.wait(LONG_S)

    with Flow("f") as flow:
        double(one(), upstream_tasks=[first()])
    run = flow.start()
    begun.wait(LONG_S)
    run.subscribe(Sink())
    go_on.set()

    assert run.wait(LONG_S).is_successful()
    assert len(told) == 1
    assert "no screen" in caplog.text


def test_a_sink_that_raises_at_a_resume_does_not_hold_it_up():
    class Sink:
        def emit(self, _event):
            raise LookupError("no screen")

    with Flow("f") as flow:
        a = approve(one())
    flow.run()
    run = flow.last_run
    run.subscribe(Sink())
    resumed = threading.Thread(target=run.resume, args=(a,), daemon=True)
    resumed.start()
    resumed.join(LONG_S)

    assert resumed.is_alive() is False
    assert repr(run.wait(LONG_S)) == "<Success: 'All tasks that decide the run succeeded.'>"


def test_a_sink_that_subscribed_gets_what_follows_until_it_stops():
    seen = []

    class Sink:
        def emit(self, event):
            seen.append(event)

    with Flow("f") as flow:
        a = approve(one())
    flow.run()
    run = flow.last_run
    stop = run.subscribe(Sink())

    run.resume(a).wait(LONG_S)
    stop()

    assert isinstance(seen[0], Decided)
    assert seen == run.events()[-len(seen) :]


# Cancel


@everywhere
def test_a_cancelled_run_starts_nothing_more_and_can_be_resumed(executor):
    started, gate, ran = threading.Event(), threading.Event(), Counter()

    @task
    def first():
        ran["first"] += 1
        started.set()
        gate.wait(LONG_S)
        return 1

    @task
    def second(x):
        ran["second"] += 1
        return x + 1

    with Flow("f") as flow:
        s = second(first())
    run = flow.start(executor=executor)
    started.wait(LONG_S)

    run.cancel(by="ada")
    gate.set()
    cancelled = run.wait(LONG_S)
    after_cancel = dict(ran)
    resumed = run.resume().wait(LONG_S)

    assert cancelled.is_cancelled()
    assert after_cancel == {"first": 1}
    assert (type(resumed), run[s].result, ran) == (Success, 2, {"first": 1, "second": 1})


def test_a_cancelled_run_goes_on_with_everything_though_one_task_also_waits_for_a_person():
    started, gate = threading.Event(), threading.Event()

    @task
    def slow():
        started.set()
        gate.wait(LONG_S)
        return 1

    with Flow("f") as flow:
        a = approve(one())
        d = double(slow())
    run = flow.start(executor=LocalDaskExecutor(num_workers=2))
    started.wait(LONG_S)
    while not isinstance(run[a], Paused):
        started.wait(0.001)
    run.cancel()
    gate.set()
    run.wait(LONG_S)

    run.resume().wait(LONG_S)

    assert (run[a].result, run[d].result) == (1, 2)
    assert run.state.is_successful()


def test_cancelling_a_run_that_is_over_changes_nothing():
    with Flow("f") as flow:
        one()
    flow.run()

    flow.last_run.cancel()

    assert type(flow.last_run.state).__name__ == "Success"


def test_ctrl_c_cancels_the_run_and_what_runs_and_it_can_be_resumed(tmp_path):
    path = script(
        tmp_path,
        """
        import signal, sys, time
        from flowbook import Flow, task

        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin with it ignored
        ran = []

        @task
        def slow():
            ran.append("slow")
            if len(ran) == 1:
                print("ready", flush=True)
                time.sleep(30)
            return 1

        @task
        def after(x):
            ran.append("after")
            return x + 1

        with Flow("f") as flow:
            a = after(slow())

        state = flow.run()
        print(type(state).__name__, type(state.result[a]).__name__, ran)
        run = flow.last_run.resume()
        print(type(run.wait(20)).__name__, run[a].result, ran)
        """,
    )
    with subprocess.Popen(
        [sys.executable, str(path)], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as process:
        ready = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=LONG_S)

    assert ready == "ready\n"
    assert rest.splitlines() == ["Cancelled Pending ['slow']", "Success 2 ['slow', 'slow', 'after']"]


# Resume and retry


@everywhere
def test_a_paused_run_goes_on_under_the_same_id_and_nothing_runs_twice(executor):
    ran = Counter()

    @task
    def counted(x):
        ran[x] += 1
        return x

    with Flow("f") as flow:
        a = approve(counted(1))
        d = double(a)
    flow.run(executor=executor)
    run = flow.last_run
    before = run.run_id, run.events()[-1].seq

    state = run.resume(a, by="ada", note="looks right").wait(LONG_S)

    decided = next(event for event in run.events() if isinstance(event, Decided))
    assert state.is_successful()
    assert (run.run_id, run[d].result, ran) == (before[0], 2, {1: 1})
    assert (decided.seq, decided.by, decided.note, decided.key) == (before[1] + 1, "ada", "looks right", "approve")
    assert [event.seq for event in run.events()] == list(range(1, len(run.events()) + 1))


def test_a_live_run_goes_on_with_a_paused_task_while_other_branches_still_run():
    gate, below = threading.Event(), threading.Event()

    @task
    def slow():
        return gate.wait(LONG_S)

    @task
    def after(x):
        below.set()
        return x

    with Flow("f") as flow:
        slow()
        a = approve(one())
        after(a)
    run = flow.start(executor=LocalDaskExecutor(num_workers=2))
    while not isinstance(run["approve"], Paused):
        gate.wait(0.001)

    run.resume(a)
    came_through = below.wait(LONG_S)
    live = run.is_live
    gate.set()

    assert (came_through, live) == (True, True)
    assert run.wait(LONG_S).is_successful()


@pytest.mark.parametrize("is_live", [True, False])
def test_of_fifty_that_resume_at_once_one_wins_and_the_task_runs_once(is_live):
    gate, ran, outcomes = threading.Event(), [], []

    @task(trigger=triggers.manual_only)
    def once():
        ran.append(1)

    @task
    def slow():
        gate.wait(LONG_S if is_live else 0)

    with Flow("f") as flow:
        o = once()
        slow()
    run = flow.start(executor=LocalDaskExecutor(num_workers=2))
    while not isinstance(run["once"], Paused) or (run.is_live and not is_live):
        gate.wait(0.001)
    everybody = threading.Barrier(50)

    def try_it():
        everybody.wait()
        try:
            run.resume(o)
            outcomes.append("won")
        except (RunClaimedError, StartTaskError) as error:
            outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=try_it) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gate.set()
    run.wait(LONG_S)

    assert (len(ran), outcomes.count("won")) == (1, 1)
    assert len(outcomes) == 50


@everywhere
def test_retry_runs_what_failed_and_what_could_not_run_because_of_it(executor):
    ran, broken = Counter(), [True]

    @task(max_retries=1, retry_delay=0)
    def flaky():
        ran["flaky"] += 1
        if broken[0]:
            raise OSError("down")
        return 1

    @task
    def steady():
        ran["steady"] += 1
        return 1

    @task
    def plus(x, y):
        return x + y

    with Flow("f") as flow:
        p = plus(flaky(), steady())
    flow.run(executor=executor)
    broken[0] = False

    state = flow.last_run.retry().wait(LONG_S)

    assert (state.is_successful(), flow.last_run[p].result) == (True, 2)
    assert ran == {"flaky": 3, "steady": 1}


@everywhere
def test_retry_takes_a_task_that_failed_because_of_another_after_it(executor):
    broken, too_early = [True], threading.Event()

    @task
    def source():
        if broken[0]:
            raise OSError("down")
        too_early.wait(0.05)
        return [1, 2]

    @task(trigger=triggers.always_run)
    def each(x):
        return x

    @task(trigger=triggers.always_run)
    def needs(x):
        if not broken[0]:
            too_early.set()
        return x[0]

    with Flow("f") as flow:
        s = source()
        m, n = each.map(s), needs(s)
    flow.run(executor=executor)
    broken[0] = False

    state = flow.last_run.retry().wait(LONG_S)

    assert state.is_successful()
    assert (flow.last_run[m].result, flow.last_run[n].result) == ([1, 2], 1)


@everywhere
def test_retry_of_one_child_runs_only_its_branch(executor):
    ran, broken = Counter(), [True]

    @task
    def first(x):
        ran["first", x] += 1
        if x == 2 and broken[0]:
            raise OSError("down")
        return x

    @task
    def second(x):
        ran["second", x] += 1
        return x

    @task
    def total(items):
        return sum(items)

    with Flow("f") as flow:
        t = total(second.map(first.map([1, 2, 3])))
    flow.run(executor=executor)
    broken[0] = False

    state = flow.last_run.retry().wait(LONG_S)

    assert (state.is_successful(), flow.last_run[t].result) == (True, 6)
    assert ran == {(n, x): 2 if (n, x) == ("first", 2) else 1 for n in ("first", "second") for x in (1, 2, 3)}


@everywhere
def test_mapped_tasks_pause_and_resume_child_by_child_or_as_a_whole(executor):
    ran = []

    @task(trigger=triggers.manual_only)
    def each(x):
        ran.append(x)
        return x

    with Flow("f") as flow:
        m = each.map([1, 2, 3])
        d = double.map(m)
    flow.run(executor=executor)
    run = flow.last_run

    run.resume("each[1]").wait(LONG_S)
    after_one, below = list(ran), run["double[1]"].result
    state = run.resume(m).wait(LONG_S)

    assert (after_one, below) == ([2], 4)
    assert sorted(ran) == [1, 2, 3]
    assert (type(state), run[d].result) == (Success, [2, 4, 6])


@everywhere
def test_a_mapped_task_of_a_run_that_waits_has_its_children_so_far(executor):
    @task
    def look(x):
        if x == 2 and not flowbook.context.resume:
            raise signals.PAUSE
        return x

    with Flow("f") as flow:
        m = look.map([1, 2, 3])
        d = double.map(m)
    flow.run(executor=executor)

    found = flow.last_run[m]

    assert [type(child).__name__ for child in found.map_states] == ["Success", "Paused", "Success"]
    assert found.result == [1, None, 3]
    assert flow.last_run[d].n_map_states == len(flow.last_run[d].map_states)


# Recorded


def test_what_a_stored_task_is_about_to_get_is_read_as_values():
    with Flow("f") as flow:
        approve(one())
    flow.run(record=True)

    found = flowbook.run(flow.last_run.run_id)["approve"]

    assert dict(found.cached_inputs) == {"x": 1}
    assert repr(found.cached_inputs) == "{'x': 1}"
    assert pickle.loads(pickle.dumps(found)).cached_inputs == {"x": 1}


def _warnings(done):
    """Return what a program's runs warned of, without how long they took and how to go on."""
    return [line.partition(" after ")[0] for line in done.stderr.splitlines()]


def test_a_paused_run_is_resumed_in_another_process(tmp_path):
    path = script(
        tmp_path,
        """
        import sys
        import flowbook
        from flowbook import Flow, Parameter, task, triggers, unmapped
        from pathlib import Path

        COUNT = Path(sys.argv[2])

        def count(name):
            with COUNT.open("a") as file:
                file.write(name + "\\n")

        @task
        def load(n):
            count("load")
            return list(range(n))

        @task
        def scale(x, by):
            count(f"scale {x}")
            return x * by

        @task(trigger=triggers.manual_only)
        def approve(items):
            count(f"approve {items}")
            return sum(items)

        @task
        def publish(x, first):
            count(f"publish {x} {first}")
            return x

        with Flow("delays") as flow:
            n = Parameter("n", 3)
            scaled = scale.map(load(n), unmapped(10))
            p = publish(approve(scaled), scaled)

        if sys.argv[1] == "begin":
            state = flow.run(record=True, n=4)
            print(flow.last_run.run_id, type(state).__name__)
        else:
            run = flowbook.run(sys.argv[3], flow if sys.argv[1] == "given" else None)
            state = run.resume().wait(20)
            print(run.run_id, type(state).__name__, run["publish"].result)
        """,
    )
    counts = tmp_path / "counts"

    begun = python(path, "begin", str(counts))
    run_id, paused = begun.stdout.split()
    resumed = python(path, "given", str(counts), run_id)
    again = python(path, "kept", str(counts), run_id)

    assert (_warnings(begun), paused) == (
        ["approve Paused: Waits for a person, by its trigger manual_only.", "delays run 1 Paused"],
        "Paused",
    )
    assert (resumed.stderr, resumed.stdout.split()) == ("", [run_id, "Success", "60"])
    assert counts.read_text().splitlines() == [
        "load",
        *(f"scale {x}" for x in range(4)),
        "approve [0, 10, 20, 30]",
        "publish 60 [0, 10, 20, 30]",
    ]
    assert "Nothing waits in run 1 of 'delays': it is Success." in again.stderr


def test_limits_are_kept_with_a_run_and_hold_when_it_goes_on_elsewhere():
    running, most = [0], [0]
    lock = threading.Lock()

    @task(tags=["db"])
    def query(x):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        threading.Event().wait(0.02)
        with lock:
            running[0] -= 1
        return x

    with Flow("limited") as flow:
        query.map([approve(n) for n in range(6)])
    flow.run(record=True, limits={"db": 2}, max_concurrency=4)

    again = flowbook.run(flow.last_run.run_id, flow, LocalDaskExecutor(num_workers=6))
    state = again.resume().wait(LONG_S)

    assert state.is_successful()
    assert again.limits == Limits(4, {"db": 2})
    assert most[0] == 2


def test_a_queued_retry_keeps_its_count_of_attempts_in_the_store():
    values = open_store().values

    found = decode("Queued", 1.0, encode(Queued(run_count=2), None), None, values)

    assert attempt_number(found) == 3


def test_a_run_that_paused_unrecorded_is_kept_when_it_ends_and_resumed_by_its_id():
    with Flow("f") as flow:
        d = double(approve(one()))
    flow.run()

    run = flowbook.run(flow.last_run.run_id)
    run.resume().wait(LONG_S)

    assert run["double"].result == 2
    assert flowbook.runs()["state"].tolist() == ["Success"]
    assert flow.last_run[d].result == 2  # it followed what went on elsewhere


def test_a_result_that_cannot_be_pickled_is_not_kept_and_the_recorded_run_goes_on_and_says_so():
    @task
    def unpicklable():
        return threading.Lock()

    @task
    def after(x):
        return x.locked()

    with Flow("f") as flow:
        u = unpicklable()
        after(u)

    state = flow.run(record=True)

    kept = flowbook.run(flow.last_run.run_id, flow)
    assert state.is_successful()
    assert kept["after"].result is False
    with pytest.raises(flowbook.exceptions.FlowbookError) as caught:
        kept["unpicklable"].result  # noqa: B018
    assert "lock" in str(caught.value)


def test_a_store_folder_that_cannot_be_written_is_a_warning_and_the_run_goes_on(tmp_path, monkeypatch):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("no folder")
    monkeypatch.setenv("FLOWBOOK_HOME", str(in_the_way))

    @task(cache_for=dt.timedelta(hours=1))
    def cached():
        return 1

    with Flow("f") as flow:
        c = cached()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        state = flow.run(record=True)

    texts = [str(each.message) for each in caught]
    assert state.result[c].result == 1
    assert [text.split(":")[0] for text in texts] == [
        f"Run {flow.last_run.number} of 'f' is not recorded",
        "Nothing is cached",
    ]
    assert all(str(in_the_way) in text for text in texts)


# Cached outputs

CACHED = """
    import datetime as dt
    import sys
    from pathlib import Path
    from flowbook import Flow, task

    @task(cache_for=dt.timedelta(hours=1))
    def load():
        with Path(sys.argv[1]).open("a") as file:
            file.write("ran\\n")
        return {value}

    with Flow("f") as flow:
        x = load()

    state = flow.run().result[x]
    print(type(state).__name__, state.result, state.stale_code)
"""


def test_a_cached_output_serves_another_process_and_says_when_other_code_made_it(tmp_path):
    counts = tmp_path / "counts"

    first = python(script(tmp_path, CACHED.format(value="[1, 2]")), str(counts))
    second = python(script(tmp_path, CACHED.format(value="[1, 2]")), str(counts))
    edited = python(script(tmp_path, CACHED.format(value="[1, 2, 3]")), str(counts))

    assert (first.stderr, second.stderr) == ("", "")
    assert edited.stderr.partition(" UTC, ")[2] == (
        "made by other code. With @task(cache=True) a task runs again when its code or its inputs have changed.\n"
    )
    assert first.stdout == "Cached [1, 2] False\n"
    assert second.stdout == "Cached [1, 2] False\n"
    assert edited.stdout == "Cached [1, 2] True\n"
    assert counts.read_text() == "ran\n"


def test_a_task_whose_cached_output_is_damaged_runs_again(home):
    ran = []

    @task(cache_for=dt.timedelta(hours=1))
    def load():
        ran.append(1)
        return list(range(40_000))

    with Flow("f") as flow:
        x = load()
    flow.run()
    from flowbook.store import open_store  # noqa: PLC0415

    open_store().close()
    blobs = [path for path in (home / "blobs").rglob("*") if path.is_file()]
    for blob in blobs:
        blob.chmod(0o600)
        blob.write_bytes(b"\0" * blob.stat().st_size)

    state = flow.run()

    assert len(blobs) >= 1
    assert (len(ran), len(state.result[x].result)) == (2, 40_000)
    assert [line.text.split(":")[0] for line in flow.last_run.logs()] == ["A stored output was passed over"]


def test_a_cached_output_is_not_used_where_the_trigger_fails():
    broken = [False]

    @task
    def source():
        if broken[0]:
            raise OSError("down")

    @task(cache_for=dt.timedelta(hours=1))
    def load():
        return 1

    with Flow("f") as flow:
        x = load(upstream_tasks=[source()])
    flow.run()
    broken[0] = True

    state = flow.run(record=False)

    assert type(state.result[x]).__name__ == "TriggerFailed"


def test_only_what_succeeded_and_was_not_skipped_is_cached():
    ran = Counter()

    @task(cache_for=dt.timedelta(hours=1))
    def works(how):
        ran[how] += 1
        if how == "fails":
            raise OSError
        if how == "skips":
            raise signals.SKIP

    with Flow("f") as flow:
        for how in ("fails", "skips", "succeeds"):
            works(how, task_args={"name": how})

    flow.run(record=False)
    flow.run(record=False)

    assert ran == {"fails": 2, "skips": 2, "succeeds": 1}


# Elsewhere


def test_a_flow_is_pickled_and_runs_where_it_arrives(tmp_path):
    with Flow("f") as flow:
        k = Parameter("k", 2)
        double.map([1, 2], upstream_tasks=[k])
        approve(double(k))
    flow.run(record=False)
    (tmp_path / "flow.pickle").write_bytes(cloudpickle.dumps(flow))
    path = script(
        tmp_path,
        """
        import pickle, sys
        from pathlib import Path

        flow = pickle.loads(Path(sys.argv[1]).read_bytes())
        state = flow.run(k=5, record=False)
        print(type(state).__name__, flow.last_run["double-2"].result)
        """,
    )

    came_back = python(path, str(tmp_path / "flow.pickle"))

    waits = "approve Paused: Waits for a person, by its trigger manual_only."
    assert (_warnings(came_back), came_back.stdout) == ([waits, "f Paused"], "Paused 10\n")


def test_states_of_a_run_pickle():
    with Flow("f") as flow:
        d = double.map([1, 2])

    state = flow.run()
    twin = pickle.loads(pickle.dumps(state.result[d]))

    assert (type(twin), twin.result) == (Mapped, [2, 4])
    assert [type(e) for e in flow.last_run.events()].count(StateChanged) == len(flow.last_run.events())


def test_an_input_that_cannot_be_hashed_costs_the_cache_not_the_task(home):
    ran = []

    @task
    def lock():
        return threading.Lock()

    @task(cache_for=dt.timedelta(hours=1), cache_validator=all_inputs)
    def count(source):
        ran.append(1)
        return 3 if source else 0

    with Flow("f") as flow:
        counted = count(lock())

    states = [flow.run().result[counted] for _ in range(2)]

    assert [state.result for state in states] == [3, 3]
    assert len(ran) == 2
    assert home.exists()


def test_a_states_result_finds_tasks_by_key_and_by_the_decorated_function():
    @task
    def load():
        return 3

    @task
    def double(x):
        return 2 * x

    with Flow("sums") as flow:
        loaded = load()
        double.map([1, 2])
    results = flow.run().result

    wanted = [(loaded, 3), (load, 3), ("load", 3), ("double", [2, 4]), (double, [2, 4]), ("double[1]", 4)]
    assert [(key, results[key].result) for key, _ in wanted] == wanted
    assert ("load" in results, len(results)) == (False, 2)
    with pytest.raises(KeyError, match="has no task 'unload'") as caught:
        results["unload"]
    assert str(caught.value).startswith("Flow 'sums' has no task 'unload'.")
