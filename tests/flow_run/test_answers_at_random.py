"""The same answers lead to the same states and events in a run that is live and in one that is at rest, whatever the flow."""

from __future__ import annotations

import os
import threading

from hypothesis import given, settings
from hypothesis import strategies as st

from flowbook import Flow, Task, triggers
from flowbook.engine.events import Decided, StateChanged
from flowbook.engine.state import Mapped, Paused
from flowbook.executors import LocalDaskExecutor

#: The long form: `make soak`.
IS_LONG = os.environ.get("FLOWBOOK_SOAK") == "1"
LONG_S = 30
WIDTH = 2
TRIGGERS = [triggers.manual_only, triggers.manual_only, None, triggers.all_finished, triggers.any_failed]


class _Gate(Task):
    """Keeps a run live until it is opened."""

    def __init__(self, opened):
        super().__init__(name="gate")
        self.opened = opened

    def run(self):
        self.opened.wait(LONG_S)


class _Sum(Task):
    def run(self, x=0, more=0):
        return _number(x) + _number(more) + 1


def _number(value):
    if isinstance(value, list):
        return sum(map(_number, value))
    return value if isinstance(value, int) else 0


def _flow(plan, opened=None):
    with Flow("random") as flow:
        if opened is not None:
            _Gate(opened).bind()
        made = [list(range(WIDTH))]
        for number, (is_map, up, trigger, takes_skips) in enumerate(plan):
            node = _Sum(name=f"t{number}", trigger=trigger, skip_on_upstream_skip=takes_skips)
            above = made[up % len(made)]
            is_wide = isinstance(above, list) or getattr(above, "is_wide", False)
            made.append(node.map(above) if is_map and is_wide else node.bind(above))
            made[-1].is_wide = is_map and is_wide
    return flow


def _answer(run, key, kind):
    action, inputs = kind
    more = {"inputs": inputs} if inputs else {}
    getattr(run, action)(key, by="ada", note=f"{action} it", **more)


def _told(run):
    """Return the final state of each task, and what was told of it, in order."""
    states = {
        key: (type(state).__name__, state.message, None if isinstance(state, Mapped) else repr(state.result))
        for key, state in run.states.items()
        if key != "gate"
    }
    events: dict[str, list[object]] = {}
    for event in run.events():
        if isinstance(event, StateChanged) and event.key not in {"", "gate"}:
            events.setdefault(event.key, []).append(type(event.state).__name__)
        elif isinstance(event, Decided):
            events.setdefault(event.key, []).append((event.action, event.changes, dict(event.looked_at)))
    for key, state in run.states.items():
        if isinstance(state, Mapped):
            events.pop(key, None)  # an epoch tells again that it was split
    return states, events


@settings(max_examples=600 if IS_LONG else 30, deadline=None)
@given(
    plan=st.lists(
        st.tuples(st.booleans(), st.integers(0, 5), st.sampled_from(TRIGGERS), st.booleans()), min_size=1, max_size=5
    ),
    kinds=st.lists(
        st.sampled_from([("resume", None), ("skip", None), ("reject", None), ("resume", {"x": 100})]),
        min_size=20,
        max_size=20,
    ),
    rng=st.randoms(use_true_random=False),
)
def test_a_live_run_and_one_at_rest_come_to_the_same(plan, kinds, rng):
    at_rest = _flow(plan).start(record=False)
    at_rest.wait(LONG_S)
    answers = []
    while waiting := [key for key, state in at_rest.states.items() if isinstance(state, Paused)]:
        key, kind = rng.choice(waiting), kinds[len(answers)]
        answers.append((key, kind))
        _answer(at_rest, key, kind)
        at_rest.wait(LONG_S)

    opened = threading.Event()
    live = _flow(plan, opened).start(executor=LocalDaskExecutor("threads", num_workers=2), record=False)
    for key, kind in answers:
        while not isinstance(live.states.get(key), Paused):
            live.wait(0.001)
        _answer(live, key, kind)
    opened.set()
    live.wait(LONG_S)

    assert _told(live) == _told(at_rest)
    assert type(live.state) is type(at_rest.state)
