"""Chains of mapped tasks that fail, pause and are cancelled at random, resumed and retried: no work is done twice."""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowbook import Flow, Task, triggers
from flowbook.engine import signals
from flowbook.executors import LocalDaskExecutor, LocalExecutor

WAIT_S = 20
WIDTH = 3
STEPS = 3
EXECUTORS = {"local": LocalExecutor, "threads": lambda: LocalDaskExecutor(num_workers=3)}


class _Step(Task):
    """One link of the chain: what it does for each element is written in a table, once; afterwards it succeeds."""

    def __init__(self, table, tries, done, flow, **options):
        super().__init__(**options)
        self.table = table
        self.tries = tries
        self.done = done
        self.flow = flow

    def run(self, x):
        place = self.name, x
        self.tries[place] += 1
        doing = self.table.get(place) if self.tries[place] == 1 else None
        if doing == "cancel":
            self.flow.last_run.cancel()
        if doing == "fail":
            raise ValueError(place)
        if doing == "pause":
            raise signals.PAUSE
        self.done[place] += 1
        return x


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    executor=st.sampled_from(sorted(EXECUTORS)),
    table=st.dictionaries(
        st.tuples(st.sampled_from([f"s{n}" for n in range(STEPS)]), st.integers(0, WIDTH - 1)),
        st.sampled_from(["fail", "pause", "cancel"]),
        max_size=5,
    ),
    gate=st.booleans(),
)
def test_a_chain_of_maps_comes_to_its_end_and_each_piece_of_work_is_done_once(executor, table, gate):
    tries: Counter[tuple[str, int]] = Counter()
    done: Counter[tuple[str, int]] = Counter()
    with Flow("chain") as flow:
        items: object = list(range(WIDTH))
        for n in range(STEPS):
            trigger = triggers.manual_only if gate and n == 0 else None
            step = _Step(table, tries, done, flow, name=f"s{n}", trigger=trigger)
            items = step.map(items)

    run = flow.start(executor=EXECUTORS[executor](), record=False)
    rounds = 0
    while not run.wait(WAIT_S).is_successful():
        rounds += 1
        assert rounds < 20, run.state
        if run.state.is_failed():
            run.retry()
        else:
            run.resume()

    assert run[items].result == list(range(WIDTH))
    assert done == {(f"s{n}", x): 1 for n in range(STEPS) for x in range(WIDTH)}
    assert all(count == 1 + (table.get(place) in {"fail", "pause"}) for place, count in tries.items())
