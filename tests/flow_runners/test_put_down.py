"""A run whose pod or container exists and hasn't begun can be cancelled all the same."""

import threading

from flowbook.engine.state import Cancelled
from flowbook.flow_run.ports import Outcome
from flowbook.flow_runners import UniversalFlowRunner
from flowbook.store import open_store
from tests.flow_runners import flows

LONG_S = 40


class SlowPlace(UniversalFlowRunner):
    """A place whose process doesn't begin, like a pod that waits for its image."""

    is_of_this_machine = False

    def __init__(self):
        super().__init__()
        self.ended = threading.Event()

    def submit(self, run, started):
        started(f"slow|{run.run_id}")
        assert self.ended.wait(LONG_S)
        return Outcome(-15, how="It was ended.")

    def end(self, identifier):
        assert identifier.startswith("slow|")
        self.ended.set()


def test_a_run_whose_place_waits_is_cancelled_and_its_place_is_ended():
    place = SlowPlace()
    run = flows.waiting().start(flow_runner=place)

    run.cancel(by="ada", note="wrong year")

    assert place.ended.wait(LONG_S)
    state = run.wait(LONG_S)
    assert (type(state), state.message) == (Cancelled, "Cancelled by a person before its process began.")
    (decided,) = open_store().history.decisions(run.run_id)
    assert (decided.by, decided.note) == ("ada", "wrong year")
