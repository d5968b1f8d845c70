"""Answers to tasks that wait: what a person decided, checked against the tasks and the inputs that they wait with."""

from __future__ import annotations

import inspect
from enum import Enum
from typing import TYPE_CHECKING, cast

from flowbook.engine.answer import Answer, AnswerAction
from flowbook.engine.events import InputChange
from flowbook.engine.remote_error import safe_str
from flowbook.engine.secret_inputs import judged_by, secret_inputs
from flowbook.engine.task_keys import parent_key
from flowbook.exceptions import ArgumentError, ParameterError, UnpicklableError
from flowbook.flow_run.decision import TypedText
from flowbook.report.phrases import listed
from flowbook.report.secret_names import shown_text, sounds_secret
from flowbook.results.reference import is_reference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowbook.engine.graph import Graph
    from flowbook.engine.state import State
    from flowbook.flow_run.decision import Decision
    from flowbook.flow_run.run_description import RunLabel

__all__ = ["answer_of", "look_at", "refuse_unknown_inputs", "refuse_unpicklable"]

#: The inputs of no more tasks are hashed for one decision: nobody has looked at those of more.
_MOST_HASHED = 1000
#: No more than this is loaded from the store to be hashed.
_MOST_BYTES = 100_000_000
#: What is typed isn't compared with a larger value.
_MOST_TYPED_BYTES = 10_000_000
#: Values that are told in a few characters, and how many bytes and characters those may have.
_PLAIN = frozenset({bool, int, float, str, type(None)})
_MOST_PLAIN_BYTES, _MOST_CHARACTERS = 200, 40


def answer_of(graph: Graph, states: Mapping[str, State], keys: tuple[str, ...], decision: Decision) -> Answer:
    """Return the answer that a decision gives to the waiting tasks `keys`.

    Raises:
        ArgumentError: if it changes inputs of several tasks, or one that the task doesn't have.
        ParameterError: if a text that was typed for an input is no value of its kind.
    """
    if decision.inputs:
        refuse_unknown_inputs(graph, keys, decision.inputs)
    waits_with = states[keys[0]].cached_inputs if keys else {}
    inputs = _read_inputs(graph, keys[0], waits_with, decision.inputs) if decision.inputs else {}
    looked_at = decision.looked_at or look_at(states, keys)
    before = looked_at.get(keys[0], {}) if keys else {}
    changes = tuple(
        InputChange(
            name,
            before.get(name, ""),
            _hash(value),
            "" if sounds_secret(judged_by(graph, keys[0], name)) else _change_text(waits_with, name, value),
        )
        for name, value in inputs.items()
    )
    action = cast("AnswerAction", decision.action)
    return Answer(action, decision.by, decision.note, inputs, changes, looked_at)


