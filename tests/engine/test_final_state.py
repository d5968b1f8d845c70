import pytest

from flowbook.engine.final_state import final_state
from flowbook.engine.state import Failed, Mapped, Success, TimedOut, TriggerFailed
from tests.graphs import build, mapped_below, task

CHAIN = build(task("a"), task("b", "a"), task("c", "b"), task("d", "c"))


def failed(text="ValueError: no rows"):
    return Failed(text, ValueError("no rows"))


def test_the_task_that_failed_is_named_with_its_reason_and_those_below_are_counted():
    states = {"a": Success(), "b": failed(), "c": TriggerFailed("b did not succeed."), "d": TriggerFailed()}

    message = final_state(CHAIN, states).message

    assert message == "b failed: ValueError: no rows; 2 tasks below it did not run."


def test_a_list_that_is_gathered_is_no_task_below():
    gathers = task("List", "b")._replace(gathers=True)
    graph = build(task("b"), gathers, task("c", "List"))
    states = {"b": failed(), "List": TriggerFailed(), "c": TriggerFailed()}

    assert final_state(graph, states).message.endswith("; 1 task below it did not run.")


def test_one_task_below_is_one_task():
    states = {"a": Success(), "b": Success(), "c": failed(), "d": TriggerFailed()}

    assert final_state(CHAIN, states).message == "c failed: ValueError: no rows; 1 task below it did not run."


def test_several_failures_are_counted_and_the_first_few_named():
    graph = build(task("a"), mapped_below("parse", "a"), task("all", "parse"))
    children = {f"parse[{i}]": failed() if i % 2 else Success() for i in range(8)}
    states = {"a": Success(), "parse": Mapped(n_map_states=8), "all": TriggerFailed(), **children}

    message = final_state(graph, states).message

    assert message == "4 tasks failed: parse[1], parse[3], parse[5] and 1 more; 1 task below them did not run."


def test_a_failure_that_harmed_no_reference_task_is_not_named():
    graph = build(task("a"), task("report", "a"), task("other"))
    states = {
        "a": failed(),
        "report": Success(),
        "other": TimedOut("Took longer than 1 s. Its thread was told to stop."),
    }

    assert final_state(graph, states).message == "other failed: Took longer than 1 s. Its thread was told to stop."


def test_where_nothing_failed_by_itself_the_first_task_that_did_not_run_says_why():
    states = {
        "a": Success(),
        "b": TriggerFailed("all_failed: 'a' did not fail."),
        "c": TriggerFailed(),
        "d": TriggerFailed(),
    }

    message = final_state(CHAIN, states).message

    assert message == "b did not run: all_failed: 'a' did not fail; 2 tasks below it did not run."


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        (None, ""),
        ("", ""),
        ("first line\nsecond line", ": first line"),
        ("x" * 300, f": {'x' * 200}…"),
    ],
)
def test_of_a_reason_the_first_line_is_shown_and_no_more_than_200_characters(reason, shown):
    graph = build(task("a"))

    assert final_state(graph, {"a": Failed(reason)}).message == f"a failed{shown}."


def test_ten_thousand_failures_make_a_short_message():
    graph = build(task("m", is_mapped=True))
    states = {"m": Mapped(n_map_states=10_000), **{f"m[{i}]": failed() for i in range(10_000)}}

    assert final_state(graph, states).message == "10,000 tasks failed: m[0], m[1], m[2] and 9,997 more."
