"""A list, tuple, set or dict of tasks that is given to one input: whoever takes it is judged by each task in it."""

import threading

import pytest

from flowbook import Flow, flatten, task, triggers, unmapped
from flowbook.engine.gathering import judged
from flowbook.engine.signals import SKIP
from flowbook.engine.state import Failed, Paused, Skipped, Success, TriggerFailed
from flowbook.executors import LocalDaskExecutor, LocalExecutor
from tests.executors_of import everywhere


@task
def good(x=1):
    return x


@task
def bad():
    raise ValueError("bad")


@task
def skips():
    raise SKIP("nothing today")


@task(trigger=triggers.any_successful)
def any_of(xs):
    return xs


@task(trigger=triggers.all_finished)
def whatever(xs):
    return xs


@task
def total(xs):
    return xs


WRAPS = {
    "list": lambda *items: list(items),
    "tuple": lambda *items: items,
    "dict": lambda *items: {f"k{index}": item for index, item in enumerate(items)},
    "nested": lambda *items: [[items[0]], {"rest": list(items[1:])}],
}


def leaves(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple, set)):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


@everywhere
@pytest.mark.parametrize("wrap", WRAPS)
def test_a_trigger_sees_each_task_of_a_collection(executor, wrap):
    with Flow("f") as flow:
        both = WRAPS[wrap](good(), bad())
        first, report, fails = any_of(both), whatever(both), total(both)

    state = flow.run(executor=executor)

    assert [type(state.result[each]) for each in (first, report, fails)] == [Success, Success, TriggerFailed]
    assert [repr(leaf) for leaf in leaves(state.result[report].result)] == ["1", "ValueError('bad')"]
    assert state.result[fails].message == "bad failed."


@everywhere
def test_a_set_of_tasks_is_judged_likewise(executor):
    with Flow("f") as flow:
        found, fails = whatever({good(), bad()}), total({good(), bad()})

    state = flow.run(executor=executor)

    assert sorted(map(repr, state.result[found].result)) == ["1", "ValueError('bad')"]
    assert type(state.result[fails]) is TriggerFailed


def test_a_trigger_of_the_users_gets_an_edge_for_each_task_and_none_for_the_collection():
    seen = []

    def look(states):
        seen.append({edge.upstream_task.name: type(state) for edge, state in states.items()})
        return True

    with Flow("f") as flow:
        task(lambda xs, y: (xs, y), name="looks", trigger=look, skip_on_upstream_skip=False)(
            [good(), [bad()], 5], y=skips()
        )

    flow.run()

    assert seen == [{"good": Success, "bad": Failed, "skips": Skipped}]


@everywhere
@pytest.mark.parametrize("wrap", WRAPS)
def test_a_skipped_task_in_a_collection_skips_whoever_takes_it_unless_it_says_otherwise(executor, wrap):
    with Flow("f") as flow:
        both = WRAPS[wrap](good(), skips())
        goes, stays = total(both), task(leaves, name="stays", skip_on_upstream_skip=False)(both)

    state = flow.run(executor=executor)

    assert repr(state.result[goes]) == "<Skipped: 'skips was skipped.'>"
    assert state.result[stays].result == [1, None]


def test_a_person_who_approves_sees_what_there_is_and_what_failed():
    with Flow("f") as flow:
        approve = task(lambda xs: xs, name="approve", trigger=triggers.manual_only)([good(), bad()])

    state = flow.run()

    assert type(state.result[approve]) is Paused
    assert repr(state.result[approve].cached_inputs) == "{'xs': [1, ValueError('bad')]}"


@everywhere
def test_mapped_over_a_list_of_tasks_each_child_is_judged_by_its_own(executor):
    with Flow("f") as flow:
        found = total.map([good(), bad(), 5, skips()])

    state = flow.run(executor=executor)

    children = state.result[found].map_states
    assert [type(child) for child in children] == [Success, TriggerFailed, Success, Skipped]
    assert (children[0].result, children[2].result) == (1, 5)


@everywhere
def test_children_are_judged_by_each_task_of_a_collection_that_all_get(executor):
    with Flow("f") as flow:
        found = task(lambda x, ys: (x, ys), name="child").map([1, 2], ys=unmapped([good(), bad()]))

    state = flow.run(executor=executor)

    assert [child.message for child in state.result[found].map_states] == ["bad failed."] * 2


class Once:
    """Fails at the first call."""

    def __init__(self, value):
        self.value = value
        self.calls = 0

    def __call__(self):
        self.calls += 1
        if self.calls == 1:
            raise ValueError("not yet")
        return self.value


