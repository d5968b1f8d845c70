import subprocess
import sys
import threading

import pytest

from flowbook._utils import locks
from flowbook._utils.locks import Rank, RankedCondition, RankedLock, RankedRLock, held_locks, violations


def test_locks_are_taken_in_the_order_of_their_ranks():
    outer, inner = RankedLock(Rank.RUN), RankedLock(Rank.EPOCH)

    with outer, inner:
        held = held_locks()

    assert (held, held_locks()) == (["RUN", "EPOCH"], [])


@pytest.mark.parametrize("second", [Rank.RUN, Rank.EPOCH], ids=["lower", "equal"])
def test_a_lock_whose_rank_is_not_above_those_held_is_refused(second):
    outer, inner = RankedLock(Rank.EPOCH, "an epoch"), RankedLock(second, "another lock")

    with outer, pytest.raises(AssertionError) as refused:
        inner.acquire()

    message = (
        f"This thread holds an epoch and takes another lock, whose rank ({second.name}) isn't above EPOCH. "
        "Take them in the order of Rank, or release first."
    )
    assert (str(refused.value), violations(), violations()) == (message, [message], [])
    assert (inner.locked(), held_locks()) == (False, [])


def test_a_lock_may_be_tried_in_any_order_as_nobody_waits_for_it():
    outer, inner = RankedLock(Rank.EPOCH), RankedLock(Rank.RUN)

    with outer:
        taken = inner.acquire(blocking=False)
        inner.release()

    assert taken is True


def test_a_reentrant_lock_is_taken_again_under_a_higher_one():
    run, epoch = RankedRLock(Rank.RUN), RankedLock(Rank.EPOCH)

    with run, epoch, run:
        held = held_locks()

    assert (held, held_locks()) == (["RUN", "EPOCH", "RUN"], [])


def test_each_thread_holds_locks_of_its_own():
    held_elsewhere = []
    thread = threading.Thread(target=lambda: held_elsewhere.append(held_locks()))

    with RankedLock(Rank.DATABASE):
        thread.start()
        thread.join()

    assert held_elsewhere == [[]]


def test_a_condition_lets_go_of_its_lock_while_it_waits():
    condition, news = RankedCondition(Rank.EPOCH), []

    def tell():
        with condition:
            news.append("told")
            condition.notify()

    with condition:
        threading.Thread(target=tell).start()
        came = condition.wait_for(lambda: news, timeout=30)
        held = held_locks()

    assert (came, held, held_locks()) == (["told"], ["EPOCH"], [])


def test_locks_are_plain_where_they_are_not_checked(monkeypatch):
    monkeypatch.setattr(locks, "_checks", False)

    kinds = [type(RankedLock(Rank.RUN)), type(RankedRLock(Rank.RUN))]

    assert kinds == [type(threading.Lock()), type(threading.RLock())]


def test_subprocesses_of_tests_check_their_locks():
    program = (
        "from flowbook._utils.locks import Rank, RankedLock\nwith RankedLock(Rank.PIPE): RankedLock(Rank.RUN).acquire()"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert (done.returncode, "isn't above PIPE" in done.stderr) == (1, True)
