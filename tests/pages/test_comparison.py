"""Two runs compared on a page: from the store alone, and without running anything that is in it."""

import dataclasses
import threading

import pytest

import flowbook
from flowbook.flow_run.run_comparison import compared_runs
from flowbook.pages.stored_run import StoredRun
from flowbook.pages.stored_versions import kept_value
from flowbook.results.preview import describe
from tests.pages import flows
from tests.pages.conftest import run_of


@pytest.fixture
def pair(store):
    """Return the ids of two runs that differ."""
    assert store is not None
    found = run_of(flows.differing(1)), run_of(flows.differing(2))
    flows.SPRUNG.clear()
    yield found
    assert flows.SPRUNG == []


@pytest.fixture
def asked(app):
    """Return what asks the page of a run, and returns all that it is told up to the acknowledgement."""

    def asked(run_id, **command):
        live, told, is_answered = app.state.hub.runs.open(run_id), [], threading.Event()

        def hear(message):
            told.append(message)
            if message["type"] == "ack":
                is_answered.set()

        stop = live.session.listen(hear)
        live.session.hear({"view": "v", "id": "c1", **command})
        assert is_answered.wait(30)
        stop()
        return {each["type"]: each for each in told}

    return asked


def diff_of(asked, pair, key):
    first, second = ({"run": run_id, "key": key} for run_id in pair)
    return asked(pair[1], type="compare-values", first=first, second=second, key=None, kinds=None, offset=0)


def test_runs_are_compared_from_their_records_as_in_the_process_that_ran_them(store, pair):
    here = flowbook.run(pair[0]).compare(flowbook.run(pair[1]))

    found = compared_runs(StoredRun(store, pair[0]), StoredRun(store, pair[1]), store)

    assert (found.title, found.notes, found.aside) == (here.title, here.notes, here.aside)
    assert [dataclasses.replace(each, line="", code=None) for each in found] == [
        dataclasses.replace(each, line="", code=None) for each in here
    ]


SWAPPED = """
from flowbook import Flow, task

@task(name="count")
def late(n):
    return n > {limit}

@task(name="late")
def count(n):
    return n + {more}

with Flow("swapped") as flow:
    count(late(20))
"""


def test_a_task_that_is_not_called_as_its_function_tells_the_line_of_its_own(store, tmp_path):
    runs = []
    for limit, more in ((10, 1), (30, 2)):
        file = tmp_path / f"limit_{limit}.py"
        file.write_text(SWAPPED.format(limit=limit, more=more), "utf-8")
        made = {"__name__": "swapped"}
        exec(compile(file.read_text("utf-8"), file, "exec"), made)  # the same module in two versions
        runs.append(run_of(made["flow"]))

    found = compared_runs(*(StoredRun(store, run_id) for run_id in runs), store)

    assert {each.key: each.line for each in found} == {
        "count": "line 6: return n > 30",
        "late": "line 10: return n + 2",
    }


def test_a_page_is_told_what_differs_with_the_graph_of_the_second_run(asked, pair):
    told = asked(pair[1], type="compare", runs=list(pair))

    comparison = told["compare"]["comparison"]
    assert told["ack"]["ok"]
    assert comparison["runs"] == list(pair)
    assert {task["key"]: task["word"] for task in comparison["tasks"]} == dict.fromkeys(
        ["numbers", "trapped", "month", "show", "each"], "Code"
    )
    assert {node["key"] for node in comparison["graph"]["nodes"]} == {"numbers", "trapped", "month", "show", "each"}


def test_a_run_that_is_not_there_is_refused(asked, pair):
    told = asked(pair[1], type="compare", runs=["nowhere", pair[1]])

    assert not told["ack"]["ok"]
    assert "nowhere" in told["ack"]["text"]


def test_tables_are_compared_cell_by_cell(asked, pair):
    told = diff_of(asked, pair, "numbers")["diff"]

    assert (told["kind"], told["told"]) == ("table", "")
    assert told["counts"] == {"same": 0, "changed": 3, "added": 0, "removed": 0}


@pytest.mark.parametrize(("key", "kind", "changed"), [("month", "tree", 1), ("each", "lines", 1)])
def test_plain_values_are_compared_whole(asked, pair, key, kind, changed):
    told = diff_of(asked, pair, key)["diff"]

    assert (told["kind"], told["told"]) == (kind, "")
    assert told["counts"]["changed"] + told["counts"]["added"] == changed


def test_what_only_a_pickle_holds_is_compared_by_its_preview_and_says_so(asked, pair):
    told = diff_of(asked, pair, "trapped")["diff"]

    assert told["kind"] == "tree"
    assert told["told"].startswith("Only what is kept of these values to show them is compared")
    assert [row["cells"][0] for row in told["rows"] if row["sign"] == "~"] == ["text", "carriers"]


def test_what_gave_nothing_is_refused(asked, store):
    run_id = run_of(flows.failing())
    assert store is not None

    told = diff_of(asked, (run_id, run_id), "fail")

    assert told["ack"]["text"] == "fail has no output in that run: it is Failed."


def test_a_child_that_failed_stands_among_the_others(asked, store):
    assert store is not None

    told = diff_of(asked, (run_of(flows.partly(1)), run_of(flows.partly(2))), "each")["diff"]

    assert told["counts"] == {"same": 2, "changed": 1, "added": 0, "removed": 0}
    assert [row["cells"] for row in told["rows"] if row["sign"] == "="] == [["1"], ["(Failed)"]]


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("a\nb", "a\nb"),
        ({"a": 1, "b": [1, None]}, {"a": "1", "b": {"0": "1", "1": "None"}}),
        (object, "<class 'object'>"),
    ],
)
def test_what_a_preview_holds_is_plain(value, kept):
    assert kept_value(describe(value)) == kept


def test_of_a_value_without_a_preview_nothing_is_kept():
    assert kept_value(None) is None
