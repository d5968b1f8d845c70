"""What is recorded of a run is what the run itself knows, whatever its tasks return or raise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from flowbook import Flow, Parameter, task, triggers
from flowbook.engine.state import Success
from flowbook.exceptions import FlowbookError
from flowbook.executors import LocalExecutor
from flowbook.store import open_store
from tests.executors_of import AWAY, HERE
from tests.hostile import HOSTILE, UNSAYABLE
from tests.misdeeds import RAISED, RETURNED
from tests.odd_values import ODD_VALUES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flowbook.engine.state import State
    from flowbook.flow_run.run import FlowRun

pytestmark = pytest.mark.timeout(300)

EVERYWHERE = pytest.mark.parametrize("executor", [*HERE, *AWAY])


def flow_of(acts: Mapping[str, Callable[[], Any]]) -> Flow:
    """Return a flow with one task an act, none of which waits for another."""
    with Flow("odd") as flow:
        for name, act in acts.items():
            task(act, name=name)()
    return flow


def said(states: Mapping[str, State]) -> dict[str, tuple[str, str | None, float]]:
    """Return what states say by themselves, without their values."""
    return {key: (type(state).__name__, state.message, state.at) for key, state in states.items()}


def remembered(run: FlowRun) -> dict[str, State]:
    """Return the states as the run has them, the flow's own among them."""
    return {"": run.state, **dict(run.states.items())}


def unlike(run: FlowRun) -> dict[str, tuple[object, object]]:
    """Return what the record and the memory of a run say differently."""
    memory, record = said(remembered(run)), said(open_store().history.states(run.run_id))
    return {
        key: (memory.get(key), record.get(key)) for key in {**memory, **record} if memory.get(key) != record.get(key)
    }


@EVERYWHERE
def test_what_tasks_do_wrong_is_recorded_as_it_is_remembered(executor: str) -> None:
    raised = {f"raised_{name}": each.act for name, each in RAISED.items()}
    returned = {f"returned_{name}": each.act for name, each in RETURNED.items()}
    flow = flow_of({**raised, **returned})

    flow.run(record=True, executor=(HERE | AWAY)[executor]())

    assert unlike(flow.last_run) == {}
    assert len(said(remembered(flow.last_run))) == len(RAISED) + len(RETURNED) + 1


@EVERYWHERE
def test_odd_values_are_recorded_or_said_to_be_missing(executor: str) -> None:
    flow = flow_of(ODD_VALUES)

    flow.run(record=True, executor=(HERE | AWAY)[executor]())

    assert unlike(flow.last_run) == {}
    for key, state in open_store().history.states(flow.last_run.run_id).items():
        if isinstance(state, Success) and state.reference is not None:
            try:
                state.result  # noqa: B018  # loads it
            except FlowbookError as error:
                assert "was not kept: " in str(error), key  # noqa: PT017  # either is right


@pytest.mark.parametrize("name", ODD_VALUES)
def test_a_task_that_waits_with_an_odd_input_is_recorded_as_it_is_remembered(name: str) -> None:
    with Flow("waits") as flow:
        value = task(ODD_VALUES[name], name="value")()
        task(lambda _: 1, name="approve", trigger=triggers.manual_only)(value)

    flow.run(record=True, executor=LocalExecutor())

    assert unlike(flow.last_run) == {}


def test_hostile_messages_and_contexts_are_recorded_as_they_are() -> None:
    def fail(text: str) -> Callable[[], Any]:
        def act() -> Any:
            raise ValueError(text)

        return act

    flow = flow_of({f"t{number}": fail(text) for number, text in enumerate(HOSTILE)})

    flow.run(record=True)

    assert unlike(flow.last_run) == {}


@pytest.mark.parametrize("text", sorted(UNSAYABLE))
def test_a_run_whose_keys_no_store_can_hold_says_that_it_is_not_recorded(text: str) -> None:
    flow = flow_of({f"a{text}": lambda: 1})

    with pytest.warns(UserWarning, match=r"is not recorded: A text that is no valid Unicode .* another name"):
        state = flow.run(record=True)

    assert (state.is_successful(), open_store().runs.list()) == (True, [])


def test_a_long_text_that_a_run_was_given_is_cut_where_it_is_shown_and_whole_where_it_is_used() -> None:
    text = "x" * 20_000_000
    with Flow("long") as flow:
        task(lambda text: len(text), name="size")(Parameter("text"))  # noqa: PLW0108  # arguments have names

    flow.run(record=True, parameters={"text": text})

    record = open_store().runs.get(flow.last_run.run_id)
    assert record.parameters == {"text": f"{'x' * 200}…"}
    assert record.parameters_ref is not None
    assert record.parameters_ref.load() == {"text": text}
