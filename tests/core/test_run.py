from __future__ import annotations

import threading

from flowbook import Flow, Parameter, task
from flowbook.engine.events import Decided
from flowbook.engine.state import Success
from tests.core.run_programs import LONG_S, approve, double, one


def test_a_parameter_may_have_the_name_of_what_is_kept_beside_a_run():
    with Flow("delays") as flow:
        double(Parameter("origin", default=1))

    flow.run(origin=4)

    assert (flow.last_run.parameters, flow.last_run["double"].result) == ({"origin": 4}, 8)


def test_start_returns_at_once_and_the_run_can_be_watched():
    gate = threading.Event()

    @task
    def waits():
        gate.wait(LONG_S)
        return 5

    with Flow("f") as flow:
        w = waits()

    run = flow.start()
    live, unfinished = run.is_live, run[w].is_finished()
    gate.set()
    state = run.wait(LONG_S)

    assert (live, unfinished) == (True, False)
    assert (type(state), run[w].result, run["waits"].result, run.is_live) == (Success, 5, 5, False)
    assert flow.last_run is run


def test_waiting_has_a_limit():
    gate = threading.Event()

    @task
    def waits():
        gate.wait(LONG_S)

    with Flow("f") as flow:
        waits()
    run = flow.start()

    state = run.wait(timeout=0.01)

    gate.set()
    run.wait(LONG_S)
    assert type(state).__name__ == "Running"


def test_a_sink_that_raises_gets_no_more_and_the_run_goes_on(caplog):
    told = []

    class Sink:
        def emit(self, event):
            told.append(event)
            raise LookupError("no screen")

    begun, go_on = threading.Event(), threading.Event()

    @task
    def first():
        begun.set()
        go_on.wait(LONG_S)

    with Flow("f") as flow:
        double(one(), upstream_tasks=[first()])
    run = flow.start()
    begun.wait(LONG_S)
    run.subscribe(Sink())
    go_on.set()

    assert run.wait(LONG_S).is_successful()
    assert len(told) == 1
    assert "no screen" in caplog.text


def test_a_sink_that_raises_at_a_resume_does_not_hold_it_up():
    class Sink:
        def emit(self, _event):
            raise LookupError("no screen")

    with Flow("f") as flow:
        a = approve(one())
    flow.run()
    run = flow.last_run
    run.subscribe(Sink())
    resumed = threading.Thread(target=run.resume, args=(a,), daemon=True)
    resumed.start()
    resumed.join(LONG_S)

    assert resumed.is_alive() is False
    assert repr(run.wait(LONG_S)) == "<Success: 'All tasks that decide the run succeeded.'>"


def test_a_sink_that_subscribed_gets_what_follows_until_it_stops():
    seen = []

    class Sink:
        def emit(self, event):
            seen.append(event)

    with Flow("f") as flow:
        a = approve(one())
    flow.run()
    run = flow.last_run
    stop = run.subscribe(Sink())

    run.resume(a).wait(LONG_S)
    stop()

    assert isinstance(seen[0], Decided)
    assert seen == run.events()[-len(seen) :]
