import datetime as dt

import pytest

from flowbook.engine.answer import ending
from flowbook.engine.graph import RetryPolicy
from flowbook.engine.state import (
    Cached,
    Cancelled,
    Failed,
    Mapped,
    Paused,
    Pending,
    Queued,
    Resume,
    Retrying,
    Running,
    Skipped,
    State,
    Success,
    TimedOut,
    TriggerFailed,
)
from flowbook.report import phrases
from tests.graphs import task

NOW = dt.datetime(2026, 11, 23, 9, 42, tzinfo=dt.UTC).timestamp()


REJECTED = ending("approve", Resume(action="reject", by="ada", note="odd"))


def any_failed(*_: object) -> bool:
    return False


def _of(**states: State):
    return states.get


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "< 1 ms"),
        (0.04, "40 ms"),
        (3.82, "3.8 s"),
        (59.9, "59.9 s"),
        (240, "4 min"),
        (7200, "2 h"),
        (400_000, "5 d"),
    ],
)
def test_durations_have_one_unit(seconds: float, told: str) -> None:
    assert phrases.duration(seconds) == told


@pytest.mark.parametrize(
    ("state", "attempt", "told"),
    [
        (Retrying(run_count=1), 2, "then attempt 2 of 4"),
        (Running(), 2, "attempt 2 of 4"),
        (Running(), 1, ""),
        (Success(), 2, "on attempt 2 of 4"),
        (Success(), 1, ""),
        (Paused(), 1, "waits for a person"),
        (Paused(asks="finance"), 1, "waits for finance"),
        (Skipped("Skipped by ada."), 1, "Skipped by ada."),
        (REJECTED, 1, "Rejected by ada: odd"),
        (Queued("2 of 2 workers are busy"), 1, "2 of 2 workers are busy"),
        (Failed(result=ValueError("80 flights\nhave no weather")), 1, "ValueError: 80 flights have no weather"),
        (TimedOut(), 1, "took longer than 5.0 s"),
        (Cached(stale_code=True), 1, "code changed since"),
    ],
)
def test_the_third_line_says_only_what_the_word_does_not(state: State, attempt: int, told: str) -> None:
    spec = task("fetch", retry=RetryPolicy(3, 1.0), timeout_s=5.0)

    assert phrases.note(spec, state, attempt, _of(), NOW) == told


def test_a_failed_trigger_names_what_went_wrong_above() -> None:
    spec = task("publish", "load", "clean")
    states = _of(load=Failed(), clean=Success())

    assert phrases.note(spec, TriggerFailed(), 1, states, NOW) == "load failed"
    assert phrases.why(spec, TriggerFailed(), 1, states, NOW) == [
        ["Why it did not run", "Its trigger all_successful did not pass: load failed."]
    ]


def test_a_trigger_that_waits_for_failures_says_that_there_were_none() -> None:
    spec = task("notify", "load", trigger=any_failed)
    states = _of(load=Success())

    assert phrases.note(spec, TriggerFailed(), 1, states, NOW) == "nothing above it failed"
    assert phrases.why(spec, TriggerFailed(), 1, states, NOW) == [
        ["Why it did not run", "Its trigger any_failed did not pass: nothing above it failed."]
    ]


def test_a_skipped_task_names_what_was_skipped_above() -> None:
    spec = task("publish", "load")

    told = phrases.why(spec, Skipped(), 1, _of(load=Skipped()), NOW)

    assert told == [["Why it was skipped", "load was skipped."]]


def test_a_task_that_a_person_skipped_says_who_and_why() -> None:
    state = ending("approve", Resume(action="skip", by="ada", note="nothing new"))

    told = phrases.why(task("approve", "load"), state, 1, _of(load=Success()), NOW)

    assert told == [["Why it was skipped", "Skipped by ada: nothing new."]]


def test_a_task_that_waits_says_for_whom_and_until_when() -> None:
    spec = task("approve", is_manual=True)
    waits = Paused(deadline=dt.datetime.fromtimestamp(NOW + 11_520, dt.UTC), otherwise="skip", asks="finance")
    waits.at = NOW - 60
    due = phrases.clock(NOW + 11_520, NOW)

    notes = [phrases.note(spec, waits, 1, _of(), now) for now in (NOW, NOW + 11_520)]
    told = phrases.why(spec, waits, 1, _of(), NOW)

    assert notes == [
        f"waits for finance, until {due}",
        f"waits for finance since {phrases.clock(NOW - 60, NOW)}: overdue",
    ]
    assert told == [
        ["Why it waits", "Its trigger is manual_only: only a person starts it."],
        ["Who is asked", "finance"],
        ["Until when", f"If nobody answers by {due}, in 3 h 12 min, it is skipped."],
    ]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(-3, "0 s"), (0.2, "0 s"), (40, "40 s"), (59.6, "1 min"), (720, "12 min"), (3600, "1 h"), (11_520, "3 h 12 min"),
     (86_400, "1 d"), (187_200, "2 d 4 h")],
)  # fmt: skip
def test_the_time_that_remains_has_two_units_at_most(seconds: float, told: str) -> None:
    assert phrases.remaining(seconds) == told


