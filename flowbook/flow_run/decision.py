"""What a person decides about a run, and the events that record it."""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

from flowbook.engine.events import Decided, StateChanged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.engine.answer import Answer
    from flowbook.engine.events import Event
    from flowbook.engine.state import State

__all__ = ["ANSWERS", "Action", "Decision", "TypedText", "decided"]

#: "cancel_now" also stops the tasks that are running.
#: "hand_over": another process is to go on with the run; "stay": not after all.
Action = Literal["cancel", "cancel_now", "hand_over", "reject", "resume", "retry", "skip", "stay"]

#: The actions that answer tasks that wait.
ANSWERS = frozenset({"reject", "resume", "skip"})


class TypedText(str):
    """What a person typed for an input of a task that waits, or for a parameter.

    Whoever carries the decision out reads it as a value of the kind that the task waits with, see `typed_text`; of a
    parameter, whoever knows its default.
    """

    __slots__ = ()


class Decision(NamedTuple):
    """What a person decides about a run.

    Attributes:
        keys: keys of the tasks concerned; if empty, every task that the action applies to.
        by: who decided; recorded.
        note: the reason; recorded.
        inputs: values that replace inputs of the one task in `keys`, and texts that a person typed for them; with "resume" only.
        looked_at: by key, the content hashes of its inputs as the person saw them, if they saw them in another process.
        definitions: with what a run at rest goes on by it, as in `Decided`, whose first event says so.
    """

    action: Action
    keys: tuple[str, ...] = ()
    by: str = ""
    note: str = ""
    inputs: Mapping[str, object] = MappingProxyType({})
    looked_at: Mapping[str, Mapping[str, str]] = MappingProxyType({})
    definitions: Mapping[str, str] | None = None


def decided(
    decision: Decision,
    keys: tuple[str, ...],
    first_seq: int,
    answer: Answer | None = None,
    states: Mapping[str, State] = MappingProxyType({}),
) -> list[Event]:
    """Return the events that record the decision, one for each key, and the states that an answer leads to.

    Each state comes right after its decision, so that both are recorded at once.

    Args:
        decision: what was decided.
        keys: of the tasks concerned.
        first_seq: number of the first event.
        answer: the decision as an answer to these tasks, if it is one.
        states: of the tasks, after the answer.
    """
    action, at = decision.action.partition("_")[0], time.time()
    changes = () if answer is None else answer.changes
    looked_at = {} if answer is None else answer.looked_at
    is_told = answer is not None and answer.is_lasting
    events: list[Event] = []
    for key in keys:
        seq = first_seq + len(events)
        told = decision.definitions if not events else None
        event = Decided(seq, key, at, action, decision.by, decision.note, changes, looked_at.get(key, {}), told)
        events.append(event)
        if is_told:
            events.append(StateChanged(seq + 1, key, states[key]))
    return events
