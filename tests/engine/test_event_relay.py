from __future__ import annotations

import sys
import threading

import pytest

from flowbook._utils.locks import Rank, RankedLock, held_locks
from flowbook.engine.event_relay import EventRelay
from flowbook.engine.events import Logged, StateChanged
from flowbook.engine.state import Failed, Running, Success


class Heard:
    """A plain sink that notes what it hears, and which locks its thread held then."""

    def __init__(self):
        self.events = []
        self.locks = []

    def emit(self, event):
        self.events.append(event)
        self.locks.append(held_locks())


class Recorded:
    """A durable sink that notes what is recorded; `hold` delays the event of that key."""

    def __init__(self, hold=None):
        self.calls = []
        self.hold = hold
        self.is_holding = threading.Event()
        self.go_on = threading.Event()

    def emit(self, event):
        if event.key == self.hold:
            self.is_holding.set()
            assert self.go_on.wait(30)
        self.calls.append(("emit", event.key, event.seq))

    def secure(self, keys):
        self.calls.append(("secure", *keys))


@pytest.fixture
def often_switched():
    """Let threads take turns every microsecond."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def told(sink):
    return [(event.seq, event.key) for event in sink.events]


def test_events_are_numbered_on_from_the_first_number():
    heard = Heard()
    relay = EventRelay([heard], 7)

    relay.state_changed("a", Running())
    relay.emit(Logged, "a", 0.0, 20, "a line")

    assert (told(heard), relay.next_seq) == ([(7, "a"), (8, "a")], 9)


def test_what_happens_under_a_lock_is_heard_of_after_it():
    heard, lock = Heard(), RankedLock(Rank.EPOCH)
    relay = EventRelay([heard], 1)

    with lock:
        relay.gather(StateChanged, "a", Success())
        under_it = told(heard)
    relay.pass_on()

    assert (under_it, told(heard), heard.locks) == ([], [(1, "a")], [[]])


def test_an_event_is_recorded_before_anybody_hears_of_it():
    recorded = Recorded()
    order = recorded.calls

    class Listener:
        def emit(self, event):
            order.append(("heard", event.key, event.seq))

    relay = EventRelay([Listener(), recorded], 1)
    relay.gather(StateChanged, "a", Success())
    relay.state_changed("b", Success())

    assert order == [("emit", "b", 2), ("emit", "a", 1), ("heard", "a", 1), ("heard", "b", 2)]


def test_what_was_gathered_is_recorded_before_something_builds_on_it():
    recorded = Recorded()
    relay = EventRelay([recorded], 1)
    relay.gather(StateChanged, "a", Success())

    relay.secure(["a"])

    assert recorded.calls == [("emit", "a", 1), ("secure", "a")]


def test_whoever_builds_on_an_event_waits_for_another_thread_that_records_it():
    recorded = Recorded(hold="a")
    relay = EventRelay([recorded], 1)
    relay.gather(StateChanged, "a", Success())
    recording = threading.Thread(target=relay.pass_on)
    building = threading.Thread(target=relay.secure, args=(["a"],))

    recording.start()
    assert recorded.is_holding.wait(30)
    building.start()
    recorded.go_on.set()
    building.join()
    recording.join()

    assert recorded.calls == [("emit", "a", 1), ("secure", "a")]


def test_an_event_that_is_still_being_recorded_holds_up_those_after_it_and_not_their_recording():
    recorded, heard = Recorded(hold="slow"), Heard()
    relay = EventRelay([recorded, heard], 1)
    slow = threading.Thread(target=relay.state_changed, args=("slow", Success()))

    slow.start()
    assert recorded.is_holding.wait(30)
    relay.state_changed("fast", Success())
    meanwhile = (list(recorded.calls), told(heard))
    recorded.go_on.set()
    slow.join()

    assert meanwhile == ([("emit", "fast", 2)], [])
    assert told(heard) == [(1, "slow"), (2, "fast")]


def test_what_a_subscriber_causes_is_heard_of_after_the_event_that_it_answers():
    heard = Heard()

    class Answers(Heard):
        def emit(self, event):
            super().emit(event)
            if event.key == "a":
                relay.emit(Logged, "answer", 0.0, 20, "an answer")
                heard.events.append(event)

    relay = EventRelay([answers := Answers()], 1)
    relay.state_changed("a", Running())
    relay.state_changed("b", Running())

    assert (told(answers), told(heard)) == ([(1, "a"), (2, "answer"), (3, "b")], [(1, "a")])


@pytest.mark.usefixtures("often_switched")
@pytest.mark.parametrize("sinks", [1, 2], ids=["only heard of", "recorded too"])
def test_events_of_several_threads_are_heard_of_in_order_and_once(sinks):
    heard, recorded = Heard(), Recorded()
    relay = EventRelay([heard, recorded][:sinks], 1)
    begin = threading.Barrier(4)

    def tell(name):
        begin.wait()
        for number in range(200):
            if number % 5:
                relay.state_changed(name, Running())
            else:
                relay.gather(StateChanged, name, Running())
                relay.pass_on()

    threads = [threading.Thread(target=tell, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [event.seq for event in heard.events] == list(range(1, 801))
    assert sorted(call[2] for call in recorded.calls) == (list(range(1, 801)) if sinks == 2 else [])


def test_a_relay_that_was_closed_passes_nothing_on():
    heard = Heard()
    relay = EventRelay([heard], 1)
    relay.state_changed("a", Running())

    relay.close()
    relay.state_changed("a", Success())
    relay.emit(Logged, "a", 0.0, 20, "a line")

    assert told(heard) == [(1, "a")]


class Log:
    """A log that nobody subscribed to."""

    subscribers = ()

    def __init__(self):
        self.events = []

    def writer(self, parts):
        self.append(StateChanged(*parts))

    def append(self, event):
        self.events.append(event)

    def deliver(self):
        """There is nobody."""


class HeardOfTrouble(Heard):
    """A selective sink: all is quiet but for failures."""

    quiet = frozenset({Running, Success})


def test_a_selective_sink_hears_of_what_is_not_quiet_and_the_log_of_everything():
    trouble, log = HeardOfTrouble(), Log()
    relay = EventRelay([log, trouble], 1)

    for state in (Running(), Failed(), Running(), Success()):
        relay.state_changed("a", state)
    relay.emit(Logged, "a", 0.0, 30, "a line")

    assert (told(trouble), [event.seq for event in log.events]) == ([(2, "a"), (5, "a")], [1, 2, 3, 4, 5])


def test_a_selective_sink_keeps_no_other_from_hearing_everything():
    heard, trouble = Heard(), HeardOfTrouble()
    relay = EventRelay([heard, trouble], 1)

    for state in (Running(), Failed()):
        relay.state_changed("a", state)

    assert told(heard) == [(1, "a"), (2, "a")]
