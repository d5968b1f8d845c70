"""Notices of runs that no store has: made from states in memory, and sent once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook import config
from flowbook.engine.masks import Masks
from flowbook.engine.remote_error import RemoteError
from flowbook.engine.state import Paused
from flowbook.engine.state_kinds import failed_by_itself, waits_for_person
from flowbook.notices.attempts import send_once
from flowbook.notices.notice import make_notice
from flowbook.store.notices import ENDED, FAILED, MOST_TASKS, WAITS, RunToTellOf, TaskToTellOf

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flowbook.engine.state import State
    from flowbook.notices.receiver import Receiver

__all__ = ["tell"]


def tell(receivers: Iterable[Receiver], run_id: str, flow_name: str, state: State, states: Mapping[str, State]) -> None:
    """Tell receivers how a run came to rest, if they want to know; return at once.

    Args:
        receivers: of the flow.
        run_id: of the run.
        flow_name: of its flow.
        state: the flow's.
        states: of tasks and children, by key.
    """
    for receiver in receivers:
        cause = _cause(state, receiver.causes)
        if cause is not None:
            tasks = _tasks(states, cause)
            found = RunToTellOf(
                run_id,
                flow_name,
                0,
                type(state).__name__,
                str(state.message or ""),
                tasks[:MOST_TASKS],
                is_cut=len(tasks) > MOST_TASKS,
            )
            notice = make_notice(found, cause, Masks.around(None).text, config.public_url(), is_recorded=False)
            send_once(receiver.to, receiver.shown, notice)


def _cause(state: State, causes: Iterable[str]) -> str | None:
    """Return of what a receiver is told that wants to know of `causes`; None: of nothing."""
    possible: tuple[str, ...] = ()
    if isinstance(state, Paused):
        possible = (WAITS,)
    elif state.is_finished():
        possible = (FAILED, ENDED) if state.is_failed() else (ENDED,)
    return next((cause for cause in possible if cause in causes), None)


def _tasks(states: Mapping[str, State], cause: str) -> tuple[TaskToTellOf, ...]:
    is_meant = waits_for_person if cause == WAITS else failed_by_itself
    return tuple(
        TaskToTellOf(key, type(state).__name__, _body(state)) for key, state in states.items() if is_meant(state)
    )


def _body(state: State) -> dict[str, object]:
    error = state.raw_result  # reading `result` would load a value
    if issubclass(type(error), BaseException):
        words = RemoteError.of(error)  # type: ignore[arg-type]  # an exception, as just seen
        return {"error": {"type": words.type_name, "message": words.message}}
    found: dict[str, object] = {"message": state.message}
    if isinstance(state, Paused):
        deadline = None if state.deadline is None else state.deadline.timestamp()
        found |= {"deadline": deadline, "otherwise": state.otherwise, "asks": state.asks}
    return found
