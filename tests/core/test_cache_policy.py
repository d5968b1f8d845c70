# ruff: noqa: ARG005  # what a task's function is given matters, not what it does with it
from __future__ import annotations

import datetime as dt
import os
import subprocess
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flowbook import File, Flow, Parameter, Task, resource_manager, task, triggers
from flowbook.engine.cache_validators import all_inputs, code_and_inputs, duration_only
from flowbook.engine.graph import CachePolicy
from flowbook.executors import LocalDaskExecutor
from tests.executors_of import AWAY, HERE
from tests.scripts import start

HOUR = dt.timedelta(hours=1)


def work(x=1):
    return x


def kinds(flow, **parameters):
    return [type(state).__name__ for state in flow.run(**parameters).result.values()]


# Options --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "policy"),
    [
        ({}, None),
        ({"cache": True}, CachePolicy(None, code_and_inputs)),
        ({"cache": True, "cache_for": HOUR}, CachePolicy(HOUR, code_and_inputs)),
        ({"cache": True, "cache_validator": all_inputs}, CachePolicy(None, all_inputs)),
        ({"cache": True, "cache_key": "k"}, CachePolicy(None, code_and_inputs, "k")),
        ({"cache": False}, None),
        ({"cache_for": HOUR}, CachePolicy(HOUR, duration_only)),
        ({"cache_for": 60}, CachePolicy(dt.timedelta(minutes=1), duration_only)),
        ({"cache_for": 0.5}, CachePolicy(dt.timedelta(seconds=0.5), duration_only)),
    ],
)
def test_options_say_how_outputs_are_cached(options, policy):
    with Flow("options") as flow:
        task(work, **options)()
        task(work)(task_args=options)

    assert [spec.cache for spec in flow.compile().specs.values()] == [policy, policy]


@pytest.mark.parametrize(
    ("before", "change", "policy"),
    [
        ({"cache": True}, {"cache": False}, None),
        ({"cache": True}, {"cache_for": HOUR}, CachePolicy(HOUR, code_and_inputs)),
        ({"cache_for": HOUR}, {"cache": True}, CachePolicy(HOUR, code_and_inputs)),
        ({"cache": True, "cache_for": HOUR}, {"cache_for": None}, CachePolicy(None, code_and_inputs)),
        (
            {"cache_for": HOUR, "cache_validator": all_inputs},
            {"cache_for": 60},
            CachePolicy(dt.timedelta(minutes=1), all_inputs),
        ),
    ],
)
def test_a_copy_changes_how_outputs_are_cached(before, change, policy):
    with Flow("options") as flow:
        task(work, **before)(task_args=change)

    assert [spec.cache for spec in flow.compile().specs.values()] == [policy]


def test_a_flow_caches_the_tasks_that_compute_something_and_do_not_say_otherwise():
    class Open:
        def setup(self):
            return 1

        def cleanup(self, opened):
            pass

    with Flow("defaults", cache=True) as flow:
        n = Parameter("n", default=1)
        found = task(work, name="plain")(n)
        task(work, name="never", cache=False)(found)
        task(work, name="secret", keep=False)(found)
        task(work, name="hour", cache_for=HOUR)(found)
        task(work, name="listed")([found, n + 1])
        with resource_manager(Open)() as opened:
            task(work, name="reads")(opened)
    policies = {key: spec.cache for key, spec in flow.compile().specs.items()}

    assert {key: policy for key, policy in policies.items() if policy is not None} == {
        "plain": CachePolicy(None, code_and_inputs),
        "hour": CachePolicy(HOUR, duration_only),
        "listed": CachePolicy(None, code_and_inputs),
        "reads": CachePolicy(None, code_and_inputs),
    }


def test_a_flow_whose_switch_changed_is_compiled_anew():
    with Flow("switched") as flow:
        task(work)()
    flow.compile()
    flow.cache = True

    assert flow.compile().specs["work"].cache == CachePolicy(None, code_and_inputs)


def test_what_is_cached_without_an_end_is_kept_for_good():
    with Flow("good", cache=True) as flow:
        found = task(work)()

    first, second = flow.run().result[found], flow.run().result[found]

    assert (first.message, first.expiry) == ("Kept for good.", None)
    assert (type(second).__name__, second.result, second.entry) == ("Cached", 1, first.entry)


@pytest.mark.parametrize("make", [*HERE.values(), *AWAY.values()], ids=[*HERE, *AWAY])
def test_an_input_that_changed_makes_the_task_run_on_every_executor(make):
    with Flow("inputs", cache=True, executor=make()) as flow:
        n = Parameter("n")
        found = task(work, name="second")(task(work, name="first")([n, 1]))

    results = [flow.run(n=n).result[found] for n in (1, 2, 1)]

    assert [(state.result, state.message[:6]) for state in results] == [
        ([1, 1], "Kept f"),
        ([2, 1], "Kept f"),
        ([1, 1], "Output"),
    ]


