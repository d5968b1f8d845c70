from __future__ import annotations

import copy
import datetime as dt
import pickle
import threading

import pandas as pd
import pytest

from flowbook.engine import state as states
from flowbook.engine.state import (
    Cached,
    Crashed,
    Failed,
    Finished,
    Looped,
    Mapped,
    Paused,
    Pending,
    Queued,
    RemoteError,
    Resume,
    Retrying,
    Running,
    Scheduled,
    Skipped,
    State,
    Submitted,
    Success,
    TimedOut,
    TriggerFailed,
    ValidationFailed,
)
from flowbook.exceptions import DefinitionError
from flowbook.results.reference import ResultRef

TREE = {
    "Pending": "State",
    "Scheduled": "Pending",
    "Paused": "Scheduled",
    "Resume": "Scheduled",
    "Queued": "Scheduled",
    "Retrying": "Scheduled",
    "Running": "State",
    "Cancelling": "Running",
    "Submitted": "State",
    "Finished": "State",
    "Looped": "Finished",
    "Success": "Finished",
    "Cached": "Success",
    "Mapped": "Success",
    "Skipped": "Success",
    "Cancelled": "Finished",
    "Failed": "Finished",
    "TimedOut": "Failed",
    "TriggerFailed": "Failed",
    "ValidationFailed": "Failed",
    "Crashed": "Failed",
}
CLASSES = [getattr(states, name) for name in TREE]
PREDICATES = {
    "is_pending": Pending,
    "is_scheduled": Scheduled,
    "is_queued": Queued,
    "is_paused": Paused,
    "is_retrying": Retrying,
    "is_submitted": Submitted,
    "is_running": Running,
    "is_finished": Finished,
    "is_looped": Looped,
    "is_cached": Cached,
    "is_mapped": Mapped,
    "is_skipped": Skipped,
    "is_successful": Success,
    "is_cancelled": states.Cancelled,
    "is_failed": Failed,
}


def test_the_states_form_the_tree_that_is_promised():
    assert {each.__name__: each.__mro__[1].__name__ for each in CLASSES} == TREE
    assert set(states.__all__) == {*TREE, "State", "RemoteError"}


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_a_predicate_is_a_check_of_the_class(kind):
    state = kind()

    answers = {name: getattr(state, name)() for name in PREDICATES}

    assert answers == {name: issubclass(kind, base) for name, base in PREDICATES.items()}


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_a_state_pickles_and_is_equal_to_its_twin_but_not_the_same(kind):
    state = kind("why", cached_inputs={"x": [1]})

    twin = pickle.loads(pickle.dumps(state))

    assert (twin, twin.message, twin.at) == (state, "why", state.at)
    assert hash(twin) != hash(state)
    assert copy.copy(state) == state


def test_equality_looks_at_type_fields_and_result_but_not_at_the_message():
    assert Success("a", 1) == Success("b", 1)
    assert Success(result=1) != Success(result=2)
    assert Success(result=1) != Skipped(result=1)
    assert Retrying(run_count=1, start_time=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)) != Retrying(
        run_count=2, start_time=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    )
    assert Success() != "Success"


def test_frames_are_compared_by_content_and_never_by_their_own_equality():
    frame = pd.DataFrame({"a": [1, 2]})

    same, other = (
        Success(result=frame) == Success(result=frame.copy()),
        Success(result=frame) == Success(result=frame + 1),
    )

    assert (same, other) == (True, False)


def test_a_start_time_is_aware_utc_and_a_naive_one_means_local_time():
    naive = dt.datetime(2026, 3, 1, 12)  # noqa: DTZ001

    state = Scheduled(start_time=naive)

    assert state.start_time == naive.astimezone(dt.UTC)
    assert state.start_time.tzinfo is dt.UTC
    assert Paused().start_time is None
    assert Resume().start_time == pytest.approx(dt.datetime.now(dt.UTC), abs=dt.timedelta(seconds=5))


