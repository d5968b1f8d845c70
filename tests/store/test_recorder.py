from __future__ import annotations

import datetime as dt
import errno
import fcntl
import logging
import math
import os
import threading
import weakref

import pytest

from flowbook.engine.events import FLOW, Decided, Logged, StateChanged
from flowbook.engine.graph import Binding, Graph, TaskSpec
from flowbook.engine.state import (
    Cached,
    Crashed,
    Failed,
    Looped,
    Mapped,
    Paused,
    Pending,
    RemoteError,
    Retrying,
    Running,
    Scheduled,
    Skipped,
    Submitted,
    Success,
)
from flowbook.exceptions import ResultGoneError, RunClaimedError, StoreError
from flowbook.store import RunRecord, Store, graph_record
from tests.store.run_helpers import begin, tell

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


def test_a_result_is_there_for_others_as_soon_as_emit_returns_where_few_finish(store: Store) -> None:
    recorder = begin(store)

    recorder.emit(StateChanged(1, "clean", Running()))
    recorder.emit(StateChanged(2, "clean", Success("Done.", result={"rows": 7})))

    state = store.history.states("r1")["clean"]
    assert (type(state), state.message, state.reference is not None, state.result) == (
        Success,
        "Done.",
        True,
        {"rows": 7},
    )
    recorder.close()


def test_results_that_come_close_together_are_committed_in_one_go_before_anybody_builds_on_one(store: Store) -> None:
    recorder = begin(store)
    recorder._next_commit = math.inf

    for seq, key in enumerate(("a[0]", "a[1]", "b"), 1):
        recorder.emit(StateChanged(seq, key, Success(result=seq)))
    recorder.secure(("c",))
    before = list(store.history.states("r1"))
    recorder.secure(("c", "a"))

    assert (before, list(store.history.states("r1"))) == ([], ["a[0]", "a[1]", "b"])
    assert not recorder._unsafe
    recorder.close()


def test_an_output_from_the_cache_holds_up_nobody_and_is_written_before_what_was_built_on_it(store: Store) -> None:
    recorder = begin(store)
    from_cache, made = (Cached("Output of then.", result=1, entry="e1", made_here=here) for here in (False, True))
    is_due = recorder._is_due
    due = []
    recorder._is_due = lambda urgency: due.append(is_due(urgency)) or due[-1]  # type: ignore[method-assign, func-returns-value]

    recorder.emit(StateChanged(1, "a", from_cache))
    recorder.secure(("a",))
    recorder.emit(StateChanged(2, "b", made))

    assert due == [False, True]
    assert list(store.history.states("r1")) == ["a", "b"]
    recorder.close()


@pytest.mark.parametrize("urgent", [Paused("Waits."), Retrying("Again.", start_time=NOON, run_count=2)])
def test_a_task_that_waits_is_committed_when_emit_returns(store: Store, urgent: Paused) -> None:
    recorder = begin(store)
    recorder._next_commit = math.inf

    recorder.emit(StateChanged(1, "a", Success(result=1)))
    recorder.emit(StateChanged(2, "b", urgent))

    assert list(store.history.states("r1")) == ["a", "b"]
    recorder.close()


def test_what_cannot_be_written_waits_in_order_and_is_still_unsafe(store: Store, monkeypatch) -> None:
    recorder = begin(store)
    write = store._database.write

    def full(_: object) -> None:
        msg = "disk full"
        raise StoreError(msg)

    monkeypatch.setattr(store._database, "write", full)
    tell(recorder, ("a", Success(result=1)), ("b", Success(result=2)))
    recorder.secure(("b",))
    told = recorder.trouble, dict(recorder._unsafe)
    monkeypatch.setattr(store._database, "write", write)
    recorder.secure(("b",))

    assert told == ("disk full", {"a": 1, "b": 1})
    assert (recorder.trouble, dict(recorder._unsafe), list(store.history.states("r1"))) == (None, {}, ["a", "b"])
    recorder.close()


def test_a_flood_that_nobody_builds_on_leaves_no_backlog(store: Store) -> None:
    recorder = begin(store)
    longest = 0

    for seq in range(1, 20_001):
        recorder.emit(Logged(seq, f"t{seq % 7}", 1.0, logging.INFO, "line"))
        longest = max(longest, len(recorder._rows))
    recorder.close()

    assert longest <= 2 * 2000
    assert len(store.history.logs("r1")) == 20_000


