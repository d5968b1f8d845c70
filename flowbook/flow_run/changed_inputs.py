"""The inputs that a person changed before a task ran, as the task got them, from a run's events. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from flowbook.engine.events import Decided, StateChanged
from flowbook.engine.state import Paused, Pending, Resume

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.engine.events import Event

__all__ = ["ChangedInput", "ChangedInputs"]

_E = TypeVar("_E", Decided, StateChanged)

_BEGINS = (Paused, Pending, Resume)


class ChangedInput(NamedTuple):
    """An input of a task that a person changed.

    Attributes:
        value: what the task got, or the reference to it.
        by: who changed it.
        text: what it was and is, "15 → 20", or what it is, where that is short and plain; else "".
    """

    value: object
    by: str
    text: str

    @property
    def words(self) -> str:
        """Who changed it, as what follows a value."""
        return f"changed by {self.by}" if self.by else "changed by a person"


class ChangedInputs:
    """The changed inputs of a run's tasks, kept up to date event by event; late ones change nothing."""

    def __init__(self) -> None:
        #: By key: the last answer that let a task go on, and the last event by which it goes on or begins anew.
        self._answers: dict[str, Decided] = {}
        self._begun: dict[str, StateChanged] = {}

    def take(self, event: Event) -> None:
        """Take an event of the run."""
        if isinstance(event, Decided):
            _note(self._answers, event, counts=event.action == "resume")
        elif isinstance(event, StateChanged) and type(event.state) in _BEGINS:
            _note(self._begun, event, counts=event.key in self._answers)

    def of(self, key: str) -> Mapping[str, ChangedInput]:
        """Return the changed inputs of a task or child, by argument; none if it waits or began anew since."""
        answer, begun = self._answers.get(key), self._begun.get(key)
        if answer is None or begun is None or not isinstance(begun.state, Resume):
            return {}
        inputs = begun.state.cached_inputs
        return {
            each.name: ChangedInput(inputs[each.name], answer.by, each.text)
            for each in answer.changes
            if each.name in inputs
        }


def _note(known: dict[str, _E], event: _E, *, counts: bool) -> None:
    """Keep an event by its key, unless a newer one is there or it doesn't count."""
    before = known.get(event.key)
    if counts and (before is None or event.seq > before.seq):
        known[event.key] = event
