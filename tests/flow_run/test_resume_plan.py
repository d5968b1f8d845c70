from flowbook.engine.events import FLOW, Decided
from flowbook.engine.state import Cached, Failed, Mapped, Paused, Pending, Running, Success, TriggerFailed
from flowbook.flow_run import resume_plan
from tests.graphs import build, mapped_below, task

CHAIN = build(task("a"), task("b", "a"), task("c", "b"))
MAPS = build(task("m", is_mapped=True), mapped_below("n", "m"))


def kinds(states):
    return {key: type(state).__name__ for key, state in states.items()}


def decided(seq, key, by, action="resume"):
    return Decided(seq, key, 0.0, action, by, "")


def test_of_a_mapped_task_the_children_that_wait_for_a_person_are_waiting():
    states = {"m": Mapped(n_map_states=3), "m[0]": Paused(), "m[1]": Success(), "m[2]": Paused(), "n": Pending()}

    found = resume_plan.waiting(states, ["m", "n"])

    assert found == ("m[0]", "m[2]")


def test_finished_tasks_stay_as_they_are_and_others_begin_anew():
    states = {"a": Cached(result=1), "b": Running(), "c": Paused()}

    found = resume_plan.unfinished(CHAIN, states)

    assert kinds(found) == {"a": "Success", "b": "Pending", "c": "Paused"}
    assert (found["a"].result, kinds(states)["b"]) == (1, "Running")


def test_what_failed_by_its_trigger_did_not_fail_by_itself():
    states = {"a": Failed(), "b": TriggerFailed(), "c": Success()}

    failed = resume_plan.failed(states)

    assert failed == ["a"]


def test_a_task_to_try_again_keeps_its_inputs_and_opens_what_failed_by_its_trigger_below_it():
    states = {"a": Success(), "b": Failed(cached_inputs={"x": 1}), "c": TriggerFailed()}

    found = resume_plan.to_try_again(CHAIN, states, ["b"])

    assert kinds(found) == {"a": "Success", "b": "Pending", "c": "Pending"}
    assert found["b"].cached_inputs == {"x": 1}


def test_what_failed_above_its_own_trigger_failure_is_left_alone():
    states = {"a": TriggerFailed(), "b": Failed(), "c": Success()}

    found = resume_plan.to_try_again(CHAIN, states, ["b"])

    assert kinds(found) == {"a": "TriggerFailed", "b": "Pending", "c": "Success"}


def test_a_failed_task_below_another_runs_in_its_turn():
    first = resume_plan.first_of(CHAIN, ["a", "c"])

    assert first == ("a",)


def test_a_failed_child_waits_only_for_the_child_that_feeds_it():
    first = resume_plan.first_of(MAPS, ["m[0]", "n[0]", "n[1]"])

    assert first == ("m[0]", "n[1]")


def test_the_last_word_on_a_task_or_its_children_or_the_run_says_who_resumed_it():
    events = [
        decided(1, FLOW, "ann"),
        decided(2, "m[1]", "bob"),
        decided(3, "n", "cy"),
        decided(4, "m", "dan", "retry"),
    ]

    found = [resume_plan.answered_by(events, key).by for key in ("m", "m[0]", "n[0]")]

    assert found == ["bob", "ann", "cy"]


def test_what_waits_below_a_task_to_try_again_asks_again_with_what_it_gets_then():
    states = {"a": Failed(), "b": TriggerFailed(), "c": Paused(cached_inputs={"b": None})}

    found = resume_plan.to_try_again(CHAIN, states, ["a"])

    assert kinds(found) == {"a": "Pending", "b": "Pending", "c": "Pending"}
    assert found["c"].cached_inputs == {}
    begun = resume_plan.begun_anew(states, found, 7)
    assert [(event.seq, event.key, type(event.state)) for event in begun] == [
        (7, "a", Pending),
        (8, "b", Pending),
        (9, "c", Pending),
    ]
