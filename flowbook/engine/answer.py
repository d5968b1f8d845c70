"""A person's answer to a task that waits: it goes on, maybe with other inputs, or it ends skipped or rejected.

The answer is put into the task's state, so that it is recorded, outlasts its process, and is carried out where the task would
have run: with the state handlers called, and in an order with all that happens else. Pure: the clock is only read by states.
"""

from __future__ import annotations

import datetime as dt
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

from flowbook.engine.state import Failed, Pending, Resume, Skipped
from flowbook.exceptions import RejectedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowbook.engine.events import InputChange
    from flowbook.engine.state import Paused, State

__all__ = [
    "DEADLINE",
    "Answer",
    "AnswerAction",
    "answer_for_deadline",
    "answered_state",
    "asks_again",
    "ending",
    "ends",
    "no_answer_by",
    "to_try_again",
    "was_rejected",
]

AnswerAction = Literal["resume", "skip", "reject"]

#: Who gives the answer when the deadline has passed.
DEADLINE = "deadline"

#: What `otherwise=` may say.
_ACTIONS: Mapping[str, AnswerAction] = {"approve": "resume", "skip": "skip", "reject": "reject"}
_PAST = {"skip": "Skipped", "reject": "Rejected"}
#: What is noted in the context of a rejected task's state, and of one that is to ask again.
_REJECTED_BY, _ASKS_AGAIN = "rejected_by", "asks_again"


class Answer(NamedTuple):
    """What a person answers.

    Attributes:
        by: who answers.
        note: why.
        inputs: values that replace those of the same arguments; only with "resume".
        changes: those arguments, with the content hashes of what they were and are.
        looked_at: by key, the content hash of each input that the task waits with, by argument.
    """

    action: AnswerAction
    by: str = ""
    note: str = ""
    inputs: Mapping[str, object] = MappingProxyType({})
    changes: Sequence[InputChange] = ()
    looked_at: Mapping[str, Mapping[str, str]] = MappingProxyType({})

    @property
    def is_lasting(self) -> bool:
        """Whether the task's state must be recorded before it runs, because it says more than that the task goes on."""
        return self.action != "resume" or bool(self.inputs)


def answered_state(waiting: State, answer: Answer | None) -> Resume:
    """Return the state of a task that waited in state `waiting` and was answered."""
    context, inputs = waiting.context, waiting.cached_inputs
    if answer is None or not answer.is_lasting:
        return Resume("Resumed by a person.", None, None, context, inputs)
    message = "Resumed by a person, with other inputs." if answer.inputs else f"{_sentence(answer)}"
    changed = {**inputs, **answer.inputs}
    return Resume(message, None, None, context, changed, action=answer.action, by=answer.by, note=answer.note)


def ends(state: State) -> bool:
    """Return whether a person ended the task: it was skipped or rejected, and has yet to settle."""
    return type(state) is Resume and state.action != "resume"


def ending(key: str, state: State) -> State:
    """Return the state in which a task settles of which `ends` is true."""
    assert isinstance(state, Resume)  # noqa: S101  # as `ends` says
    text = _sentence(state)
    if state.action == "skip":
        return Skipped(text)
    error = RejectedError(text, key=key, by=state.by, note=state.note)
    return Failed(text, error, {_REJECTED_BY: state.by})


def answer_for_deadline(state: Paused) -> AnswerAction:
    """Return the answer for a task that nobody answered in time."""
    return _ACTIONS[state.otherwise]


def no_answer_by(deadline: dt.datetime) -> str:
    """Return the note of that answer."""
    return f"Nobody answered by {deadline.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC."


def was_rejected(state: State) -> bool:
    """Return whether a failed task was rejected by a person, or by its deadline."""
    return _REJECTED_BY in state.context


def to_try_again(state: State) -> Pending:
    """Return the state from which a failed task runs once more; one that was rejected asks again."""
    if not was_rejected(state):
        return Pending("Waiting to be retried.", cached_inputs=state.cached_inputs)
    return Pending("Was rejected, and asks again.", None, {_ASKS_AGAIN: True}, state.cached_inputs)


def asks_again(state: State) -> bool:
    """Return whether a task was rejected and retried, so that its trigger holds it back as at first."""
    return type(state) is Pending and _ASKS_AGAIN in state.context


def _sentence(given: Answer | Resume) -> str:
    by = f" by {given.by}" if given.by else " by a person"
    return f"{_PAST[given.action]}{by}{f': {given.note}' if given.note else '.'}"