# What the code reads --------------------------------------------------------------------------------------------------

RATES = {"km": [1000]}
GRID = np.arange(3)
LOCK = threading.Lock()


class Client:
    def __init__(self):
        self.lock = threading.Lock()


CLIENT = Client()


@task(cache=True)
def convert(x):
    with LOCK:
        return x * RATES["km"][0] + int(GRID.sum())


def test_data_that_the_code_reads_counts_by_content(monkeypatch):
    with Flow("reads") as flow:
        found = convert(1)
    results = [flow.run().result[found] for _ in range(2)]
    monkeypatch.setitem(RATES, "km", [1])
    results += [flow.run().result[found] for _ in range(2)]
    GRID[0] = 1
    results.append(flow.run().result[found])
    GRID[0] = 0

    assert [(state.result, state.message[:6]) for state in results] == [
        (1003, "Kept f"), (1003, "Output"), (4, "Kept f"), (4, "Output"), (5, "Kept f"),
    ]  # fmt: skip


def test_what_can_not_be_hashed_is_named_and_the_task_runs():
    @task(cache=True)
    def ask():
        return CLIENT is not None

    with Flow("unhashable") as flow:
        found = ask()
    states = [flow.run().result[found] for _ in range(2)]

    why = "Its code reads global CLIENT, a Client that can't be hashed, so nobody can tell whether it changed ("
    assert [type(state).__name__ for state in states] == ["Success", "Success"]
    assert [state.message.startswith(f"Not cached: {why}") for state in states] == [True, True]


# Files ----------------------------------------------------------------------------------------------------------------


def read(source):
    return pd.read_csv(source).x.sum()


def aged(path, text, age_s=100):
    path.write_text(text)
    os.utime(path, (path.stat().st_mtime - age_s,) * 2)


@pytest.mark.parametrize("age_s", [0, 100], ids=["just written", "older"])
def test_a_file_counts_by_its_content(age_s, tmp_path):
    path = tmp_path / "x.csv"
    aged(path, "x\n1\n", age_s)
    with Flow("files", cache=True) as flow:
        found = task(read)(File(path))
    results = [flow.run().result[found] for _ in range(2)]
    aged(path, "x\n2\n", age_s + 1)
    results.append(flow.run().result[found])
    aged(path, "x\n1\n", age_s + 2)
    results.append(flow.run().result[found])

    assert [(state.result, state.message[:6]) for state in results] == [
        (1, "Kept f"),
        (1, "Output"),
        (2, "Kept f"),
        (1, "Output"),
    ]


def test_a_folder_counts_with_the_names_and_contents_of_all_its_files(tmp_path):
    def seen():
        return File(tmp_path / "folder").digest()

    (tmp_path / "folder" / "b").mkdir(parents=True)
    digests = [seen()]
    for name, text in (("a", "1"), ("b/c", ""), ("b/c", "2"), ("a", "2")):
        aged(tmp_path / "folder" / name, text, len(digests) * 10)
        digests.append(seen())
    (tmp_path / "folder" / "a").rename(tmp_path / "folder" / "d")
    digests.append(seen())
    (tmp_path / "folder" / "d").rename(tmp_path / "folder" / "a")

    assert len(set(digests)) == len(digests)
    assert seen() == digests[-2]


def test_a_file_that_is_not_there_is_named():
    with Flow("gone", cache=True) as flow:
        found = task(read)(File("nowhere.csv"))
    state = flow.run().result[found]

    assert (type(state).__name__, type(state.result).__name__) == ("Failed", "FileNotFoundError")


def test_a_file_is_a_path():
    assert os.fspath(File("~/a/../b.csv")) == str(Path("~/a/../b.csv").expanduser())
    assert (File("a"), repr(File("a"))) == (File("a"), "File('a')")


# Models ---------------------------------------------------------------------------------------------------------------

MODEL = """
import sys
import numpy as np
from flowbook import Flow, task

class Model:
    def __init__(self):
        self.words, self.weights, self.name = {"a", "b", "c"}, np.arange(3.0), "".join(["m", "1"])
    def predict(self): return float(self.weights.sum())

@task
def fit(): return Model()
@task(cache=True)
def score(model): return model.predict()
with Flow("models") as flow:
    found = score(fit())
print(type(flow.run().result[found]).__name__, flow.run().result[found].message[:6], len(sys.argv))
"""


