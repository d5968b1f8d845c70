"""The inputs of recorded tasks in words, from what the store noted of values; loads none and unpickles nothing."""

from __future__ import annotations

import ast
from functools import cached_property
from typing import TYPE_CHECKING, Any

from flowbook.engine.secret_inputs import judged_by
from flowbook.engine.task_keys import child_key, is_child_key, split_key
from flowbook.report.failed_above import instead
from flowbook.report.phrases import shorten
from flowbook.report.secret_names import MASK, sounds_secret
from flowbook.results.reference import ResultRef
from flowbook.store.stored_graph import read_graph

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.engine.graph import Graph
    from flowbook.engine.state import State
    from flowbook.flow_run.changed_inputs import ChangedInputs
    from flowbook.results.reference import Preview
    from flowbook.store import Store

__all__ = ["StoredInputTexts"]

_TEXT_CHARS = 100
#: Values that are no secrets, whatever their name.
_HARMLESS = ("True", "False", "None")


class StoredInputTexts:
    """Describes the inputs of the tasks of one run.

    Args:
        store: the store.
        graph: the run's graph, as it is recorded.
        states: the last states of tasks and children, by key.
        changed: what tasks got from a person instead.
    """

    def __init__(
        self, store: Store, graph: Mapping[str, Any], states: Mapping[str, State], changed: ChangedInputs
    ) -> None:
        self._store = store
        self._graph = graph
        self._changed = changed
        self._states = states
        self._inputs: dict[str, dict[str, str]] = {task["key"]: task["inputs"] for task in graph.get("tasks", ())}
        self._elements: dict[str, list[str]] = {
            task["key"]: task["elements"] for task in graph.get("tasks", ()) if "elements" in task
        }

    def of(self, key: str) -> dict[str, str]:
        """Return the inputs of a task or child, by argument, secrets masked; those that the flow's code holds aren't recorded."""
        state = self._states.get(key)
        noted = {} if state is None else state.cached_inputs
        task, index = split_key(key) if is_child_key(key) else (key, None)
        found = {name: self._text(value) or "None" for name, value in noted.items()}
        for argument, upstream in self._inputs.get(task, {}).items():
            is_element = index is not None and argument in self._elements.get(task, ())
            text = self._element_text(upstream, index) if is_element and index is not None else self._of_task(upstream)
            text = found.get(argument) or text
            if text:
                shown = self._masked(key, argument, text)
                found[argument] = shown if is_child_key(key) else f"{shown}, from {upstream}"
        for name, each in self._changed.of(key).items():
            found[name] = f"{self._masked(key, name, self._text(each.value))}, {each.words}"
        return found

    def instead(self, key: str) -> str:
        """Return what a task that waits gets though something above it failed, as sentences; "" if all above it succeeded."""
        return instead(self._read, key, self._states.get)

    def _masked(self, key: str, argument: str, text: str) -> str:
        if not self._has_secrets or text in _HARMLESS:
            return text
        return MASK if sounds_secret(judged_by(self._read, key, argument)) else text

    @cached_property
    def _has_secrets(self) -> bool:
        """Whether the name of a parameter sounds secret; without one, the graph need not be read."""
        tasks = self._graph.get("tasks", ())
        return any(task.get("parameter") and sounds_secret(str(task["key"])) for task in tasks)

    @cached_property
    def _read(self) -> Graph:
        return read_graph(self._graph)

    def _of_task(self, key: str) -> str:
        state = self._states.get(key)
        return "" if state is None or not state.is_successful() else self._text(state.raw_result)

    def _element_text(self, upstream: str, index: int) -> str:
        """Return element `index` of what task `upstream` returned; "" if the store noted too little to tell."""
        child = child_key(upstream, index)
        if child in self._states:
            return self._of_task(child)
        state = self._states.get(upstream)
        preview = None if state is None else self._preview(state.raw_result)
        try:
            return shorten(repr(ast.literal_eval(str((preview or {}).get("repr")))[index]), _TEXT_CHARS)
        except (ValueError, SyntaxError, TypeError, LookupError, MemoryError, RecursionError):
            return ""

    def _text(self, value: object) -> str:
        if not isinstance(value, ResultRef):
            return "" if value is None else shorten(repr(value), _TEXT_CHARS)
        preview = self._preview(value)
        return "a value in the store" if preview is None else str(preview.get("text", ""))

    def _preview(self, value: object) -> Preview | None:
        return self._store.values.preview(value) if isinstance(value, ResultRef) else None
