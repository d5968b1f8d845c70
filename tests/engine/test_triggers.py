from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import flowbook.triggers
from flowbook.engine import triggers
from flowbook.engine.signals import PAUSE, SKIP, TRIGGERFAIL
from flowbook.engine.state import Cancelled, Failed, Mapped, Skipped, Success, TriggerFailed

FINISHED = st.sampled_from([Success, Failed, Skipped, TriggerFailed, Cancelled])
UPSTREAM = st.lists(FINISHED, max_size=6).map(lambda kinds: [kind() for kind in kinds])


def passes(trigger, states):
    try:
        return trigger({f"t{i}": state for i, state in enumerate(states)})
    except (SKIP, TRIGGERFAIL):
        return False


def good(states):
    return sum(state.is_successful() for state in states)


def bad(states):
    return sum(state.is_failed() for state in states)


MEANINGS = {
    "all_successful": lambda s: good(s) == len(s),
    "all_failed": lambda s: bad(s) == len(s),
    "all_finished": lambda _: True,
    "always_run": lambda _: True,
    "any_successful": lambda s: not s or good(s) > 0,
    "any_failed": lambda s: not s or bad(s) > 0,
    "not_all_skipped": lambda s: good(s) == len(s) and (not s or any(not x.is_skipped() for x in s)),
}


@pytest.mark.parametrize("name", MEANINGS)
@given(states=UPSTREAM)
def test_a_trigger_means_what_its_name_says(name, states):
    assert passes(getattr(triggers, name), states) == MEANINGS[name](states)


@pytest.mark.parametrize("name", MEANINGS)
@given(states=UPSTREAM.filter(bool))
def test_a_mapped_upstream_counts_as_its_children(name, states):
    assert passes(getattr(triggers, name), [Mapped(map_states=states)]) == passes(getattr(triggers, name), states)


def test_of_an_empty_map_nothing_succeeded_and_nothing_failed():
    empty = [Mapped(map_states=[])]

    assert [passes(triggers.any_successful, empty), passes(triggers.any_failed, empty)] == [False, False]
    assert [passes(triggers.all_successful, empty), passes(triggers.all_failed, empty)] == [True, True]


@given(states=UPSTREAM, low=st.integers(0, 6), width=st.integers(0, 6))
def test_counts_are_bounds_on_both_sides(states, low, width):
    trigger = triggers.some_failed(at_least=low, at_most=low + width)

    assert passes(trigger, states) == (low <= bad(states) <= low + width)


@given(states=UPSTREAM, part=st.floats(0, 1))
def test_fractions_are_of_all_that_lies_above(states, part):
    trigger = triggers.some_successful(at_least=part)

    assert passes(trigger, states) == (good(states) >= part * len(states))


def test_manual_only_pauses():
    with pytest.raises(PAUSE):
        triggers.manual_only({})


def test_what_holds_a_task_back_is_named():
    states = {f"t{i}": Failed() for i in range(5)}

    with pytest.raises(TRIGGERFAIL) as caught:
        triggers.all_successful(states)

    assert str(caught.value) == "t0, t1, t2 and 2 more failed."


def test_the_public_module_has_all_of_them():
    assert set(flowbook.triggers.__all__) == set(triggers.__all__)
    assert all(getattr(flowbook.triggers, name) is getattr(triggers, name) for name in triggers.__all__)
