"""case, switch, ifelse and merge: what runs is decided while the flow runs."""

import pytest

from flowbook import Flow, Parameter, apply_map, case, ifelse, merge, switch, task, triggers
from flowbook.tasks import control_flow
from tests.executors_of import everywhere


@task
def inc(x):
    return x + 1


@task
def load():
    return 1


@task
def fails():
    msg = "broken"
    raise RuntimeError(msg)


def kinds(flow, state):
    return {key: type(state.result[each]).__name__ for each, key in flow.keys().items()}


@everywhere
@pytest.mark.parametrize(("given", "expected"), [(True, 3), (False, 11)])
def test_only_the_case_that_fits_runs_and_merge_gives_its_result(executor, given, expected):
    with Flow("cases") as flow:
        cond = Parameter("cond")
        with case(cond, True):
            yes = inc(inc(load()))
        with case(cond, False):
            no = inc(10)
        end = merge(yes, no)

    state = flow.run(cond=given, executor=executor)

    assert state.is_successful()
    assert state.result[end].result == expected
    assert (state.result[yes].is_skipped(), state.result[no].is_skipped()) == (not given, given)


def test_a_task_without_inputs_waits_for_its_case():
    with Flow("cases") as flow, case(Parameter("cond"), "a"):
        load()

    state = flow.run(cond="b")

    assert kinds(flow, state) == {"load": "Skipped", "case('a')": "Skipped", "cond": "Success"}


def test_a_case_within_a_case_runs_only_where_both_fit():
    with Flow("cases") as flow:
        a, b = Parameter("a"), Parameter("b")
        with case(a, True), case(b, True):
            inner = load()

    ran = [(x, y) for x in (True, False) for y in (True, False) if not flow.run(a=x, b=y).result[inner].is_skipped()]

    assert ran == [(True, True)]


def test_a_parameter_first_named_in_a_case_does_not_wait_for_it():
    with Flow("cases") as flow:
        cond = Parameter("cond")
        with case(cond, True):
            other = Parameter("other", 5)
            inc(other)

    state = flow.run(cond=False)

    assert state.result[other].result == 5


def test_a_case_compares_by_equality_and_says_what_it_saw():
    with Flow("cases") as flow, case(Parameter("cond"), True):
        load()

    state = flow.run(cond="truthy")

    assert [s.message for s in state.result.values() if s.is_skipped()] == [
        "It is 'truthy', not True.",
        "case(True) was skipped.",
    ]


def test_an_error_in_a_case_block_is_the_users_own():
    with pytest.raises(ZeroDivisionError), Flow("cases"), case(Parameter("cond"), True):
        1 / 0  # noqa: B018


@everywhere
def test_switch_runs_only_the_task_of_the_value(executor):
    with Flow("switch") as flow:
        which = Parameter("which")
        a, b, c = inc(1), inc(2), inc(3)
        switch(which, {"a": a, "b": b, "c": c})
        end = merge(a, b, c)

    results = [flow.run(which=each, executor=executor).result[end].result for each in "abc"]

    assert results == [2, 3, 4]


def test_a_switch_that_fits_nowhere_skips_all_and_the_merge():
    with Flow("switch") as flow:
        a, b = inc(1), inc(2)
        switch(Parameter("which"), {"a": a, "b": b})
        merge(a, b)

    state = flow.run(which="z")

    assert type(state).__name__ == "Success"
    assert kinds(flow, state) == {
        "inc": "Skipped",
        "inc-2": "Skipped",
        "case('a')": "Skipped",
        "which": "Success",
        "case('b')": "Skipped",
        "merge": "Skipped",
    }


@pytest.mark.parametrize(("given", "expected"), [([1], "Success"), ([], "Skipped")])
def test_ifelse_goes_by_truth_and_may_lack_a_side(given, expected):
    with Flow("ifelse") as flow:
        then = load()
        ifelse(Parameter("x"), then, None)

    state = flow.run(x=given)

    assert type(state.result[then]).__name__ == expected


@everywhere
def test_a_mapped_switch_decides_child_by_child(executor):
    with Flow("switch") as flow:
        numbers = [1, 2, 3]
        small, large = inc.map(numbers), inc.map([10, 20, 30])
        switch(inc.map([0, 1, 0]), {1: small, 2: large}, mapped=True)
        end = merge(small, large, mapped=True)

    state = flow.run(executor=executor)

    assert state.result[end].result == [2, 21, 4]


def test_merge_of_more_than_ten_branches_takes_the_first_in_their_order():
    with Flow("many") as flow:
        ends = [inc(index) for index in range(12)]
        end = merge(*ends)

    state = flow.run()

    assert state.result[end].result == 1


def test_merge_fails_where_a_branch_failed():
    with Flow("merge") as flow:
        end = merge(fails(), load())

    state = flow.run()

    assert state.is_failed()
    assert type(state.result[end]).__name__ == "TriggerFailed"


def test_the_names_promised_elsewhere_are_the_same_objects():
    assert (control_flow.case, control_flow.switch, control_flow.ifelse, control_flow.merge) == (
        case,
        switch,
        ifelse,
        merge,
    )


@task
def same(x):
    return x


