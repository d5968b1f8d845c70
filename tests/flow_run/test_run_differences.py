"""Why tasks of two runs differ: by themselves, or because of what they get."""

from __future__ import annotations

import itertools

import pandas as pd
import pytest

from flowbook import Flow, Parameter, task, triggers, unmapped
from flowbook.draw import glyphs, palette
from flowbook.engine import signals
from flowbook.engine.replay import Span
from flowbook.exceptions import DefinitionError
from flowbook.flow_run import run_comparison
from flowbook.flow_run.run_comparison import compared_runs
from flowbook.flow_run.run_differences import TaskDifference, task_differences

OUTSIDE = itertools.count()


@task
def load(origin: str) -> pd.DataFrame:
    return pd.DataFrame({"origin": [origin] * (3 if origin == "JFK" else 5)})


@task
def count(frame: pd.DataFrame) -> bool:
    return len(frame) > 0


@task
def report(found: bool) -> str:  # what count gives
    return f"flights: {found}"


@task
def fetch() -> int:
    return next(OUTSIDE)


@task
def double(n: int) -> int:
    return 2 * n


def _runs():
    with Flow("delays") as flow:
        report(count(load(Parameter("origin", default="EWR"))))
        double.map(double.map([fetch()]))
    flow.run(record=True)
    first = flow.last_run
    flow.run({"origin": "JFK"}, record=True)
    return first, flow.last_run


def test_each_task_says_whether_it_differs_by_itself_or_because_of_what_it_gets():
    found = compared_runs(*_runs())

    causes = {each.key: each.differs for each in found}
    assert {key: causes[key] for key in ("origin", "load", "count", "report", "fetch")} == {
        "origin": "parameter",
        "load": "input",
        "count": "input",
        "report": "",
        "fetch": "output",
    }
    assert found.first is not None
    assert found.first.differs in {"parameter", "output"}


def test_a_comparison_is_data_too_and_loads_no_value(monkeypatch):
    first, second = _runs()
    monkeypatch.setattr("flowbook.store.values.Values.load", None)

    found = compared_runs(first, second)

    frame = found.to_frame().set_index("task")
    assert list(frame.columns) == [
        *("state_before", "state_after", "took_s_before", "took_s_after"),
        *("rows_before", "rows_after", "hash_before", "hash_after", "differs"),
    ]
    assert frame.loc["load", ["rows_before", "rows_after"]].tolist() == [5, 3]
    assert frame.loc["count", "hash_before"] == frame.loc["count", "hash_after"] != ""
    assert found.plain()["tasks"][0]["key"] == found.tasks[0].key


def test_tasks_of_one_run_alone_are_new_or_gone():
    old = {"tasks": [{"key": "a", "upstream": []}, {"key": "b", "upstream": ["a"]}]}
    new = {"tasks": [{"key": "c", "upstream": []}, {"key": "a", "upstream": ["c"]}]}

    found = task_differences((old, {}), (new, {}), set())

    assert found == {
        "c": TaskDifference("new", ("", "")),
        "a": TaskDifference("input", ("", ""), ("c",)),
        "b": TaskDifference("gone", ("", "")),
    }


def test_an_output_that_a_run_made_and_stored_is_a_success_and_one_that_it_found_is_cached():
    with Flow("delays", cache=True) as flow:
        double(3)
    flow.run(record=True)
    first = flow.last_run
    flow.run(record=True)

    (found,) = compared_runs(first, flow.last_run)

    assert found.states == ("Success", "Cached")


def test_a_run_compares_itself_with_another_and_shows_the_graph_by_what_differs():
    first, second = _runs()

    found = first.compare(second)
    forms = found._repr_mimebundle_()

    assert (found.is_same, found.runs) == (False, (first.run_id, second.run_id))
    assert ">4 Input</text>" in found.svg()
    assert "<img" in forms["text/html"]
    assert found.plain()["tasks"][0]["word"] == "Parameter"


def test_runs_that_are_the_same_say_so():
    with Flow("constant") as flow:
        double(2)
    flow.run(record=True)
    first = flow.last_run
    flow.run(record=True)

    found = first.compare(flow.last_run)

    assert found.is_same
    assert found.notes == ("They are the same: none of 1 task differs by parameters, code, inputs or outputs.",)


def test_a_mapped_task_says_how_many_of_its_children_differ():
    @task
    def rest(n: int, by: int) -> int:
        return n % by

    with Flow("mapped") as flow:
        rest.map([1, 2, 3, 12], by=unmapped(Parameter("by", default=4)))
    flow.run(record=True)
    first = flow.last_run
    flow.run({"by": 3}, record=True)

    found = {each.key: each for each in first.compare(flow.last_run)}

    assert found["rest"].children == (1, 4)
    assert found["by"].children is None
    assert len(found["rest"].hashes[1]) == 64


def test_a_parameter_that_differs_is_told_with_both_values():
    found = compared_runs(*_runs())

    assert found.parameters == (("origin", "'EWR'", "'JFK'"),)
    assert found.plain()["parameters"] == [["origin", "'EWR'", "'JFK'"]]


