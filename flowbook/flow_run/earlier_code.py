"""Which tasks and children of a run ran before an edit with which it went on, from the run's events. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.engine.state import Mapped
from flowbook.engine.state_kinds import failed_by_itself
from flowbook.engine.task_keys import parent_key, split_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from flowbook.engine.events import Decided, StateChanged
    from flowbook.engine.state import State

__all__ = ["EarlierCode"]


class EarlierCode:
    """What ran by another definition than its task has now, kept up to date event by event; late ones change nothing."""

    def __init__(self) -> None:
        #: Number of the last decision by which the run went on; a hash of each definition since, if it isn't the recorded one.
        self._seq = -1
        self._now: Mapping[str, str] = {}
        #: By key, the definition by which something ran that has another one now, or had one in between.
        self._ran_by: dict[str, str] = {}
        #: By the task's key, the keys of what ran by another definition than it has now.
        self._earlier: dict[str, set[str]] = {}

    def decided(self, event: Decided, states_of: Callable[[str], Iterable[tuple[str, State]]]) -> tuple[str, ...]:
        """Take a decision. Return the keys of the tasks whose definition is another one from now on.

        Args:
            event: the decision.
            states_of: returns the newest states of a task, or of a mapped one's children, by key.
        """
        if event.definitions is None or event.seq <= self._seq:
            return ()
        before, self._now, self._seq = self._now, event.definitions, event.seq
        edited = tuple(key for key in {**before, **self._now} if before.get(key) != self._now.get(key))
        for task in edited:
            found = [key for key, state in states_of(task) if _has_run(state)]
            for key in found:
                self._ran_by.setdefault(key, before.get(task, ""))
            self._earlier[task] = {key for key in found if self._ran_by[key] != self._now.get(task, "")}
        return edited

    def state_changed(self, event: StateChanged) -> None:
        """Take a state: what gets one runs by the definition of now, or has run by it."""
        if not self._ran_by or event.seq <= self._seq:
            return
        earlier = self._earlier.get(parent_key(event.key), set())
        if isinstance(event.state, Mapped):
            width = event.state.n_map_states or 0
            gone = [key for key in earlier if (split_key(key)[1] or 0) >= width]
        else:
            gone = [event.key]
        for key in gone:
            self._ran_by.pop(key, None)
            earlier.discard(key)

    def note(self, task: str) -> str:
        """Return what a node says: "ran before the edit", of a mapped task after the number of its children that did; else ""."""
        earlier = self._earlier.get(task)
        if not earlier:
            return ""
        return "ran before the edit" if task in earlier else f"{len(earlier):,} ran before the edit"

    def sentence(self, key: str, width: int | None) -> str:
        """Return what the inspector says of a task or child whose result was made before an edit; "" if it wasn't.

        Args:
            key: of the task or child.
            width: number of its children, if it is mapped.
        """
        earlier = self._earlier.get(parent_key(key))
        if not earlier:
            return ""
        if key in earlier:
            return "It ran before the edit, and keeps what it gave."
        if width is None:
            return ""
        keeps = "keeps what it" if len(earlier) == 1 else "keep what they"
        return f"{len(earlier):,} of {width:,} children ran before the edit, and {keeps} gave."


def _has_run(state: State) -> bool:
    has_result = state.is_successful() and not state.is_skipped() and not state.is_mapped()
    return has_result or failed_by_itself(state)