@everywhere
@pytest.mark.parametrize("taken", [True, False])
def test_a_merge_in_a_case_that_is_not_taken_is_skipped_whatever_its_branches_did(executor, taken):
    with Flow("merges") as flow:
        p, outside, numbers = Parameter("p"), same("outside"), same([1, 2])
        with case(p, True):
            inside = same("inside")
            ends = [
                merge(outside),
                merge(inside, outside),
                merge(outside, 5),
                same(merge(outside)),
                merge(numbers, mapped=True),
                merge(inc.map(numbers), numbers, mapped=True),
            ]

    state = flow.run(p=taken, executor=executor)

    expected = ["outside", "inside", "outside", "outside", [1, 2], [2, 3]] if taken else [None] * 6
    assert state.is_successful()
    assert [state.result[end].result for end in ends] == expected
    assert [state.result[end].is_skipped() for end in ends] == [not taken] * 6


@everywhere
@pytest.mark.parametrize("option", [{"skip_on_upstream_skip": False}, {"trigger": triggers.always_run}])
def test_no_option_lets_a_task_run_in_a_case_that_is_not_taken(executor, option):
    runs = task(lambda x=0: x, name="runs", skip_on_upstream_skip=False, trigger=triggers.always_run)
    with Flow("options") as flow:
        outside = same(1)
        with case(same(False), True):
            inside = same(2)
            some = task(lambda x=0: x, name="some", **option)
            ends = [each for ran in (some, runs) for each in (ran(), ran(outside), ran(inside))]
        with case(same(False), True), case(same(True), True):
            ends.append(runs(outside))
        below = runs(ends[0])

    state = flow.run(executor=executor)

    assert [type(state.result[end]).__name__ for end in ends] == ["Skipped"] * 7
    assert type(state.result[below]).__name__ == "Success"


@everywhere
def test_a_switch_skips_also_a_task_that_would_run_after_a_skip(executor):
    stubborn = same.copy(skip_on_upstream_skip=False)
    with Flow("switch") as flow:
        a, b = stubborn("a"), stubborn("b")
        switch(same("a"), {"a": a, "b": b, "c": 5})

    state = flow.run(executor=executor)

    assert (state.result[a].result, state.result[b].is_skipped()) == ("a", True)


@everywhere
@pytest.mark.parametrize(("given", "expected"), [(True, 2), (False, 5)])
def test_a_plain_value_in_a_merge_is_a_branch_that_is_never_skipped(executor, given, expected):
    with Flow("merge") as flow:
        with case(same(given), True):
            y = inc(1)
        ends = [merge(y, 5), merge(y, [5])]

    state = flow.run(executor=executor)

    assert [state.result[end].result for end in ends] == [expected, expected if given else [5]]


def test_a_merge_with_a_plain_value_fails_where_a_branch_failed():
    with Flow("merge") as flow:
        end = merge(fails(), 5)

    state = flow.run()

    assert type(state.result[end]).__name__ == "TriggerFailed"


@pytest.mark.parametrize("way", ["the flow is given", "by its first task"])
@pytest.mark.parametrize(("given", "expected"), [(True, [2, 2]), (False, [None, 2])])
def test_a_case_outside_a_flows_block_decides_on_the_tasks_in_it(way, given, expected):
    flow = Flow("imperative")
    decides = same.copy().bind(given, flow=flow)
    with case(decides, True, flow=flow) if way == "the flow is given" else case(decides, True):
        inside = inc.copy().bind(1, flow=flow)
    after = inc.copy().bind(1, flow=flow)

    state = flow.run()

    assert [state.result[each].result for each in (inside, after)] == expected


def test_cases_outside_a_flows_block_may_be_nested():
    flow = Flow("imperative")
    yes, no = same.copy().bind(True, flow=flow), same.copy().bind(False, flow=flow)
    with case(yes, True):
        outer = inc.copy().bind(1, flow=flow)
        with case(no, True):
            inner = inc.copy().bind(2, flow=flow)

    state = flow.run()

    assert [state.result[each].result for each in (outer, inner)] == [2, None]


def test_an_error_in_a_case_outside_a_flow_is_the_users_own():
    with pytest.raises(ZeroDivisionError), case(same, True):
        1 / 0  # noqa: B018


@everywhere
def test_a_mapped_switch_skips_children_that_would_run_after_a_skip(executor):
    stubborn = inc.copy(skip_on_upstream_skip=False)
    with Flow("switch") as flow:
        small, large = stubborn.map([1, 2, 3]), stubborn.map([10, 20, 30])
        switch(same.map([0, 1, 0]), {1: small, 0: large}, mapped=True)

    state = flow.run(executor=executor)

    assert [state.result[each].result for each in (small, large)] == [[None, 3, None], [11, None, 31]]


@everywhere
def test_switch_and_ifelse_decide_within_apply_map(executor):
    def body(x):
        small, large = inc(x), same(x * 100)
        switch(x > 1, {False: small, True: large})
        only = same(x)
        ifelse(x > 1, only, None)
        return merge(small, large), merge(only, -1)

    with Flow("mapped") as flow:
        ends = apply_map(body, [1, 2])

    state = flow.run(executor=executor)

    assert [state.result[end].result for end in ends] == [[2, 200], [-1, 2]]
