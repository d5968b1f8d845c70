"""What a notice says of a run: names, states and messages, never a value. Control characters are escaped. Pure."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from flowbook.engine.state_kinds import FAILED as FAILED_STATES
from flowbook.engine.task_keys import parent_key
from flowbook.report.phrases import listed, shorten
from flowbook.store.notices import FAILED, WAITS
from flowbook.terminal.lines import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flowbook.store.notices import RunToTellOf, TaskToTellOf

__all__ = ["Notice", "NoticeTask", "make_notice", "trial_notice"]

_MESSAGE_CHARS = 1000
_NAME_CHARS = 100
#: The text names so many tasks with their messages; the JSON names more.
_MOST_IN_TEXT = 5
_FAILED = frozenset({*FAILED_STATES, "TriggerFailed"})
_PARTICIPLES = {"reject": "rejected", "approve": "approved", "skip": "skipped"}
_VERBS = {"Success": "succeeded", "Cancelled": "was cancelled", "Crashed": "crashed"}


@dataclass(frozen=True, slots=True)
class NoticeTask:
    """A task that waits or failed.

    Attributes:
        key: of the task, or of a mapped task's child.
        state: name of its state.
        message: of that state.
        asks: who is asked; "" if anybody is.
        deadline: when it is answered by itself, in UTC, "2026-11-30T17:42:00Z"; None: never.
        otherwise: that answer: "reject", "approve" or "skip"; "" if there is no deadline.
        link: a page that is good for one answer to it, without a login; "" where there is none.
    """

    key: str
    state: str
    message: str
    asks: str = ""
    deadline: str | None = None
    otherwise: str = ""
    link: str = ""

    @property
    def line(self) -> str:
        """What is told of it, on one line, and its link below it."""
        parts = [self.message or self.state]
        if self.asks:
            parts.append(f"It asks {self.asks}.")
        if self.deadline is not None:
            moment = self.deadline.replace("T", " ").removesuffix("Z")
            parts.append(f"Without an answer by {moment} UTC it is {_PARTICIPLES.get(self.otherwise, self.otherwise)}.")
        decide = f"\n    Decide: {self.link}" if self.link else ""
        return f"{self.key}: {' '.join(parts)}{decide}"


@dataclass(frozen=True, slots=True)
class Notice:
    """What people are told of a run.

    Attributes:
        cause: "waits" (it needs a person), "failed" or "ended"; "test" for `flowbook notify test`.
        flow: the flow's name.
        run: run number, counted per flow; None if the run isn't recorded.
        run_id: unique over all stores.
        state: name of the flow's state.
        message: of that state.
        tasks: those that wait, or failed.
        answer: commands that answer it.
        link: the run's page; None where no API's address is known.
        title: one line.
        text: all of it, for people.
    """

    cause: str
    flow: str
    run: int | None
    run_id: str
    state: str
    message: str
    tasks: tuple[NoticeTask, ...]
    answer: tuple[str, ...]
    link: str | None
    title: str
    text: str

    def to_json(self) -> str:
        """Return it as a JSON object with these attributes."""
        return json.dumps(asdict(self))


def make_notice(
    found: RunToTellOf, cause: str, hide: Callable[[str], str], api_url: str | None, *, is_recorded: bool = True
) -> Notice:
    """Return the notice of a run.

    Args:
        found: what is known of the run.
        cause: "waits", "failed" or "ended".
        hide: masks the secrets in a text.
        api_url: address of the API; None where there is none.
        is_recorded: whether commands find the run.
    """

    def clean(text: object) -> str:
        return printable(shorten(hide(str(text)), _MESSAGE_CHARS))

    state = "Paused" if cause == WAITS else found.state
    tasks = tuple(_task(each, clean) for each in _without_parents(found.tasks))
    flow = printable(shorten(hide(found.flow), _NAME_CHARS))
    called = f"{flow} run {found.number}" if is_recorded else flow
    title = f"{called} {_ending(cause, state, tasks, is_cut=found.is_cut)}"
    answer = _answers(cause, state, found.run_id[:8]) if is_recorded else ()
    link = None if api_url is None or not is_recorded else f"{api_url.rstrip('/')}/runs/{found.run_id}"
    more = len(tasks) - _MOST_IN_TEXT
    message = "" if cause == WAITS else clean(found.message)
    lines = [
        f"{title}.",
        *([message] if message else []),
        *(f"  {task.line}" for task in tasks[:_MOST_IN_TEXT]),
        *([f"  and {'many' if found.is_cut else f'{more:,}'} more"] if more > 0 else []),
        "",
        *answer,
        *([link] if link else []),
    ]
    number = found.number if is_recorded else None
    text = "\n".join(lines).strip()
    return Notice(cause, flow, number, found.run_id, state, message, tasks, answer, link, title, text)


def trial_notice() -> Notice:
    """Return what `flowbook notify test` sends."""
    title = "flowbook can reach you"
    text = f"{title}. You are told here of runs that wait for you, failed or ended."
    return Notice("test", "", None, "", "", "", (), (), None, title, text)


def _task(found: TaskToTellOf, clean: Callable[[object], str]) -> NoticeTask:
    deadline = found.body.get("deadline")
    at = dt.datetime.fromtimestamp(deadline, dt.UTC) if isinstance(deadline, int | float) else None
    return NoticeTask(
        clean(found.key),
        found.state,
        clean(_message(found)),
        clean(found.body.get("asks") or ""),
        None if at is None else f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "" if at is None else str(found.body.get("otherwise") or ""),
        found.link,
    )


def _message(task: TaskToTellOf) -> str:
    """Return why a task waits or failed: its exception, or its message."""
    error = task.body.get("error")
    if isinstance(error, dict):
        return f"{error.get('type')}: {error.get('message')}" if error.get("message") else str(error.get("type"))
    return str(task.body.get("message") or "")


def _without_parents(tasks: Sequence[TaskToTellOf]) -> list[TaskToTellOf]:
    """Leave out mapped tasks whose children are named."""
    parents = {parent_key(task.key) for task in tasks if parent_key(task.key) != task.key}
    return [task for task in tasks if task.key not in parents]


def _ending(cause: str, state: str, tasks: Sequence[NoticeTask], *, is_cut: bool) -> str:
    keys = [task.key for task in tasks]
    names = f"{', '.join(keys[:3])} and many more" if is_cut else listed(keys)
    if cause == WAITS:
        return f"waits for you: {names}"
    has_failed = cause == FAILED or state in _FAILED
    verb = _VERBS.get(state, "failed" if has_failed else f"ended {state}")
    return f"{verb}: {names}" if names and has_failed else verb


def _answers(cause: str, state: str, name: str) -> tuple[str, ...]:
    inspect = f"flowbook run inspect {name}"
    if cause == WAITS:
        return (*(f"flowbook run {verb} {name}" for verb in ("resume", "skip", "reject")), inspect)
    if state == "Crashed":
        return (f"flowbook run resume {name}", inspect)
    return (f"flowbook run retry {name}", inspect) if state in _FAILED else (inspect,)
