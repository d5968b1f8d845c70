"""Runs that fail, pause and are cancelled at random, resumed and retried, also while they live: no work is done twice."""

from __future__ import annotations

import contextlib
import os
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowbook import Flow, Task, context, triggers, unmapped
from flowbook.engine import signals
from flowbook.exceptions import FlowbookError
from flowbook.executors import LocalDaskExecutor, LocalExecutor

#: The long form: `make soak`.
IS_LONG = os.environ.get("FLOWBOOK_SOAK") == "1"
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


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
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
    # Who cancels a second time stops what runs meanwhile, which then is tried again.
    stops = max(0, list(table.values()).count("cancel") - 1) if executor == "threads" else 0
    extra = {place: count - 1 - (table.get(place) in {"fail", "pause"}) for place, count in tries.items()}
    assert all(0 <= more <= stops for more in extra.values()), extra


class _Sum(Task):
    """A task of a random flow: does what the table says the first time, then gives the sum of all that it gets."""

    def __init__(self, world, **options):
        super().__init__(**options)
        self.world = world

    def run(self, x=0, whole=0):
        place = self.name, context.get("map_index")
        self.world.tries[place] += 1
        if self.world.tries[place] == 1:
            self.world.act(self.world.table.get(place))
        self.world.done[place] += 1
        return (sum(x) if isinstance(x, list) else x) + (sum(whole) if isinstance(whole, list) else whole) + 1


class _World:
    """A random flow, what is to happen in it, and what it comes to."""

    def __init__(self, plan, table):
        self.table = table
        self.tries = Counter()
        self.done = Counter()
        self.expected = {}
        with Flow("random") as self.flow:
            made = [list(range(WIDTH))]
            values = [list(range(WIDTH))]
            for number, (kind, up, whole) in enumerate(plan):
                x, wide = up % len(made), whole % len(made)
                node = _Sum(self, name=f"t{number}")
                if kind == "map" and isinstance(values[x], list):
                    made.append(node.map(made[x], unmapped(made[wide])))
                    values.append([_plus(each, values[wide]) for each in values[x]])
                else:
                    made.append(node.bind(made[x], made[wide]))
                    values.append(_plus(values[x], values[wide]))
                self.expected[f"t{number}"] = values[-1]

    def act(self, doing):
        if doing == "fail":
            raise ValueError(doing)
        if doing == "pause":
            raise signals.PAUSE
        if doing in {"cancel", "retry", "resume"}:
            with contextlib.suppress(FlowbookError):
                getattr(self.flow.last_run, doing)()


def _plus(x, whole):
    return (sum(x) if isinstance(x, list) else x) + (sum(whole) if isinstance(whole, list) else whole) + 1


def _finish(run, rng):
    """Resume and retry until the run has succeeded."""
    for _ in range(60):
        state = run.wait(WAIT_S)
        if state.is_successful():
            return state
        paused = [key for key, each in run.states.items() if each.is_paused()]
        if state.is_failed() or (not paused and any(each.is_failed() for each in run.states.values())):
            run.retry()
        elif paused and rng.random() < 0.5:
            run.resume(rng.choice(paused))
        else:
            run.resume()
    raise AssertionError(f"no end: {run.state}, {dict(run.states)}")


_PLANS = st.lists(
    st.tuples(st.sampled_from(["map", "map", "plain"]), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=5
)
_TABLES = st.dictionaries(
    st.tuples(st.sampled_from([f"t{n}" for n in range(5)]), st.sampled_from([None, *range(WIDTH)])),
    st.sampled_from(["fail", "fail", "pause", "cancel", "retry", "resume"]),
    max_size=8,
)


@pytest.mark.soak
@settings(max_examples=6000 if IS_LONG else 150, deadline=None)
@given(
    executor=st.sampled_from(sorted(EXECUTORS)),
    plan=_PLANS,
    table=_TABLES,
    limit=st.sampled_from([None, None, 1, 2]),
    rng=st.randoms(use_true_random=False),
)
def test_a_random_flow_with_maps_and_gates_comes_to_its_values_whatever_happens(executor, plan, table, limit, rng):
    world = _World(plan, table)

    run = world.flow.start(executor=EXECUTORS[executor](), record=False, max_concurrency=limit)
    _finish(run, rng)

    found = {key: run[key].result for key in world.expected}
    assert found == world.expected
    assert set(world.done.values()) <= {1}, world.done
