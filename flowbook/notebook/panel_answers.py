"""What a person answers to tasks that wait, on a panel: the commands `resume`, `skip` and `reject`. Each is carried out once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from flowbook.engine.state import Cancelled, Crashed, Paused
from flowbook.engine.task_keys import parent_key
from flowbook.flow_run.decision import TypedText
from flowbook.notebook.command_worker import RefusedError
from flowbook.notebook.panel_actions import Decided, who_decides
from flowbook.report import phrases

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flowbook.engine.state import State
    from flowbook.notebook.command_worker import Command
    from flowbook.notebook.panel_actions import AnswerAction, PanelActions
    from flowbook.notebook.ports import RunLike

__all__ = ["PanelAnswers"]

#: What is said of one task, and of several; and what was done by whoever clicked first.
_SAID: Mapping[AnswerAction, tuple[str, str, str]] = {
    "resume": ("goes on", "go on", "resumed"),
    "skip": ("is skipped", "are skipped", "skipped"),
    "reject": ("is rejected", "are rejected", "rejected"),
}


class Answered(Protocol):
    """The part of a session that answers need."""

    @property
    def run(self) -> RunLike:
        """The run that is shown."""
        ...

    def check_known(self, key: object) -> None:
        """Refuse what is no task of the run. Raises RefusedError."""
        ...

    def state_name(self, key: str) -> str:
        """Return the name of a task's state, as it is shown."""
        ...

    def follow(self, act: Callable[[], object]) -> None:
        """Call `act`, which makes the run go on, and show the run that results."""
        ...


def _is_broken_off(state: State) -> bool:
    """Return whether a run has tasks to run although it is over: it was cancelled, or its process died."""
    return isinstance(state, Cancelled | Crashed)


class PanelAnswers:
    """Answers the tasks of the run that a panel shows.

    Args:
        session: of the panel.
        actions: what the panel needs from its host.
    """

    def __init__(self, session: Answered, actions: PanelActions) -> None:
        self._session = session
        self._actions = actions
        #: The Paused states that were answered, by key, and what was done, to recognize a second click.
        self._answered: dict[str, tuple[State, str]] = {}

    @property
    def handlers(self) -> dict[str, Callable[[Command], str]]:
        """The handlers of the commands."""
        return {"resume": self._on_resume, "skip": self._on_skip, "reject": self._on_reject}

    def clear(self) -> None:
        """Forget what was answered: another run is shown."""
        self._answered.clear()

    def _on_resume(self, command: Command) -> str:
        inputs = self._inputs(command.get("inputs"))
        return self._answer("resume", command, inputs)

    def _on_skip(self, command: Command) -> str:
        return self._answer("skip", command)

    def _on_reject(self, command: Command) -> str:
        if not _note(command):
            msg = "Write a note first: it becomes the message of the failure."
            raise RefusedError(msg)
        return self._answer("reject", command)

    def _answer(self, action: AnswerAction, command: Command, inputs: Mapping[str, object] | None = None) -> str:
        key, run = command.get("key"), self._session.run
        named = [key] if isinstance(key, str) else []
        for name in named:
            self._session.check_known(name)
        waiting = self._waiting(named)
        if not (action == "resume" and not named and _is_broken_off(run.state)):
            self._check_waiting(named, waiting)
        keys, by, note = named or list(waiting), who_decides(command, self._actions), _note(command)
        decided = Decided(action, tuple(keys), note, dict(inputs or {}))
        said = ""

        def answer() -> object:
            nonlocal said
            started = self._actions.answer(run, decided, by)
            said = started.text
            return started.run

        self._session.follow(answer)
        one, many, done = _SAID[action]
        self._answered.update({each: (state, done) for each, state in waiting.items()})
        changed = f" with another {phrases.listed(list(inputs))}" if inputs else ""
        if not waiting:
            return said or f"{run.flow_name} goes on."
        return said or f"{phrases.listed(list(waiting))} {one if len(waiting) == 1 else many}{changed}."

    def _inputs(self, texts: object) -> dict[str, object]:
        """Return the inputs that a person changed: the values of variables, else texts to be read as what they replace."""
        if texts is None:
            return {}
        if not isinstance(texts, dict):
            msg = f"Inputs come as names and texts, not as {type(texts).__name__}."
            raise RefusedError(msg)
        return {str(name): self._input(str(text)) for name, text in texts.items()}

    def _input(self, text: str) -> object:
        return self._actions.variable(text.strip()) if text.lstrip().startswith("$") else TypedText(text)

    def _waiting(self, named: Sequence[str]) -> dict[str, State]:
        """Return what waits for a person and wasn't answered yet: among the named tasks and their children, or among all."""
        found = [(key, state) for key, state in list(self._session.run.states.items()) if isinstance(state, Paused)]
        return {
            key: state
            for key, state in found
            if self._done_with(key, state) is None and (not named or key in named or parent_key(key) in named)
        }

    def _done_with(self, key: str, state: State | None) -> str | None:
        """Return what was done with a task in that state here before; None if nothing was."""
        before, done = self._answered.get(key, (None, ""))
        return done if before is not None and before is state else None

    def _check_waiting(self, named: Sequence[str], waiting: Mapping[str, State]) -> None:
        if waiting:
            return
        if not named:
            msg = "Nothing waits."
            raise RefusedError(msg)
        (key,) = named
        state = self._session.run.states.get(key)
        done = self._done_with(key, state)
        children = [done for each, (_, done) in self._answered.items() if each != key and parent_key(each) == key]
        if done is None and children:
            done = children[-1]
        msg = f"{key} doesn't wait: it is {self._session.state_name(key)}."
        raise RefusedError(msg if done is None else f"{key} was {done} already.")


def _note(command: Command) -> str:
    note = command.get("note")
    return note.strip() if isinstance(note, str) else ""
