import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowbook.engine.state import Finished, Looped, Paused, State, Success
from flowbook.engine.state_kinds import (
    DISPLAY_ORDER,
    FAILED,
    FINISHED,
    OPEN,
    RUNNING,
    UPCOMING,
    WAITING,
    failed_by_itself,
    mapped_state,
    waits_for_person,
)

#: What a task can be in; Finished alone is only a base.
KINDS = [kind for kind in State.children() if kind is not Finished and kind.__module__ == Success.__module__]


def test_every_state_has_its_place_in_the_order_once():
    assert sorted(DISPLAY_ORDER) == sorted(kind.__name__ for kind in KINDS)


def test_a_state_is_over_or_running_or_waiting_or_upcoming():
    groups = (FINISHED, RUNNING, WAITING, UPCOMING)

    assert [sum(name in group for group in groups) for name in DISPLAY_ORDER] == [1] * len(DISPLAY_ORDER)
    assert frozenset(DISPLAY_ORDER) - FINISHED == OPEN


def test_what_is_over_is_what_the_classes_call_finished():
    """Looped is finished for a handler, but its task runs again at once."""
    assert {
        kind.__name__ for kind in (Finished, *Finished.children()) if kind is not Looped and kind in (Finished, *KINDS)
    } == FINISHED


def test_who_failed_by_itself_is_said_alike_of_states_and_names():
    assert [kind.__name__ for kind in KINDS if failed_by_itself(kind())] == list(FAILED)


def test_only_a_pause_without_an_end_waits_for_a_person():
    later = Success().timestamp

    assert [waits_for_person(each) for each in (Paused(), Paused(start_time=later), Success(), None)] == [
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("counts", "name"),
    [
        ({"Failed": 1, "Running": 2}, "Running"),
        ({"Success": 1, "Pending": 2}, "Running"),
        ({"Failed": 1, "Pending": 2}, "Running"),
        ({"Paused": 1, "Pending": 1}, "Paused"),
        ({"Success": 2, "Cached": 1, "Skipped": 1}, "Success"),
        ({"Skipped": 3}, "Skipped"),
        ({"Success": 1, "TriggerFailed": 1, "TimedOut": 1}, "TimedOut"),
        ({"Pending": 2, "Queued": 1}, "Queued"),
        ({"Success": 1, "Failed": 0}, "Success"),
        ({"Success": 7, "Running": 2, "Failed": 1, "Pending": 2}, "Running"),
        ({"Success": 7, "Retrying": 1, "Failed": 1}, "Retrying"),
        ({"Success": 7, "Paused": 1, "Failed": 1, "Pending": 1}, "Paused"),
        ({"Success": 7, "Failed": 1}, "Failed"),
        ({"Pending": 5}, "Pending"),
        ({"Cached": 5}, "Cached"),
        ({"Cancelled": 2, "Success": 1}, "Cancelled"),
        ({}, "Success"),
    ],
)
def test_a_mapped_task_shows_one_state_for_its_children(counts, name):
    assert mapped_state(counts) == name


@given(st.dictionaries(st.sampled_from(DISPLAY_ORDER), st.integers(0, 3)))
def test_what_a_mapped_task_shows_does_not_depend_on_the_order_of_the_counts(counts):
    orders = itertools.islice(itertools.permutations(counts.items()), 24)

    assert len({mapped_state(dict(order)) for order in orders}) == 1


@given(st.dictionaries(st.sampled_from(DISPLAY_ORDER), st.integers(1, 3), min_size=1))
def test_a_mapped_task_is_over_exactly_when_its_children_are(counts):
    assert (mapped_state(counts) in FINISHED) == all(name in FINISHED for name in counts)