def test_a_result_in_a_store_is_loaded_when_first_read_and_once():
    loads = []

    class Values:
        def load(self, ref):
            loads.append(ref.digest)
            return 7

    state = Success(result=ResultRef("ab", 1, Values()))
    held = state.reference

    read = state.result, state.result

    assert (read, loads, held.digest, state.reference) == ((7, 7), ["ab"], "ab", None)


def test_the_result_of_a_mapped_state_is_the_list_of_its_childrens():
    error = ValueError("x")

    state = Mapped(map_states=[Success(result=1), Failed(result=error)])

    assert (state.result, state.n_map_states) == ([1, error], 2)


def test_an_exception_that_cannot_be_pickled_travels_as_a_stand_in():
    class LockedError(Exception):
        pass

    error = LockedError("shut", threading.Lock())
    state = Failed("LockedError", error)

    twin = pickle.loads(pickle.dumps(state))

    assert isinstance(twin.result, RemoteError)
    assert (twin.result.type_name, str(twin.result).split(",")[0]) == ("LockedError", "LockedError: ('shut'")
    assert "LockedError" in twin.result.formatted
    assert RemoteError.of(twin.result) is twin.result


def test_an_exception_that_can_be_pickled_stays_what_it_is():
    twin = pickle.loads(pickle.dumps(Failed(result=OSError("busy"))))

    assert (type(twin.result), str(twin.result)) == (OSError, "busy")


def test_a_copy_may_be_changed_and_the_original_stays():
    state = Success("a", 1)

    twin = state.copy()
    twin.message, twin.result = "b", 2

    assert (state.message, state.result) == ("a", 1)


def test_a_state_shows_its_kind_and_message():
    assert [repr(each) for each in (State(), Failed("why"))] == ["<State>", "<Failed: 'why'>"]
    assert all(re_color.startswith("#") for re_color in (kind.color for kind in CLASSES))


@pytest.mark.parametrize("make", [threading.Lock, lambda: (x for x in "ab")])
def test_results_without_content_are_equal_only_to_themselves(make):
    value = make()

    assert Success(result=value) == Success(result=value)
    assert Success(result=value) != Success(result=make())


@pytest.mark.parametrize("moment", ["2026-01-01", 5, dt.date(2026, 1, 1), dt.timedelta(1)])
def test_what_is_no_moment_is_refused_with_its_value(moment):
    with pytest.raises(DefinitionError) as refused:
        Scheduled(start_time=moment)

    assert str(refused.value).startswith(f"{moment!r} isn't a datetime that the clock can reach. Give one, e.g. ")


def test_what_was_not_noted_is_an_empty_dict():
    state = Success()

    assert (state.context, state.cached_inputs) == ({}, {})
    assert state == Success(context={}, cached_inputs={})


def test_a_mapped_state_without_children_has_the_result_it_was_given():
    assert Mapped(result=[1, 2]).result == [1, 2]
    assert Mapped(result=[1, 2], map_states=[Success(result=3)]).result == [3]
    assert Mapped().result == []


def test_a_class_of_states_knows_its_parents_and_children():
    assert Cached.parents() == (Success, Finished, State)
    assert Failed.children() == (TimedOut, TriggerFailed, ValidationFailed, Crashed)
    assert set(Scheduled.children()) == {Paused, Resume, Queued, Retrying}


def test_what_a_state_holds_is_read_without_loading_it():
    loaded = []

    class Values:
        def load(self, ref):
            loaded.append(ref)
            return 5

    ref = ResultRef("ab", 1, Values())
    state = Success(result=ref)

    assert (state.raw_result, loaded) == (ref, [])
    assert (state.result, state.raw_result) == (5, 5)


def test_states_pickled_by_an_older_flowbook_are_read():
    state = Success.__new__(Success)

    state.__setstate__({"message": "old", "_result": 7, "context": {"a": 1}, "cached_inputs": None, "at": 5.0})

    assert (state.message, state.result, state.context, state.cached_inputs, state.at) == ("old", 7, {"a": 1}, {}, 5.0)