def test_parameters_and_what_gathers_results_of_tasks_count_for_none():
    @task
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    with Flow("gathered") as flow:
        total([double(Parameter("n", default=1)), double(2)])
    flow.run(record=True)
    first = flow.last_run
    flow.run({"n": 5}, record=True)

    found = first.compare(flow.last_run)

    assert found.notes == ("Parameters: n 1 → 5.", "2 of 3 tasks differ because of what they get.")
    assert found.plain()["aside"] == ["n", "List"]


def test_one_task_that_differs_is_told_as_one():
    with Flow("fixed") as flow:
        load(Parameter("origin", default="EWR"))
    flow.run(record=True)
    first = flow.last_run
    flow.run({"origin": "LGA"}, record=True)

    found = first.compare(flow.last_run)

    assert found.notes[-1] == "1 of 1 task differs because of what it gets."


def test_more_than_150_tasks_are_drawn_as_groups():
    with Flow("many") as flow:
        for n in range(160):
            double(n + Parameter("start", default=0) if n == 0 else n, task_args={"name": f"double_{n}"})
    flow.run(record=True)
    first = flow.last_run
    flow.run({"start": 7}, record=True)

    drawn = first.compare(flow.last_run).svg()

    assert ">Parameter</text>" not in drawn
    assert ">2 Input</text>" in drawn
    assert ">159 The same</text>" in drawn
    assert "double_7" not in drawn


def test_what_is_no_run_is_refused():
    first, _ = _runs()

    with pytest.raises(DefinitionError, match="other='last' isn't a run"):
        first.compare("last")


def test_a_part_of_a_flow_is_compared_with_what_it_kept():
    with Flow("part") as flow:
        double.map(double.map([1, 2]))
    flow.run(record=True)
    first = flow.last_run
    flow.run(start_at="double[1]", record=True)
    part = flow.last_run
    flow.run(start_at="double-2", record=True, based_on=first)

    assert {each.differs for each in compared_runs(first, part)} == {""}
    assert {each.differs for each in compared_runs(part, flow.last_run)} == {""}


def test_a_task_that_a_run_kept_from_an_earlier_one_differs_from_a_newer_output():
    with Flow("kept") as flow:
        double(fetch())
    flow.run(record=True)
    first = flow.last_run
    flow.run(record=True)
    second = flow.last_run
    flow.run(start_at="double", record=True, based_on=first)

    causes = {each.key: each.differs for each in compared_runs(second, flow.last_run)}

    assert causes == {"fetch": "output", "double": "input"}


def _rejected_and_resumed():
    @task(trigger=triggers.manual_only)
    def approve(n: int) -> int:
        return n

    with Flow("decided") as flow:
        double(approve(double(1)))
    found = []
    for answer in ("resume", "reject"):
        flow.run(record=True)
        found.append(flow.last_run)
        getattr(found[-1], answer)("approve", by="ada", note="August is missing")
        found[-1].wait(10)
    return found


def test_a_task_that_a_person_rejected_in_one_run_alone_differs_by_its_state():
    resumed, rejected = _rejected_and_resumed()

    found = compared_runs(resumed, rejected)
    back = compared_runs(rejected, resumed)

    assert {each.key: each.differs for each in found} == {"double": "", "approve": "state", "double-2": "input"}
    assert found.first is not None
    assert (found.first.key, found.first.word) == ("approve", "State")
    assert found.notes == (
        "approve: Success → Failed (Rejected by ada: August is missing)",
        "2 of 3 tasks differ; the first is approve: 1 by itself, 1 because of what it gets.",
    )
    assert "Failed, was Success" in found.svg()
    assert back.notes[0] == "approve: Failed → Success (Rejected by ada: August is missing)"


@pytest.mark.parametrize("again", [0, 1, 2])
def test_a_task_that_ends_in_another_way_differs_by_its_state(again):
    def ends(how: int) -> int:
        if how == 1:
            raise signals.SKIP("nothing to do")
        if how == 2:
            raise ValueError("no")
        return 1

    hows = iter([0, 0, 0, again, 0, again])

    @task
    def once() -> int:
        return ends(next(hows))

    @task
    def each_of(n: int) -> int:
        return n * ends(next(hows))

    with Flow("ends") as flow:
        once()
        each_of.map([1, 2], task_args={"name": "each"})
    flow.run(record=True)
    first = flow.last_run
    flow.run(record=True)

    found = {each.key: each for each in compared_runs(first, flow.last_run)}

    cause = "state" if again else ""
    assert {key: each.differs for key, each in found.items()} == {"once": cause, "each": cause}
    assert found["each"].children == (1 if again else 0, 2)


def test_every_word_for_why_a_task_differs_has_its_look_and_its_sign():
    words = set(run_comparison._WORDS.values())

    assert (words - set(palette.DIFFERENCES), words - set(glyphs.DIFFERENCES)) == (set(), set())


def test_a_mapped_task_takes_no_time_while_its_children_wait_to_be_retried(monkeypatch):
    with Flow("mapped") as flow:
        double.map([1, 2])
    flow.run(record=True)
    at_once = [Span("double[0]", "Failed", 0.0, 1.0, 1), Span("double[1]", "Success", 0.5, 2.0, 1)]
    monkeypatch.setattr(run_comparison, "spans", lambda _: [*at_once, Span("double[0]", "Success", 120.0, 121.0, 2)])

    found = {each.key: each.took_s for each in compared_runs(flow.last_run, flow.last_run)}

    assert found["double"] == (3.0, 3.0)
