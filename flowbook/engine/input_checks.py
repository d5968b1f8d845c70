"""Notices in recorded runs that a task changed an input in place, so that the output above it isn't what is recorded.

Each mutable input is compared before and after the attempt, so that what changed in between is blamed on nobody. Values that
only pass through this process are left out: a task gets copies of those (decision 0052).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook._utils.handed_on import IMMUTABLE, handed_on
from flowbook._utils.locks import Rank, RankedLock
from flowbook.engine.state import Mapped
from flowbook.results.reference import is_reference
from flowbook.results.snapshot import differs, snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowbook.engine.graph import Binding, Graph
    from flowbook.engine.job import Job
    from flowbook.engine.state import State

__all__ = ["InputChecks", "Reading"]

#: A larger value isn't compared.
_VALUE_BYTES = 10_000_000
#: Of the outputs of one task so much is compared in a run: a few hundred milliseconds, however many tasks read them.
_TASK_BYTES = 50_000_000


class Reading:
    """One input that a task has while it runs.

    Attributes:
        original: the output that the task above returned; the task may have got a copy of it.
        identity: the same for all that read this output.
        before: a snapshot of it.
        readers: keys of this task, and of others that had the output at the same time.
    """

    __slots__ = ("argument", "before", "identity", "key", "original", "readers", "upstream")

    def __init__(self, key: str, binding: Binding, original: object, identity: int, before: bytes) -> None:
        self.key = key
        self.upstream = binding.upstream
        self.argument = binding.argument
        self.original = original
        self.identity = identity
        self.before = before
        self.readers = {key}

    def has_changed(self) -> bool:
        """Return whether the value isn't what it was, and isn't one that looks different each time."""
        after = snapshot(self.original, _VALUE_BYTES)
        if after is None or not differs(self.before, after):
            return False
        again = snapshot(self.original, _VALUE_BYTES)
        return again is not None and not differs(after, again)


class InputChecks:
    """Compares the inputs of the tasks of one epoch; from any thread, never with a lock held.

    Args:
        graph: what runs.
    """

    def __init__(self, graph: Graph) -> None:
        self._specs = graph.specs
        self._lock = RankedLock(Rank.INPUT_CHECKS)
        #: What running tasks read, by identity of the output.
        self._open: dict[int, list[Reading]] = {}
        #: By key of the task above: how many bytes may still be compared.
        self._left: dict[str, int] = {}
        self._reported: set[tuple[frozenset[str], str]] = set()

    def begin(self, job: Job, inputs: Mapping[str, object]) -> Sequence[Reading]:
        """Look at what a task is about to get; return what to compare at its end."""
        found: list[Reading] = []
        for binding, above in zip(job.spec.bindings, job.upstream, strict=True):
            if binding.argument is not None and type(inputs.get(binding.argument)) not in IMMUTABLE:
                self._read(job, binding, above, inputs, found)
        return found

    def end(self, readings: Sequence[Reading]) -> list[str]:
        """Return what to say of the inputs that changed; each pair of tasks is named once."""
        found = []
        for reading in readings:
            has_changed = reading.has_changed()
            with self._lock:
                self._open[reading.identity].remove(reading)
                if not self._open[reading.identity]:
                    del self._open[reading.identity]
                pair = (frozenset(reading.readers), reading.upstream)
                is_news = has_changed and pair not in self._reported
                if is_news:
                    self._reported.add(pair)
            if is_news:
                found.append(self._text(reading))
        return found

    def _read(
        self, job: Job, binding: Binding, above: State, inputs: Mapping[str, object], found: list[Reading]
    ) -> None:
        left = self._left.get(binding.upstream, _TASK_BYTES)
        if left <= 0 or not self._specs[binding.upstream].keep:
            return
        original = _original(job, binding, above, inputs)
        if type(original) in IMMUTABLE:
            return
        before = snapshot(original, _VALUE_BYTES)
        self._left[binding.upstream] = left - (_VALUE_BYTES if before is None else len(before))
        if before is None:
            return
        reading = Reading(job.spec.key, binding, original, id(above if type(above) is Mapped else original), before)
        with self._lock:
            others = self._open.setdefault(reading.identity, [])
            for other in others:
                other.readers.add(reading.key)
                reading.readers.add(other.key)
            others.append(reading)
        found.append(reading)

    def _text(self, reading: Reading) -> str:
        spec = self._specs[reading.upstream]
        names = spec.upstream if spec.gathers else (spec.key,)
        what = " and ".join(f"`{name}`" for name in names)
        was = f"the value of parameter {what}" if spec.is_parameter else f"what {what} returned"
        who, others = f"`{reading.key}`", sorted(reading.readers - {reading.key})
        if others:
            beside = ", ".join(f"`{other}`" for other in others)
            who = f"{who}, or {beside} at the same time,"
        return f"{who} changed its input `{reading.argument}` in place: {was} is no longer what is recorded. Work on a copy."


def _original(job: Job, binding: Binding, above: State, inputs: Mapping[str, object]) -> object:
    """Return the output of which a task got an input; None where it isn't in memory, or can't be told."""
    argument = binding.argument or ""
    if type(above) is Mapped:
        if job.index is not None:
            return None  # as many children as elements: looking at all of them for each would take too long
        values = [child.raw_result for child in above.map_states]
        return None if any(is_reference(value) for value in values) else values
    value = above.raw_result
    if is_reference(value):
        return None
    if not binding.mapped:
        return value
    given = inputs.get(argument)
    is_stored = is_reference((job.state.cached_inputs or {}).get(argument))
    return given if not is_stored and handed_on(given) is given else None