def test_a_task_that_takes_a_model_hits_in_another_process(tmp_path):
    printed = [start(MODEL, tmp_path, env={"PYTHONHASHSEED": seed}).communicate()[0] for seed in "12"]
    entries = subprocess.run(
        ["flowbook", "cache", "ls", "--json"], check=True, capture_output=True, text=True
    ).stdout.count('"task": "score"')

    assert printed == ["Cached Output 1\n"] * 2
    assert entries == 1


class Restless:
    def __reduce__(self):
        SEEN.append(None)
        return Restless, (), {"number": len(SEEN)}


SEEN: list[None] = []


def test_an_input_that_pickles_differently_each_time_is_named():
    with Flow("restless") as flow:
        found = task(lambda figure: 1, name="draw", cache=True)(task(Restless, name="figure")())

    assert flow.run().result[found].message == (
        "Kept for good, but another run won't find it: figure (Restless) pickles differently each time."
    )


# What an output was made from -----------------------------------------------------------------------------------------


def test_an_output_made_from_other_inputs_says_so_once_a_run():
    with Flow("stale") as flow:
        n = Parameter("n")
        long = Parameter("long", default="a" * 100)
        found = task(lambda x, y, z: 0, name="plain", cache_for=HOUR)(n, long, 3)
        children = task(lambda x, y: 0, name="each", cache_for=HOUR).map([1, 2, 3], [n] * 3)
    flow.run(n=5)
    state = flow.run(n=77, long="b" * 100)

    one = state.result[found]
    assert (one.stale_inputs, one.stale_code) == ({"x": "5, now 77", "y": ""}, False)
    assert one.message.partition(",")[2] == " made from other inputs: x 5, now 77, y."
    assert [child.stale_inputs for child in state.result[children].map_states] == [{}] * 3
    warnings = [line.text.partition(",")[2] for line in flow.last_run.logs() if line.level == 30]
    advice = "With @task(cache=True) a task runs again when its code or its inputs have changed."
    assert warnings == [f" made from other inputs: x 5, now 77, y. {advice}"]


def test_an_output_made_by_other_code_says_so():
    def flow_of(body):
        with Flow("stale code") as flow:
            task(body, name="plain", cache_for=HOUR)(1)
        return flow

    flow_of(lambda x: 1).run()
    (state,) = flow_of(lambda x: 2).run().result.values()

    assert (state.result, state.stale_inputs, state.stale_code) == (1, {}, True)
    assert state.message.partition(",")[2] == " made by other code."


@pytest.mark.parametrize("validator", [all_inputs, code_and_inputs])
def test_who_compares_inputs_never_gets_a_stale_output(validator):
    with Flow("never stale") as flow:
        found = task(work, cache_for=HOUR, cache_validator=validator)(Parameter("n"))

    assert [flow.run(n=n).result[found].stale_inputs for n in (1, 2, 1)] == [{}] * 3


def test_an_output_from_inputs_that_can_not_be_hashed_is_cached_where_nobody_compares_them():
    with Flow("locks") as flow:
        found = task(lambda lock: 1, name="plain", cache_for=HOUR)(task(lambda: threading.Lock(), name="lock")())  # noqa: PLW0108  # a built-in is no task

    assert [flow.run().result[found].message[:6] for _ in range(2)] == ["Kept u", "Output"]


def test_what_was_made_from_other_inputs_is_recorded():
    with Flow("recorded") as flow:
        task(work, cache_for=HOUR)(Parameter("n"))
    flow.run(n=1, record=True)
    flow.run(n=2, record=True)
    import flowbook  # noqa: PLC0415

    assert flowbook.run(flow.last_run.run_id).states["work"].stale_inputs == {"x": "1, now 2"}


def test_a_manual_task_of_a_cached_flow_is_asked_for_each_time():
    with Flow("manual", cache=True, executor=LocalDaskExecutor("synchronous")) as flow:
        found = task(work, trigger=triggers.manual_only)()

    assert [type(flow.run().result[found]).__name__ for _ in range(2)] == ["Paused", "Paused"]


def test_a_subclass_of_task_is_cached_with_its_code():
    class Scale(Task):
        def __init__(self, factor):
            self.factor = factor
            super().__init__(cache=True)

        def run(self, x):
            return x * self.factor

    def result(factor):
        with Flow("subclass") as flow:
            found = Scale(factor)(3)
        return flow.run().result[found]

    assert [(state.result, state.message[:6]) for state in map(result, (2, 3, 2))] == [
        (6, "Kept f"),
        (9, "Kept f"),
        (6, "Output"),
    ]