@pytest.mark.parametrize(
    "state",
    [
        Pending("Waits."),
        Scheduled("Later.", start_time=NOON),
        Paused("Waits for a person."),
        Paused("Until noon.", start_time=NOON, context={"by": "me"}),
        Retrying("Again.", start_time=NOON, run_count=2),
        Submitted(state=Scheduled(start_time=NOON)),
        Running(),
        Looped(loop_count=3),
        Success(result=[1, "a", None]),
        Cached(
            result=3,
            input_hashes={"x": "ab"},
            parameters={"o": "JFK"},
            expiry=NOON,
            entry="e1",
            created=NOON,
            stale_code=True,
        ),
        Mapped(n_map_states=0),
        Skipped("Nothing to do."),
        Crashed("Its process ended."),
    ],
    ids=lambda state: type(state).__name__,
)
def test_a_state_comes_back_as_it_was(store: Store, state: Success) -> None:
    recorder = begin(store)

    tell(recorder, ("a", state))
    recorder.close()

    back = store.history.states("r1")["a"]
    _ = back.result
    assert back == state
    assert (back.message, back.at) == (state.message, state.at)
    if isinstance(state, Cached):
        assert (back.entry, back.created, back.stale_code) == ("e1", NOON, True)


def test_an_exception_comes_back_with_its_traceback_in_words(store: Store) -> None:
    recorder = begin(store)
    try:
        raise ValueError("no rows")  # noqa: TRY301
    except ValueError as exc:
        error = exc

    tell(recorder, ("a", Failed("It failed.", result=error)))

    back = store.history.states("r1")["a"].result
    assert (type(back), back.args) == (ValueError, ("no rows",))
    assert 'raise ValueError("no rows")' in str(back.__cause__)
    recorder.close()


def test_an_exception_that_cannot_be_pickled_comes_back_as_a_stand_in(store: Store) -> None:
    class Odd(Exception):  # noqa: N818
        def __init__(self) -> None:
            super().__init__("odd")
            self.lock = threading.Lock()

    recorder = begin(store)

    tell(recorder, ("a", Failed("It failed.", result=Odd())))

    back = store.history.states("r1")["a"].result
    assert (type(back), str(back)) == (RemoteError, "Odd: odd")
    recorder.close()


def test_inputs_of_a_waiting_task_are_kept_as_references(store: Store) -> None:
    recorder = begin(store)

    tell(recorder, ("approve", Paused("Waits.", cached_inputs={"report": [1, 2], "name": "EWR"})))

    inputs = store.history.states("r1")["approve"].cached_inputs
    assert inputs is not None
    assert {name: ref.load() for name, ref in inputs.items()} == {"report": [1, 2], "name": "EWR"}
    recorder.close()


def test_an_input_that_was_recorded_as_an_output_is_not_written_again(store: Store) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": range(1000)})
    recorder = begin(store)

    tell(recorder, ("a", Success(result=frame)), ("b", Paused(cached_inputs={"x": frame})))

    states = store.history.states("r1")
    assert states["b"].cached_inputs == {"x": states["a"].reference}
    recorder.close()


def test_an_output_that_is_its_changed_input_is_written_as_it_is_now(store: Store) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1]})
    recorder = begin(store)

    recorder.emit(StateChanged(1, "a", Success(result=frame)))
    frame["b"] = 2
    recorder.emit(StateChanged(2, "b", Success(result=frame)))
    recorder.flush()

    states = store.history.states("r1")
    assert [list(states[key].result.columns) for key in "ab"] == [["a"], ["a", "b"]]
    recorder.close()


def test_a_recorder_keeps_no_value_alive(store: Store) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": range(10)})
    watched = weakref.ref(frame)
    recorder = begin(store)

    recorder.emit(StateChanged(1, "a", Success(result=frame)))
    del frame

    assert watched() is None
    recorder.close()


def test_what_cannot_be_pickled_is_said_where_it_is_missed(store: Store) -> None:
    recorder = begin(store)

    tell(recorder, ("a", Success(result={"lock": threading.Lock()})), ("b", Success(result=1)))

    states = store.history.states("r1")
    with pytest.raises(ResultGoneError, match=r"its \['lock'\] is a _thread.lock"):
        _ = states["a"].result
    assert states["b"].result == 1
    recorder.close()


