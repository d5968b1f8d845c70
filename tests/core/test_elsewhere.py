"""What goes to another process: flows, states, results."""

from __future__ import annotations

import datetime as dt
import pickle
import threading

import cloudpickle
import pytest

from flowbook import Flow, Parameter, task
from flowbook.engine.cache_validators import all_inputs
from flowbook.engine.events import StateChanged
from flowbook.engine.state import Mapped
from tests.core.run_programs import approve, double, python, script, warned


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
    assert (warned(came_back), came_back.stdout) == ([waits, "f Paused"], "Paused 10\n")


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
