"""What the children of mapped tasks are called: by their task run's name, or by the element that each was given.

Loads a list from the store only where it is asked to, and only a small one. Used under the panel's lock and by its worker.
"""

from __future__ import annotations

import datetime as dt
import os
from pathlib import PurePath
from typing import TYPE_CHECKING

from flowbook.engine.secret_inputs import judged_by
from flowbook.engine.state import Mapped
from flowbook.engine.task_keys import split_key
from flowbook.report.phrases import shorten
from flowbook.report.secret_names import shown_urls, sounds_secret
from flowbook.results.reference import is_reference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowbook.engine.graph import Binding, Graph
    from flowbook.engine.state import State

__all__ = ["ChildLabels", "element_text"]

#: Larger lists aren't loaded for the names of their elements.
_MOST_BYTES = 1_000_000
_LENGTH = 120
_MOST_PARTS = 4
_PLAIN = (str, int, float, bool, dt.date, dt.time)


class ChildLabels:
    """The labels of one run's children.

    Args:
        graph: the run's graph.
        states: newest state by key.
    """

    def __init__(self, graph: Graph, states: Mapping[str, State]) -> None:
        self._graph = graph
        self._states = states
        #: By key: the state that holds the sequence, whether it was loaded, and the sequence or None.
        self._sequences: dict[str, tuple[State, bool, Sequence[object] | None]] = {}

    def of(self, parent: str, index: int, *, may_load: bool = False) -> str:
        """Return the label of a child, "" if its input has no short name.

        Args:
            parent: key of the mapped task.
            index: of the child.
            may_load: whether a small list may be loaded from the store.
        """
        spec = self._graph.specs.get(parent)
        if spec is None:
            return ""
        fed = [
            each
            for each in spec.bindings
            if each.mapped
            and each.argument
            and not each.flattened
            and not sounds_secret(judged_by(self._graph, parent, each.argument))
        ]
        parts = [self._fed(binding, index, may_load=may_load) for binding in fed]
        parts += [_at(each, index) for name, each in (spec.mapped_constants or {}).items() if not sounds_secret(name)]
        return shorten(", ".join(filter(None, parts)), _LENGTH)

    def of_key(self, key: str) -> str:
        """Return the label of the child of this key, from what is in memory."""
        parent, index = split_key(key)
        return self.of(parent, index) if index is not None else ""

    def _fed(self, binding: Binding, index: int, *, may_load: bool) -> str:
        state = self._states.get(binding.upstream)
        if isinstance(state, Mapped):
            # The name goes on down: what was made of a file is called as the file.
            return self.of(binding.upstream, index, may_load=may_load)
        return _at(self._sequence(binding.upstream, state, may_load=may_load), index) if state is not None else ""

    def _sequence(self, key: str, state: State, *, may_load: bool) -> Sequence[object] | None:
        known = self._sequences.get(key)
        if known is not None and known[0] is state and (known[1] or not may_load):
            return known[2]
        found = _value(state, may_load=may_load)
        sequence = found if isinstance(found, (list, tuple, range)) else None
        self._sequences[key] = (state, may_load, sequence)
        return sequence


def element_text(element: object) -> str:
    """Return the short name of a value that a child was given; "" if it has none."""
    if isinstance(element, os.PathLike):
        return PurePath(os.fspath(element)).name or os.fspath(element)
    if element is None or isinstance(element, _PLAIN):
        return shown_urls(" ".join(str(element).split()))
    if isinstance(element, (tuple, list)) and len(element) <= _MOST_PARTS:
        parts = [element_text(part) for part in element]
        return ", ".join(parts) if all(parts) else ""
    return ""


def _at(sequence: object, index: int) -> str:
    if not isinstance(sequence, (list, tuple, range)) or index >= len(sequence):
        return ""
    try:
        return shorten(element_text(sequence[index]), _LENGTH)
    except Exception:  # noqa: BLE001  # a user's __fspath__ or __str__ may raise
        return ""


def _value(state: State, *, may_load: bool) -> object:
    raw = state.raw_result
    if not is_reference(raw):
        return raw
    if not may_load or raw.size_bytes > _MOST_BYTES:
        return None
    try:
        return raw.load()
    except Exception:  # noqa: BLE001  # it is gone, or can't be unpickled here; then its elements have no names
        return None