def test_a_value_over_the_limit_is_not_kept_but_an_input_is(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWBOOK_MAX_VALUE_BYTES", "100000")
    recorder = begin(store)
    large = b"x" * 200_000

    tell(recorder, ("a", Success(result=large)), ("b", Paused(cached_inputs={"x": large})))

    states = store.history.states("r1")
    with pytest.raises(ResultGoneError, match=r"bytes is larger than the limit of 100\.0 kB"):
        _ = states["a"].result
    assert states["b"].cached_inputs is not None
    assert states["b"].cached_inputs["x"].load() == large
    recorder.close()


def test_a_value_that_must_not_be_kept_is_not_kept_as_an_input_either(store: Store) -> None:
    specs = [
        TaskSpec(key="secret", name="secret", task=None, run=print, keep=False),
        TaskSpec(
            key="ask",
            name="ask",
            task=None,
            run=print,
            upstream=("secret",),
            bindings=(Binding("secret", "word", mapped=False, flattened=False, edge=None),),
        ),
    ]
    graph = Graph("f", {spec.key: spec for spec in specs}, {"secret": ("ask",), "ask": ()}, ("ask",), ("ask",))
    store.runs.create(RunRecord(run_id="r1", flow="f", project="p", graph=graph_record(graph)))
    recorder = store.runs.recorder("r1", 1)

    tell(recorder, ("secret", Success(result="hunter2")), ("ask", Paused(cached_inputs={"word": "hunter2", "n": 1})))

    states = store.history.states("r1")
    inputs = states["ask"].cached_inputs
    assert inputs is not None
    assert inputs["n"].load() == 1
    with pytest.raises(ResultGoneError, match="input 'word' comes from task 'secret', which is marked keep=False"):
        inputs["word"].load()
    with pytest.raises(ResultGoneError, match="task 'secret' is marked keep=False"):
        _ = states["secret"].result
    recorder.close()


def test_children_stand_in_their_parents_state(store: Store) -> None:
    recorder = begin(store)

    tell(
        recorder,
        ("clean", Mapped(n_map_states=2)),
        ("clean[1]", Failed("No.", result=ValueError("b"))),
        ("clean[0]", Success(result="a")),
    )

    states = store.history.states("r1")
    parent = states["clean"]
    assert isinstance(parent, Mapped)
    assert parent.map_states == [states["clean[0]"], states["clean[1]"]]
    assert parent.map_states[0].result == "a"
    recorder.close()


def test_states_can_be_read_as_they_were_at_a_moment(store: Store) -> None:
    recorder = begin(store)
    early, late = Running(), Success(result=1)
    early.at, late.at = 1000.0, 2000.0

    tell(recorder, ("a", early), ("a", late))

    moment = dt.datetime.fromtimestamp(1500, dt.UTC)
    assert [type(store.history.states("r1", at=at)["a"]) for at in (moment, None)] == [Running, Success]
    assert store.history.states("r1", at=dt.datetime.fromtimestamp(500, dt.UTC)) == {}
    recorder.close()


def test_events_logs_and_decisions_come_back_in_order(store: Store) -> None:
    recorder = begin(store)

    recorder.emit(StateChanged(1, FLOW, Running()))
    recorder.emit(Logged(2, "a", 10.5, logging.INFO, "hello"))
    recorder.emit(Logged(3, "b", 10.6, logging.ERROR, "oh"))
    recorder.emit(Decided(4, "a", 11.0, "resume", "me", "looks good"))
    recorder.close()

    assert [event.seq for event in store.history.events("r1")] == [1, 2, 3, 4]
    assert [event.seq for event in store.history.events("r1", since=2)] == [3, 4]
    assert [(log.at, log.level, log.text) for log in store.history.logs("r1", "a")] == [(10.5, logging.INFO, "hello")]
    decided = store.history.decisions("r1")[0]
    assert (decided.key, decided.at, decided.action, decided.by, decided.note) == (
        "a",
        11.0,
        "resume",
        "me",
        "looks good",
    )


def test_a_flood_of_lines_is_cut_with_a_notice(store: Store) -> None:
    recorder = begin(store)

    for seq in range(1, 10_101):
        recorder.emit(Logged(seq, "a", 1.0, logging.INFO, f"line {seq}"))
    recorder.close()

    logs = store.history.logs("r1")
    assert (len(logs), logs[-1].text) == (10_001, "More than 10,000 lines: the rest is dropped.")


def test_numbers_go_on_after_somebody_took_the_run_up(store: Store) -> None:
    first = begin(store)
    tell(first, ("a", Success(result=1)))
    first.close()

    epoch = store.ownership.claim("r1", 1, "there:2")
    second = store.runs.recorder("r1", epoch)
    second.emit(StateChanged(1, "b", Success(result=2)))
    second.close()

    assert (second.last_seq, [(event.seq, event.key) for event in store.history.events("r1")]) == (
        1,
        [(1, "a"), (2, "b")],
    )


def test_who_lost_the_run_writes_nothing_more(store: Store) -> None:
    first = begin(store)
    tell(first, ("a", Success(result=1)))

    store.ownership.claim("r1", 1, "there:2")
    first.emit(StateChanged(2, "b", Success(result=2)))
    first.close()

    assert list(store.history.states("r1")) == ["a"]


def test_many_threads_lose_no_event(store: Store) -> None:
    recorder = begin(store)

    def emit(first: int) -> None:
        for seq in range(first, first + 50):
            recorder.emit(StateChanged(seq, f"m[{seq}]", Success(result=seq) if seq % 2 else Running()))

    threads = [threading.Thread(target=emit, args=(1 + 50 * index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.close()

    assert [event.seq for event in store.history.events("r1")] == list(range(1, 201))


def test_the_flow_s_states_show_in_the_list_of_runs(store: Store) -> None:
    recorder = begin(store)
    running, paused = Running(), Paused("Waits for approve.")
    running.at, paused.at = 1000.0, 1060.0

    tell(
        recorder,
        (FLOW, running),
        ("a", Success(result=1)),
        ("m", Mapped(n_map_states=1)),
        ("m[0]", Success()),
        (FLOW, paused),
    )
    recorder.close()

    summary = store.runs.summary("r1")
    assert (summary.state, summary.message, dict(summary.counts)) == (
        "Paused",
        "Waits for approve.",
        {"Mapped": 1, "Success": 1},
    )
    assert summary.started is not None
    assert (summary.started.timestamp(), summary.ended) == (1000.0, None)


def test_a_strange_state_never_makes_emit_raise(store: Store) -> None:
    class Odd(Success):
        __slots__ = ()

    class Rude:
        def __reduce__(self) -> str:
            raise RuntimeError

        def __repr__(self) -> str:
            raise RuntimeError

    recorder = begin(store)

    tell(
        recorder,
        ("a", Odd(result=1)),
        ("b", Success(result=Rude(), context={"x": object()})),
        ("c", Success("Done.", context={"x": {(1, 2): 3}})),
        ("d", Failed("Told to.", result=[1, 2])),
    )

    states = store.history.states("r1")
    assert (type(states["a"]), states["a"].result) == (Success, 1)
    assert (states["c"].message, states["c"].context) == ("Done.", {"text": "{'x': {(1, 2): 3}}"})
    assert states["d"].result == [1, 2]
    with pytest.raises(ResultGoneError):
        _ = states["b"].result
    recorder.close()


def test_an_event_that_cannot_be_written_as_it_is_is_written_otherwise_and_holds_up_no_other(store: Store) -> None:
    recorder = begin(store)

    for event in (
        StateChanged(1, "again", Running()),
        StateChanged(1, "a", Success(result=1)),
        StateChanged(2, "b", Success()),
    ):
        recorder.emit(event)
    recorder.emit(StateChanged(3, "odd \ud800", Success("odd \ud800")))
    recorder.emit(Logged(4, "a", 1.0, logging.INFO, "odd \ud800"))
    recorder.close()

    assert (list(store.history.states("r1")), recorder.trouble) == (
        ["again", "a", "b", "odd \\ud800"],
        None,
    )
    assert [event.seq for event in store.history.events("r1")] == [1, 2, 3, 4, 5]
    assert [log.text for log in store.history.logs("r1")] == ["odd \\ud800"]


def test_what_comes_after_the_end_is_recorded_still(store: Store) -> None:
    recorder = begin(store)
    recorder.close()

    recorder.emit(StateChanged(1, "a", Running()))

    assert list(store.history.states("r1")) == ["a"]


def test_a_finished_flow_shows_when_it_ended(store: Store) -> None:
    recorder = begin(store)
    done = Success()
    done.at = 1060.0

    tell(recorder, (FLOW, Running()), (FLOW, done))

    ended = store.runs.summary("r1").ended
    assert ended is not None
    assert ended.timestamp() == 1060.0
    recorder.close()


def test_who_lost_the_run_gets_no_recorder(store: Store) -> None:
    begin(store).close()
    store.ownership.claim("r1", 1, "there:2")

    with pytest.raises(RunClaimedError, match="there:2 goes on with run r1 since"):
        store.runs.recorder("r1", 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="platform: no fork here")
def test_a_forked_child_writes_nothing_of_its_parent_s_run(store: Store) -> None:
    recorder = begin(store)
    tell(recorder, ("a", Running()))

    child = os.fork()
    if child == 0:
        try:
            recorder.emit(Logged(2, "a", 1.0, logging.INFO, "from the child"))
            recorder.emit(StateChanged(3, "b", Success(result=1)))
            recorder.secure(("b",))
            recorder.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    tell(recorder, ("a", Success(result=1)), after=1)
    recorder.close()

    assert [(event.seq, event.key) for event in store.history.events("r1")] == [(1, "a"), (2, "a")]
    assert recorder.unrecorded is None


@pytest.mark.skipif(os.name == "nt", reason="platform: flock")
def test_a_lock_that_fails_for_a_moment_costs_no_event(disk_store: Store, monkeypatch) -> None:
    recorder = begin(disk_store)
    flock, left = fcntl.flock, [5]

    def refuse(descriptor: int, operation: int) -> None:
        if operation == fcntl.LOCK_EX and left[0]:
            left[0] -= 1
            raise OSError(errno.ENOLCK, "No locks available")
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", refuse)
    tell(recorder, ("a", Success(result=1)))
    recorder.close()

    assert (left, recorder.trouble, recorder.unrecorded) == ([0], None, None)
    assert list(disk_store.history.states("r1")) == ["a"]


@pytest.mark.skipif(os.name == "nt", reason="platform: flock")
def test_a_lock_that_fails_for_good_ends_the_record_with_a_word(disk_store: Store, monkeypatch, caplog) -> None:
    recorder = begin(disk_store)
    tell(recorder, ("a", Success(result=1)))
    monkeypatch.setattr("flowbook.store.database._LOCK_RETRY_S", 0.0)

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", refuse)
        tell(recorder, ("b", Success(result=1)), after=1)
        recorder.close()

    why = f"The store {disk_store._database.path} can't be locked: No locks available. Nothing is written to it without its"
    assert recorder.unrecorded is not None
    assert recorder.unrecorded.startswith(why)
    assert f"The run is not recorded any more: {why}" in caplog.text
    assert list(disk_store.history.states("r1")) == ["a"]


def test_what_waits_while_nothing_can_be_written_takes_no_endless_memory(store: Store, monkeypatch) -> None:
    recorder = begin(store)
    monkeypatch.setattr("flowbook.store.recorder._MOST_WAITING_BYTES", 100_000)

    def full(_: object) -> None:
        msg = "The disk is full."
        raise StoreError(msg)

    monkeypatch.setattr(store._database, "write", full)
    for seq in range(1, 10):
        recorder.emit(StateChanged(seq, f"t{seq}", Success(result="x" * 30_000 + str(seq))))

    assert recorder.unrecorded == "The disk is full. Its events took too much memory while they waited."
    assert recorder._rows == []
    recorder.close()


def test_a_foreign_trigger_in_the_store_ends_the_record_with_a_word(disk_store: Store) -> None:
    recorder = begin(disk_store)
    tell(recorder, ("a", Success(result=1)))
    disk_store._database.write(
        lambda connection: connection.execute(
            "CREATE TRIGGER foreign_one BEFORE INSERT ON event BEGIN SELECT RAISE(ABORT, 'not here'); END"
        )
    )

    tell(recorder, ("b", Success(result=1)), after=1)
    recorder.close()

    assert recorder.unrecorded == "Success of 'b' can't be written: not here"
    assert list(disk_store.history.states("r1")) == ["a"]
