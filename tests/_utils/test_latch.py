from __future__ import annotations

import threading

from flowbook._utils.latch import Latch

LONG_S = 30


def test_a_latch_is_waited_for_no_longer_than_it_takes():
    latch = Latch()
    found = [latch.is_set(), latch.wait(0)]

    latch.set()

    assert (found, latch.is_set(), latch.wait(0), latch.wait()) == ([False, False], True, True, True)


def test_all_threads_that_wait_go_on_once_it_is_set():
    latch, waits, found = Latch(), threading.Barrier(5), []

    def wait():
        waits.wait(LONG_S)
        found.append(latch.wait(LONG_S))

    threads = [threading.Thread(target=wait) for _ in range(4)]
    for thread in threads:
        thread.start()
    waits.wait(LONG_S)
    latch.set()
    for thread in threads:
        thread.join(LONG_S)

    assert found == [True] * 4


def test_setting_and_waiting_at_the_same_moment_lets_nobody_wait_for_ever():
    found = []
    for _ in range(300):
        latch, both = Latch(), threading.Barrier(2)
        waiter = threading.Thread(
            target=lambda latch=latch, both=both: (both.wait(LONG_S), found.append(latch.wait(LONG_S)))
        )
        waiter.start()
        both.wait(LONG_S)
        latch.set()
        waiter.join(LONG_S)

    assert found == [True] * 300