def test_a_cached_task_says_from_when_and_which_entry() -> None:
    made = dt.datetime.fromtimestamp(NOW - 60, dt.UTC)
    moment = phrases.clock(NOW - 60, NOW)

    fitting = phrases.why(task("summarise"), Cached(entry="e7", created=made), 1, _of(), NOW)
    stale = phrases.why(task("summarise"), Cached(entry="e7", created=made, stale_code=True), 1, _of(), NOW)

    assert fitting == [["Why it did not run", f"Its output of {moment} (entry e7) still fits. It is kept for good."]]
    assert stale[0] == ["Why it did not run", f"Its output of {moment} (entry e7) was taken. It is kept for good."]
    assert stale[1][0] == "Mind"


def test_a_cached_task_says_whether_it_was_served_or_ran_and_was_kept() -> None:
    expiry = dt.datetime.fromtimestamp(NOW + 86_400, dt.UTC)
    state = Cached(entry="e7", created=dt.datetime.fromtimestamp(NOW - 60, dt.UTC), expiry=expiry)
    until = phrases.clock(expiry.timestamp(), NOW)

    told = {ran: phrases.note(task("summarise"), state, 1, _of(), NOW, has_run=ran) for ran in (True, False)}
    why = {ran: phrases.why(task("summarise"), state, 1, _of(), NOW, has_run=ran) for ran in (True, False)}

    assert told == {True: f"kept until {until}", False: "served from the cache"}
    assert [question for question, _ in why[True]] == ["Why it ran", "Its output"]
    assert [question for question, _ in why[False]] == ["Why it did not run"]


def test_a_task_whose_output_could_not_be_cached_says_why() -> None:
    told = phrases.why(task("fit"), Success("Not cached: Its code reads global lock"), 1, _of(), NOW)

    assert told == [
        ["Why it ran", "It waits for nothing."],
        ["Its output", "Not cached: Its code reads global lock."],
    ]


def test_a_task_that_was_rejected_did_not_run() -> None:
    assert phrases.why(task("approve"), REJECTED, 1, _of(), NOW) == [["Why it did not run", "It was rejected."]]


def test_a_failed_task_says_why_it_was_not_tried_again() -> None:
    spec = task("fetch", retry=RetryPolicy(3, 1.0, on=(TimeoutError,)))

    told = phrases.why(spec, Failed(result=ValueError("no")), 1, _of(), NOW)

    assert told == [
        ["Why it ran", "It waits for nothing."],
        ["Why it isn't retried", "It is retried on TimeoutError only."],
    ]


def test_an_error_whose_text_raises_is_still_told() -> None:
    class OddError(Exception):
        def __str__(self) -> str:
            raise KeyError

    assert phrases.error_text(OddError()) == "OddError: (its message can't be shown: KeyError)"


def test_a_pending_task_says_what_it_waits_for() -> None:
    told = phrases.why(task("publish", "a", "b", "c"), Pending(), 1, _of(a=Success(), b=Running()), NOW)

    assert told == [["What it waits for", "b and c."]]


def test_children_that_failed_are_named_below_their_mapped_task() -> None:
    spec = task("combine", "parse", "load")
    failed = {"parse[17]": Failed(), "parse[90]": Failed(), "parse[151]": Failed(), "parse[3]": Success()}
    states = {"parse": Mapped(n_map_states=200), "load": Cancelled(), **failed}.get

    note = phrases.note(spec, TriggerFailed(), 1, states, NOW)
    why = phrases.why(spec, TriggerFailed(), 1, states, NOW)

    assert note == "parse[17], parse[90] and parse[151] failed, load was cancelled"
    assert why == [["Why it did not run", f"Its trigger all_successful did not pass: {note}."]]


def test_children_without_states_of_their_own_are_known_from_their_task() -> None:
    spec = task("combine", "parse")
    states = {"parse": Mapped(map_states=[Success(), Failed(), TimedOut()])}.get

    assert phrases.note(spec, TriggerFailed(), 1, states, NOW) == "parse[1] failed, parse[2] took too long"
