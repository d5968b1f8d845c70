"""What a run at rest would do if it went on, and that it then does that."""

import pytest

from flowbook.engine.state import (
    Cancelled,
    Crashed,
    Failed,
    Mapped,
    Paused,
    Pending,
    Running,
    Skipped,
    Success,
    TriggerFailed,
)
from flowbook.exceptions import StartTaskError
from flowbook.flow_run.rest_plan import planned_rest
from flowbook.flow_run.run_description import RunLabel
from tests.graphs import build, mapped_below, task

LABEL = RunLabel("0" * 32, 4, "delays")


def any_failed(*_):
    return False


#: load > approve > publish > check > archive, beside it alert, which runs only if publish fails.
CHAIN = build(
    task("origin", is_parameter=True),
    task("load", "origin"),
    task("approve", "load", is_manual=True),
    task("publish", "approve"),
    task("alert", "publish", trigger=any_failed),
    task("close", "alert"),
    task("check", "publish", is_manual=True),
    task("archive", "check"),
    task("apart"),
)
MAPS = build(task("m", is_mapped=True), mapped_below("n", "m"), task("List", "n", gathers=True), task("sum", "List"))


def plan(graph, state, states, way):
    known = {**dict.fromkeys(graph.specs, Pending()), **states}
    return {each.key: each for each in planned_rest(graph, LABEL, (state, known), [], way)}


def told(planned):
    return {key: (each.outcome, each.why) for key, each in planned.items()}


def test_what_waits_goes_on_and_what_lies_below_it_runs_up_to_the_next_question():
    states = {"load": Success(), "approve": Paused(), "apart": Skipped("Not asked for.")}

    found = plan(CHAIN, Paused(), states, "resume")

    assert told(found) == {
        "load": ("keep", "Success"),
        "approve": ("run", "it waits for you"),
        "publish": ("run", "below approve"),
        "alert": ("if failed", "only if something above it fails"),
        "close": ("if failed", "below alert"),
        "check": ("wait", "until a person resumes it"),
        "archive": ("run", "after check"),
        "apart": ("keep", "Skipped: Not asked for."),
    }
    assert [each.cause for each in found.values() if each.outcome == "run"] == ["waits", "above", "above"]
    assert [found[key].words for key in ("load", "apart")] == ["stays", "stays skipped"]
    assert plan(CHAIN, Failed(), {"load": Failed(), "apart": Paused()}, "retry")["apart"].cause == "waits"


def test_what_failed_beside_what_waits_stays_failed():
    states = {"load": Success(), "approve": Paused(), "apart": Failed("August is missing")}

    found = plan(CHAIN, Paused(), states, "resume")

    assert (found["apart"].outcome, found["apart"].words) == ("keep", "stays failed")


def test_what_failed_runs_again_with_what_could_not_go_on_below_it():
    failed = Failed(result=ValueError("August is missing"))
    states = {
        "load": Success(),
        "approve": Success(),
        "publish": failed,
        "check": TriggerFailed(),
        "archive": TriggerFailed(),
    }

    found = plan(CHAIN, Failed(), {**states, "alert": Success(), "close": Success(), "apart": Paused()}, "retry")

    assert told(found) == {
        "load": ("keep", "Success"),
        "approve": ("keep", "Success"),
        "publish": ("run", "it failed: ValueError: August is missing"),
        "alert": ("keep", "Success"),
        "close": ("keep", "Success"),
        "check": ("wait", "until a person resumes it"),
        "archive": ("run", "after check"),
        "apart": ("wait", "it goes on waiting"),
    }


@pytest.mark.parametrize("state", [Crashed(), Cancelled()])
def test_a_run_that_was_broken_off_runs_what_had_not_ended(state):
    states = {"load": Success(), "approve": Success(), "publish": Running(), "apart": Cancelled()}

    found = plan(CHAIN, state, states, "resume")

    assert {key: each.cause for key, each in found.items() if each.outcome == "run"} == {
        "publish": "open",
        "archive": "above",
        "apart": "open",
    }


def test_of_a_mapped_task_the_children_that_are_asked_for_are_counted():
    children = {"m[0]": Success(), "m[1]": Failed(), "m[2]": Failed()}
    below = {"n[0]": Success(), "n[1]": TriggerFailed(), "n[2]": TriggerFailed()}
    states = {"m": Mapped(n_map_states=3), "n": Mapped(n_map_states=3), **children, **below, "sum": TriggerFailed()}

    found = plan(MAPS, Failed(), {**states, "List": TriggerFailed()}, "retry")

    assert {key: (each.outcome, each.share, each.why) for key, each in found.items()} == {
        "m": ("run", "2 of 3", "it failed"),
        "n": ("run", "2 of 3", "below m"),
        "sum": ("run", "", "below n"),
    }


def test_what_is_over_has_no_plan():
    states = dict.fromkeys(CHAIN.specs, Success())

    with pytest.raises(StartTaskError, match=r"Nothing waits in run 4 of 'delays': it is Success\."):
        plan(CHAIN, Success(), states, "resume")
    with pytest.raises(StartTaskError, match=r"Nothing failed in run 4 of 'delays': it is Success\."):
        plan(CHAIN, Success(), states, "retry")