@everywhere
def test_what_failed_in_a_collection_is_gathered_anew_when_it_is_tried_again(executor):
    with Flow("f") as flow:
        both = [good(), task(Once(7), name="later")()]
        found, seen = total(both), whatever(both)
    run = flow.start(executor=executor)
    run.wait(20)

    state = run.retry().wait(20)

    assert (type(state), state.result[found].result) == (Success, [1, 7])
    assert repr(state.result[seen].result) == "[1, ValueError('not yet')]"


def test_a_new_run_with_the_states_of_another_gathers_what_runs_again():
    with Flow("f") as flow:
        later = task(Once(7), name="later")()
        found = total([good(), later])
    states = flow.run().result

    state = flow.run(task_states={each: known for each, known in states.items() if each not in (later, found)})

    assert state.result[found].result == [1, 7]


# Flattened


@task
def pages(x):
    if x == 2:
        raise SKIP("nothing today")
    if x == 3:
        raise ValueError("no page")
    return [x, x * 10]


@task
def inc(x):
    return x + 1


@everywhere
def test_of_a_flattened_map_a_skipped_child_skips_one_and_a_failed_one_fails_its_own_branch(executor):
    with Flow("f") as flow:
        found = inc.map(flatten(pages.map([1, 2, 3, 4])))
        each = task(lambda x: x, name="any", trigger=triggers.all_finished, skip_on_upstream_skip=False).map(
            flatten(pages.map([1, 2, 3]))
        )

    state = flow.run(executor=executor)

    children = state.result[found].map_states
    kinds = [Success, Success, Skipped, TriggerFailed, Success, Success]
    assert [type(child) for child in children] == kinds
    assert [child.result for child in children if type(child) is Success] == [2, 11, 5, 41]
    assert children[3].message == "pages failed."
    assert [repr(child.result) for child in state.result[each].map_states] == [
        "1",
        "10",
        "None",
        "ValueError('no page')",
    ]


@everywhere
def test_of_a_flattened_list_of_tasks_a_failed_one_fails_its_own_branch(executor):
    with Flow("f") as flow:
        found = inc.map(flatten([good([1, 2]), bad(), good([3])]))

    state = flow.run(executor=executor)

    assert [type(child) for child in state.result[found].map_states] == [Success, Success, TriggerFailed, Success]


@everywhere
def test_flattening_leaves_texts_and_what_has_no_elements_as_they_are(executor):
    with Flow("f") as flow:
        found = total.map(flatten(good([1, [2, 3], "ab", (4,), b"cd"])))

    assert flow.run(executor=executor).result[found].result == [1, 2, 3, "ab", 4, b"cd"]


def test_what_is_flattened_is_split_anew_when_a_new_epoch_changes_its_length():
    later = Once([5, 6, 7])
    with Flow("f") as flow:
        found = inc.map(flatten([good([1]), task(later, name="later")(), good([2])]))
    run = flow.start(executor=LocalExecutor())
    first = run.wait(20)

    state = run.retry().wait(20)

    assert [type(child) for child in first.result[found].map_states] == [Success, TriggerFailed, Success]
    assert state.result[found].result == [2, 6, 7, 8, 3]


def test_only_a_collection_that_was_gathered_is_judged_by_what_is_in_it():
    with Flow("f") as flow:
        total([good(), bad()])
    graph = flow.compile()
    spec = graph.specs["total"]
    states = {"List": Skipped(), "good": Success(), "bad": Failed()}
    before = judged(graph, spec, [states["List"]], states)
    states["List"] = Success()

    after = judged(graph, spec, [states["List"]], states)

    assert ([b.upstream for b in before[0].bindings], [type(s) for s in before[1]]) == (["List"], [Skipped])
    assert ([b.upstream for b in after[0].bindings], [type(s) for s in after[1]]) == (
        ["good", "bad"],
        [Success, Failed],
    )


def test_a_retry_that_changes_how_many_elements_there_are_while_the_run_goes_on_mixes_nothing_up():
    gate, ended, later = threading.Event(), threading.Event(), Once([5, 6, 7])

    with Flow("f") as flow:
        found = inc.map(flatten([good([1]), task(later, name="later")(), good([2])]))
        task(lambda _: ended.set(), name="ends", trigger=triggers.all_finished)(found)
        task(lambda: gate.wait(20), name="goes_on")()
    run = flow.start(executor=LocalDaskExecutor(num_workers=2))
    assert ended.wait(20)

    run.retry()
    gate.set()
    state = run.wait(20)

    children = state.result[found].map_states
    assert [type(child) for child in children] == [Success, Failed, Success]
    assert [children[0].result, children[2].result] == [2, 3]
    assert children[1].message == (
        "RunError: inc was split into 3 children, and after a retry above it there are 5 elements. Run the flow again."
    )