def look_at(states: Mapping[str, State], keys: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return by key the content hashes of the inputs that tasks wait with; inputs that can't be hashed are left out."""
    left_bytes = _MOST_BYTES
    found: dict[str, dict[str, str]] = {}
    for key in keys[:_MOST_HASHED]:
        inputs = states[key].cached_inputs
        left_bytes -= sum(value.size_bytes for value in inputs.values() if is_reference(value))
        hashes = {name: _hash(value, is_loaded=left_bytes >= 0) for name, value in inputs.items()}
        found[key] = {name: text for name, text in hashes.items() if text}
    return found


def refuse_unknown_inputs(graph: Graph, keys: Sequence[str], inputs: Mapping[str, object]) -> None:
    """Refuse inputs unless they are for one task, which takes them. Raises ArgumentError."""
    if len(keys) != 1:
        msg = (
            f"inputs= changes what one task gets, and {len(keys):,} wait here: {listed(list(keys))}. "
            "Resume them one by one."
        )
        raise ArgumentError(msg, keys=tuple(keys))
    (key,) = keys
    taken = inspect.signature(graph.specs[parent_key(key)].run).parameters.values()
    names = [each.name for each in taken if each.kind is not each.VAR_KEYWORD]
    unknown = [name for name in inputs if name not in names]
    if unknown and len(names) == len(taken):
        msg = f"Task {key!r} has no input {unknown[0]!r}. Its inputs: {', '.join(names) or 'none'}."
        raise ArgumentError(msg, key=key, argument=unknown[0])


def refuse_unpicklable(run: RunLabel, key: str, name: str, error: UnpicklableError) -> UnpicklableError:
    """Return the error for an input that can't be sent to the process that has the run."""
    why = str(error.details.get("what", error)).removesuffix(".")
    msg = (
        f"{run.title} goes on in another process, and input {name!r} of {key} can't be sent there: a {why}. "
        "Give plain data instead."
    )
    return UnpicklableError(msg, run=run.run_id, key=key, argument=name)


def _read_inputs(
    graph: Graph, key: str, waits_with: Mapping[str, object], inputs: Mapping[str, object]
) -> dict[str, object]:
    """Return the inputs, each typed text as a value of the kind that it replaces. Raises ParameterError."""
    from flowbook.flow_run.typed_text import read_like  # noqa: PLC0415  # loads much: only where somebody changes an input

    spec = graph.specs[parent_key(key)]
    taken, secrets = inspect.signature(spec.run).parameters, secret_inputs(graph, key)
    sources = {str(binding.argument): binding.upstream for binding in spec.bindings}
    found = dict(inputs)
    for name, text in inputs.items():
        if isinstance(text, TypedText):
            usual = taken[name].default if name in taken else inspect.Parameter.empty
            like = _like(name, waits_with.get(name, None if usual is inspect.Parameter.empty else usual))
            is_secret = name in secrets or sounds_secret(sources.get(name, ""))
            found[name] = read_like(name, str(text), like, is_secret=is_secret)
    return found


def _like(name: str, value: object) -> object:
    """Return the value that a task waits with, or a stand-in for one that is too large or can't be loaded.

    Raises:
        ParameterError: if it is a member of an enum whose class isn't here.
    """
    if not is_reference(value):
        return value
    why = "It is too large. Call run.resume(inputs=...) with the member itself."
    try:
        if value.size_bytes <= _MOST_TYPED_BYTES:
            return value.load()
    except BaseException as error:  # noqa: BLE001  # loading a value runs user code: unpickling
        why = safe_str(error)
    from flowbook.flow_run.kind_by_preview import like_of  # noqa: PLC0415  # likewise

    like = like_of(None if value.store is None else value.store.preview(value))
    if isinstance(like, Enum):
        msg = f"{name} is a member of {type(like).__name__}, an enum that isn't loaded here. {why}"
        raise ParameterError(msg, names=[name])
    return like


def _change_text(before: Mapping[str, object], name: str, after: object) -> str:
    """Return "15 → 20", or "20" where the task waited without that input; "" unless both are short and plain."""
    now = _plain_text(after)
    if name not in before or not now:
        return now
    was = _plain_text(before[name])
    return f"{was} → {now}" if was else ""


def _plain_text(value: object) -> str:
    try:
        found = value.load() if is_reference(value) and value.size_bytes <= _MOST_PLAIN_BYTES else value
    except BaseException:  # noqa: BLE001  # loading a value runs user code: unpickling
        return ""
    text = shown_text(repr(found)) if type(found) in _PLAIN else ""
    return text if len(text) <= _MOST_CHARACTERS else ""


def _hash(value: object, *, is_loaded: bool = True) -> str:
    """Return a value's content hash; of a stored one that isn't or can't be loaded, "sha256:" and the hash of its bytes."""
    from flowbook.results.content_hash import content_hash  # noqa: PLC0415  # loads much: only where somebody decides

    try:
        if not is_reference(value):
            return content_hash(value)
        if value.content_hash is not None:
            return value.content_hash
        if is_loaded and value.size_bytes <= _MOST_BYTES:
            return content_hash(value.load())
    except BaseException:  # noqa: BLE001, S110  # users' objects, which may raise anything
        pass
    return f"sha256:{value.digest}" if is_reference(value) and value.digest else ""
