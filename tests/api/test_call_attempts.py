"""A call that is repeated because its connection broke is carried out once, although its first attempt is still under way."""

from __future__ import annotations

import threading

import pytest

from flowbook.api.call_attempts import CallAttempts
from flowbook.store import RunRecord
from flowbook.store.api_client import ApiClient, LostError
from flowbook.store.records import Request
from flowbook.store.remote_calls import call_of
from flowbook.store.served_store import ServedRequests
from tests.served import served

WAIT_S = 20


def test_a_repetition_waits_for_the_first_attempt(monkeypatch):
    attempts, waits, order = CallAttempts(), threading.Event(), []
    wait = attempts._wait
    monkeypatch.setattr(attempts, "_wait", lambda: (waits.set(), wait()))

    def repeat():
        with attempts.attempt("a call", is_again=True) as is_wanted:
            order.append(("repeated", is_wanted))

    repeating = threading.Thread(target=repeat)
    with attempts.attempt("a call", is_again=False) as is_wanted:
        repeating.start()
        assert waits.wait(WAIT_S)
        order.append(("first", is_wanted))
    repeating.join()

    assert order == [("first", True), ("repeated", True)]


@pytest.mark.parametrize("name", ["a call", ""])
def test_a_first_attempt_that_comes_after_its_repetition_is_not_wanted_any_more(name):
    attempts = CallAttempts()

    with attempts.attempt(name, is_again=True) as is_repeated:
        pass
    with attempts.attempt(name, is_again=False) as is_first, attempts.attempt("another", is_again=False) as is_other:
        pass

    assert (is_repeated, is_first, is_other) == (True, name == "", True)


def test_a_request_is_sent_once_although_it_is_repeated_before_the_first_attempt_is_over(tmp_path, monkeypatch):
    is_at_it, may_go_on = threading.Event(), threading.Event()
    send, wait, exchange = ServedRequests.send, CallAttempts._wait, ApiClient._exchange
    first = []

    def sent(self, *given, **named):  # the first attempt goes on when the second waits for it, or sends as well
        if is_at_it.is_set():
            may_go_on.set()
        is_at_it.set()
        assert may_go_on.wait(WAIT_S)
        return send(self, *given, **named)

    def waiting(self):
        may_go_on.set()
        wait(self)

    def cut(self, method, path, *given):  # when the server has got the request
        if not path.endswith("requests.send") or first:
            return exchange(self, method, path, *given)
        first.append(threading.Thread(target=exchange, args=(self, method, path, *given)))
        first[0].start()
        assert is_at_it.wait(WAIT_S)
        raise LostError("cut", may_be_done=True, is_cut=True)

    with served(tmp_path) as both:
        both.remote.runs.create(RunRecord("r1", "f", "p", {"name": "f", "tasks": []}))
        assert call_of("requests.send") is not None  # it reads the method's signature once
        monkeypatch.setattr(ServedRequests, "send", sent)
        monkeypatch.setattr(CallAttempts, "_wait", waiting)
        monkeypatch.setattr(ApiClient, "_exchange", cut)

        number = both.remote.requests.send("r1", Request("cancel", by="ada"), 1)
        first[0].join()

        assert [each.number for each in both.local.requests.open("r1", 1)] == [number] == [1]
