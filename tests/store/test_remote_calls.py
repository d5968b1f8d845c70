"""The list of calls, the components that it lists, and how their arguments travel."""

from __future__ import annotations

import datetime as dt

import pytest

from flowbook.engine.events import Decided, InputChange, Logged, StateChanged
from flowbook.engine.remote_error import RemoteError
from flowbook.engine.state import (
    Cached,
    Cancelling,
    Failed,
    Mapped,
    Paused,
    Pending,
    Resume,
    Retrying,
    Scheduled,
    State,
    Submitted,
    Success,
)
from flowbook.results.reference import ResultRef
from flowbook.store import remote_components as remote
from flowbook.store.event_rows import EventRow, Urgency
from flowbook.store.records import RunRecord, RunSummary
from flowbook.store.remote_calls import COMPONENTS, call_of
from flowbook.store.values import Unstored
from flowbook.store.wire_codec import WireError, coder_of

_AT = dt.datetime(2026, 1, 2, 3, 4, 5, 678901, dt.UTC)
_DIGEST = "ab" * 32


@pytest.mark.parametrize(
    "name", [f"{component}.{each}" for component in COMPONENTS for each in COMPONENTS[component][1]]
)
def test_the_types_of_each_call_travel(name):
    assert call_of(name) is not None


def test_a_call_that_is_not_listed_is_none():
    assert [call_of(name) for name in ("runs._database", "values.load", "nothing.get", "runs", "")] == [None] * 5


def test_what_the_client_answers_itself_is_what_it_says():
    for name in ("recorder", "store_flow"):
        assert hasattr(remote.RemoteRuns, name)
    assert hasattr(remote.RemoteRequests, "version")


def _there_and_back(kind, value):
    coder = coder_of(kind)
    return coder.decode(coder.encode(value), None)


@pytest.mark.parametrize(
    "state",
    [
        Pending("wait"),
        Scheduled(start_time=_AT),
        Paused("ask", deadline=_AT, otherwise="reject", asks="finance", cached_inputs={"x": ResultRef(_DIGEST, 3)}),
        Resume("go", start_time=_AT, action="skip", by="ada"),
        Retrying("again", start_time=_AT, run_count=2),
        Submitted("soon", state=Scheduled(start_time=_AT)),
        Success("done", ResultRef(_DIGEST, 17)),
        Cached("kept", ResultRef(_DIGEST, 17), {"x": "h"}, {"p": 1}, _AT, entry="e", created=_AT),
        Cancelling(),
        Mapped("wide", map_states=[Success(result=ResultRef(_DIGEST, 1)), Failed("no")]),
        Failed("no", RemoteError("ValueError", "no", "Traceback")),
    ],
    ids=lambda state: type(state).__name__,
)
def test_a_state_travels(state):
    found = _there_and_back(State, state)

    assert (type(found), found.at, found.message) == (type(state), state.at, state.message)
    assert repr(found.raw_result) == repr(state.raw_result)
    assert found.cached_inputs == state.cached_inputs
    for name in type(state).fields:
        if name != "map_states":
            assert getattr(found, name) == getattr(state, name)
    if isinstance(state, Mapped):
        assert [type(each) for each in found.map_states] == [Success, Failed]


def test_a_value_that_was_not_kept_says_so_at_the_other_end():
    found = _there_and_back(State, Success(result=ResultRef("", 0, Unstored("too large"))))

    assert found.raw_result.store == Unstored("too large")


def test_events_travel_with_their_kinds():
    events = [
        StateChanged(1, "a", Success(result=ResultRef(_DIGEST, 4))),
        Logged(2, "a", 1.5, 20, "line", ResultRef(_DIGEST, 4)),
        Decided(3, "a", 2.5, "resume", "ada", "fine", [InputChange("x", "b", "a", "1 → 2")], {"x": "h"}),
    ]

    found = _there_and_back(list[StateChanged | Logged | Decided], events)

    assert list(map(repr, found)) == list(map(repr, events))
    assert found[2].changes == events[2].changes
    assert found[2].looked_at == {"x": "h"}


def test_a_row_of_an_event_travels_with_the_bytes_of_its_values():
    row = EventRow(
        (7, 1, 0, "a", 1.25, "Success", None, b"\x00" * 32, 4),
        Urgency.NOW,
        "a",
        [(b"d", 4, b"[1]\xff", None, None, 1.5)],
    )

    found = _there_and_back(EventRow, row)

    assert found == row._replace(values=((b"d", 4, b"[1]\xff", None, None, 1.5),))
    assert found.urgency is Urgency.NOW


def test_records_travel_field_by_field():
    record = RunRecord("r1", "f", "p", {"name": "f", "tasks": []}, _AT, 3, {"n": 1}, ResultRef(_DIGEST, 1), due=_AT)
    summary = RunSummary("r1", "f", 1, "p", _AT, {}, "", "", 1, None, None, "Success", None, _AT, None, {"Success": 2})

    assert _there_and_back(RunRecord, record) == record
    assert _there_and_back(RunSummary, summary) == summary


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (int, "1"), (int, True), (str, 1), (bool, 0), (float, "1.0"), (bytes, "é"), (dt.datetime, "now"),
        (list[int], {}), (tuple[int, str], [1]), (dict[str, int], []), (ResultRef, ["x", 1]), (ResultRef, [_DIGEST]),
        (State, ["Nothing", 1.0, None, None, []]), (State, ["Success", 1.0, "{", None, []]), (State, 1),
        (RunRecord, []), (StateChanged | Logged, ["Else", []]), (dt.timedelta, 1e300), (Urgency, 9),
    ],
)  # fmt: skip
def test_what_is_of_another_type_is_refused(kind, given):
    coder = coder_of(kind)
    if kind is ResultRef and given == [_DIGEST]:
        return  # a value that wasn't kept, for that reason

    with pytest.raises((WireError, ValueError)):
        coder.decode(given, None)


def test_arguments_are_compared_with_the_method():
    call = call_of("runs.get")

    assert call.decode({"run_id": "r1"}, None) == {"run_id": "r1"}
    for wrong, why in (
        ({}, "'run_id' is missing"),
        ({"run_id": "r", "x": 1}, "no argument 'x'"),
        ({"run_id": 1}, "no str"),
    ):
        with pytest.raises(WireError, match=why):
            call.decode(wrong, None)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (int, 1 << 63),
        (int, -(1 << 63) - 1),
        (int, True),
        (float, 10**400),
        (dt.datetime, "0001-01-01T00:00:00+14:00"),
        (dt.datetime, "9999-12-31T23:59:59-14:00"),
        (dt.datetime, "yesterday"),
        (dt.timedelta, 1e300),
        (ResultRef, [_DIGEST, 1 << 64]),
        (tuple[object, ...], [1 << 64]),
        (State, ["Success", float("nan"), {}, None, []]),
        (State, ["Success", 1e300, {}, None, []]),
    ],
)
def test_what_the_store_could_not_hold_or_read_again_does_not_come_over_the_wire(kind, given):
    with pytest.raises(WireError):
        coder_of(kind).decode(given, None)
