"""What a run has told, kept small."""

import threading

from flowbook.engine.event_log import EventLog
from flowbook.engine.events import Decided, Logged, StateChanged
from flowbook.engine.state import Running, Success

RUNNING, SUCCESS = Running(), Success(result=[1])
EVENTS = [
    StateChanged(1, "clean", RUNNING),
    Logged(2, "clean", 5.0, 20, "half way"),
    StateChanged(3, "clean", SUCCESS),
    Decided(4, "clean", 6.0, "retry", "me", ""),
]


def _parts(events):
    return [(type(each), *(getattr(each, name) for name in type(each).__slots__)) for each in events]


def _log():
    log = EventLog()
    log.extend(EVENTS)
    return log


def test_events_come_back_as_they_were_told_and_in_that_order():
    log = _log()

    assert _parts(log) == _parts(EVENTS)
    assert [each for each in log if not isinstance(each, StateChanged)] == [EVENTS[1], EVENTS[3]]


def test_events_come_back_from_the_newest_on():
    assert _parts(reversed(_log())) == _parts(reversed(EVENTS))


def test_a_log_is_as_long_as_what_was_told():
    assert (len(EventLog()), len(_log())) == (0, 4)
    assert not EventLog()


def test_a_state_is_handed_on_and_not_copied():
    found = [each.state for each in _log() if isinstance(each, StateChanged)]

    assert found[0] is RUNNING
    assert found[1] is SUCCESS


def test_an_iteration_does_not_see_what_is_told_meanwhile():
    log = _log()

    seen = [log.append(EVENTS[0]) for _ in log]

    assert len(seen) == len(EVENTS)
    assert len(log) == 2 * len(EVENTS)


def test_threads_do_not_mix_the_parts_of_their_events():
    log = EventLog()
    events = {name: [StateChanged(number, name, RUNNING) for number in range(2_000)] for name in "abcd"}

    threads = [threading.Thread(target=log.extend, args=(each,)) for each in events.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    told = list(log)
    assert {name: [each.seq for each in told if each.key == name] for name in events} == {
        name: list(range(2_000)) for name in events
    }
