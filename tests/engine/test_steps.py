from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from flowbook.engine import signals, steps
from flowbook.engine.graph import Binding, RetryPolicy, TaskSpec
from flowbook.engine.state import (
    Cached,
    Failed,
    Mapped,
    Paused,
    Pending,
    Resume,
    Retrying,
    Running,
    Scheduled,
    Skipped,
    Submitted,
    Success,
    TriggerFailed,
)
from flowbook.exceptions import HandlerError, RunError

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
NOW_S = NOW.timestamp()
LATER, EARLIER = NOW + dt.timedelta(seconds=1), NOW - dt.timedelta(seconds=1)


def spec(*bindings, **options):
    return TaskSpec(key="t", name="t", task=None, run=print, bindings=bindings, **options)


def whole(up):
    return Binding(up, up, mapped=False, flattened=False, edge=up)


def each(up):
    return Binding(up, up, mapped=True, flattened=False, edge=up)


def test_submitted_states_are_unwrapped_to_the_innermost():
    inner = Pending()

    assert steps.unwrap(Submitted(state=Submitted(state=inner))) is inner


@pytest.mark.parametrize(("state", "attempt"), [(Pending(), 1), (Paused(), 1), (Retrying(run_count=3), 4)])
def test_the_attempt_follows_the_run_count(state, attempt):
    assert steps.attempt_number(state) == attempt


@pytest.mark.parametrize(
    ("state", "rests"),
    [
        (Pending(), False),
        (Mapped(), False),
        (Cached(), False),
        (Scheduled(start_time=EARLIER), False),
        (Scheduled(start_time=LATER), True),
        (Retrying(start_time=NOW), False),
        (Resume(start_time=NOW), False),
        (Paused(), True),
        (Paused(start_time=EARLIER), False),
        (Paused(start_time=LATER), True),
        (Running(), True),
        (Success(), True),
        (Failed(), True),
        (Skipped(), True),
        (Submitted(), True),
    ],
    ids=repr,
)
def test_a_run_goes_on_only_from_what_may_go_on_and_when_its_time_has_come(state, rests):
    assert steps.rests(state, NOW_S) is rests


def test_a_skip_above_is_named_and_children_of_a_map_are_looked_at_one_by_one():
    one_skipped = Mapped(map_states=[Success(), Skipped()])

    found = [
        steps.skipped_by(spec(whole("a"), whole("b")), [Success(), Skipped()]),
        steps.skipped_by(spec(whole("a")), [one_skipped]),
        steps.skipped_by(spec(each("a")), [one_skipped]),
        steps.skipped_by(spec(whole("a"), skip_on_upstream_skip=False), [Skipped()]),
    ]

    assert found == ["b", "a", None, None]


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (signals.PAUSE("ask"), "<Paused: 'ask'>"),
        (signals.SKIP("no"), "<Skipped: 'no'>"),
        (signals.FAIL("bad"), "<TriggerFailed: 'bad'>"),
        (SystemExit(3), "<TriggerFailed: 'Trigger asks raised SystemExit: 3'>"),
    ],
)
def test_what_a_trigger_raises_becomes_a_state(raised, expected):
    def asks(_):
        raise raised

    state = steps.trigger_state(spec(trigger=asks), [], 1, NOW_S)

    assert repr(state) == expected


def test_a_trigger_that_asks_to_be_asked_again_does_not_spin_either():
    def asks(_):
        raise signals.RETRY

    third = steps.trigger_state(spec(trigger=asks), [], 3, NOW_S)

    assert (third.run_count, third.start_time) == (3, LATER)


def test_the_third_retry_in_a_row_waits_a_second_unless_a_time_is_given():
    at_once = [steps.signal_state(signals.RETRY(start_time=None), n, NOW_S).run_count for n in (1, 2)]
    third = steps.signal_state(signals.RETRY(), 3, NOW_S)
    given = steps.signal_state(signals.RETRY(start_time=LATER), 3, NOW_S)

    assert at_once == [1, 2]
    assert (third.start_time, third.run_count) == (LATER, 3)
    assert given.start_time == LATER


@pytest.mark.parametrize(
    ("state", "attempt", "again"),
    [
        (Failed(result=OSError()), 1, True),
        (Failed(result=OSError()), 2, True),
        (Failed(result=OSError()), 3, False),
        (Failed(result=ValueError()), 1, False),
        (Failed(result=HandlerError("h")), 1, False),
        (TriggerFailed(result=OSError()), 1, False),
        (Success(), 1, False),
    ],
)
def test_a_failed_attempt_is_made_again_while_some_are_left(state, attempt, again):
    found = steps.retry_state(state, RetryPolicy(2, 1.0, (OSError,)), attempt, NOW_S, {"x": 1})

    assert (found is not None) is again
    if found is not None:
        assert (found.start_time, found.run_count, found.cached_inputs) == (LATER, attempt, {"x": 1})
    assert steps.retry_state(state, None, attempt, NOW_S, {}) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([1, 2], [1, 2]),
        ((1, 2), [1, 2]),
        (range(2), [0, 1]),
        ("ab", ["a", "b"]),
        (pd.Series([1.5, 2.5]), [1.5, 2.5]),
        (np.arange(2), [0, 1]),
        (pd.Index(["a"]), ["a"]),
        ((n for n in (1, 2)), [1, 2]),
        (iter([3]), [3]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_these_can_be_mapped_over(value, expected):
    assert list(steps.elements(value, "x")) == expected


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        ({"a": 1}, "a dict is not a sequence. Map over list(x.items()), or over sorted(x) for a set."),
        (frozenset("a"), "a frozenset is not a sequence. Map over list(x.items()), or over sorted(x) for a set."),
        (
            pd.DataFrame({"a": [1]}),
            "a DataFrame is not a sequence. Split it first, e.g. into [part for _, part in frame.groupby(...)].",
        ),
        (np.array(3), "a ndarray is not a sequence. Return a list from the task above, or wrap it in unmapped(...)."),
        (3, "an int is not a sequence. Return a list from the task above, or wrap it in unmapped(...)."),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_order_or_no_elements_cannot(value, advice):
    with pytest.raises(RunError) as caught:
        steps.elements(value, "x")

    assert str(caught.value) == f"Can't map over 'x': {advice}"
    assert caught.value.argument == "x"


def test_lengths_that_differ_are_named():
    with pytest.raises(RunError) as caught:
        steps.width_of(spec(), {"x": 2, "y": 3})

    assert str(caught.value) == (
        "t is mapped over inputs of different lengths: x has 2, y has 3. Make them equal, or use unmapped(...)."
    )
    assert steps.width_of(spec(), {"x": 2, "y": 2}) == 2
