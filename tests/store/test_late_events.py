"""A reader of a record sees each event once, also one that comes after others with larger numbers."""

from __future__ import annotations

from flowbook.engine.events import Logged, StateChanged
from flowbook.engine.state import Retrying, Running, Success
from flowbook.store.late_events import LateEvents, newest_states


def _events(*numbers: int) -> list[Logged]:
    return [Logged(number, "a", 20, "line", 0.0) for number in numbers]


def _seen(late: LateEvents, *numbers: int) -> list[int]:
    return [event.seq for event in late.unseen(_events(*numbers))]


def test_without_a_gap_only_what_is_new_is_read() -> None:
    late = LateEvents([1, 2, 3])

    assert (late.since(0.0), late.gap) == (3, None)
    assert _seen(late, 4, 5) == [4, 5]
    assert (late.since(0.0), late.gap) == (5, None)


def test_an_event_that_comes_late_is_seen_once() -> None:
    late = LateEvents([1])

    assert _seen(late, 2, 4, 5) == [2, 4, 5]
    assert (late.since(10.0), late.since(10.09), late.gap) == (5, 5, 2)
    assert late.since(10.1) == 2
    assert _seen(late, 3, 4, 5, 6) == [3, 6]
    assert (late.since(10.2), late.gap) == (6, None)


def test_a_gap_that_stays_is_looked_at_less_and_less_often() -> None:
    late = LateEvents([1, 3])
    tenths = range(1, 641)

    looks = [now for now in tenths if late.since(now / 10 + 0.001) == 1]

    assert len(looks) <= 10


def test_where_nothing_more_is_written_no_gap_is_looked_at_again() -> None:
    late = LateEvents([1, 3])

    late.settle()

    assert (late.gap, late.since(9.0)) == (None, 3)
    assert _seen(late, 4) == [4]


def test_a_late_state_counts_unless_a_newer_one_of_that_task_is_known() -> None:
    known = [StateChanged(1, "a", Running()), StateChanged(4, "b", Success()), StateChanged(5, "a", Running())]
    late = [StateChanged(2, "a", Retrying()), StateChanged(3, "c", Success())]

    assert list(newest_states(late, known, 5)) == ["c"]
    assert list(newest_states([StateChanged(6, "a", Success())], known, 5)) == ["a"]


def test_a_record_may_be_read_from_its_middle_and_be_empty() -> None:
    assert (LateEvents([7, 8]).since(0.0), LateEvents([]).since(0.0)) == (8, 0)
