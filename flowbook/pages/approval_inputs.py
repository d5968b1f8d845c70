"""The inputs of a task that waits, for whoever has its link: what they are, what was approved last, and what may be changed.

Secrets are masked. Nothing of a value is run, and what a person types is read as plain data of the kind that it replaces.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from flowbook import config
from flowbook.engine.secret_inputs import judged_by
from flowbook.engine.task_keys import parent_key
from flowbook.exceptions import ArgumentError, FlowbookError
from flowbook.flow_run.decision import TypedText
from flowbook.flow_run.kind_by_preview import like_of, written_of
from flowbook.flow_run.typed_text import read_like
from flowbook.report.masked_values import masked_preview
from flowbook.report.parameter_text import has_no_literal
from flowbook.report.phrases import shorten
from flowbook.report.secret_names import shown_text, sounds_secret
from flowbook.results.reference import is_reference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.pages.approved_before import Approved
    from flowbook.pages.stored_run import StoredRun
    from flowbook.results.reference import Preview

__all__ = ["changes_of", "is_comparable", "shown_inputs", "waiting_inputs"]

_MOST_TEXT = 200
#: Longer literals can't be changed on the page of a link, and what is typed may not be longer.
_MOST_LITERAL = 1000
#: A value that takes more bytes isn't read to be shown as a literal.
_MOST_BYTES = 4000
_SECRET = "It isn't shown: its name sounds secret."  # noqa: S105  # a sentence
_KINDS: tuple[tuple[type | tuple[type, ...], str, str], ...] = (
    (bool, "True or False", "True"),
    ((int, float), "a number", "20"),
    (list, "a list", "[1, 2]"),
    (tuple, "a tuple", "(1, 2)"),
    (dict, "a dict", "{'month': 8}"),
    (set, "a set", "{1, 2}"),
)


def waiting_inputs(run: StoredRun, key: str) -> Mapping[str, object]:
    """Return what a task waits with, by argument."""
    state = run.states.get(key)
    return {} if state is None else state.cached_inputs


def shown_inputs(run: StoredRun, key: str, before: Approved | None) -> list[dict[str, Any]]:
    """Return what the task would get, in the order of its record: other tasks' outputs first.

    Args:
        run: the run.
        key: of the task or child.
        before: what was approved last, if anything.
    """
    spec = run.graph.specs.get(parent_key(key))
    sources = {} if spec is None else {str(each.argument): each.upstream for each in spec.bindings}
    given = waiting_inputs(run, key)
    names = [*(name for name in sources if name in given), *(name for name in given if name not in sources)]
    inputs = {} if before is None else before.inputs
    found = []
    for name in names:
        judged, value = judged_by(run.graph, key, name), given[name]
        was = _before(judged, value, inputs[name]) if name in inputs else None
        found.append({**_shown(judged, sources.get(name), value), "name": name, "before": was})
    return found


def is_comparable(name: str, value: object, before: object) -> bool:
    """Return whether two values of an input are compared row by row: both are stored, differ, and are more than literals.

    Args:
        name: by which it is judged.
        value: what the task would get.
        before: what was approved.
    """
    if sounds_secret(name) or not (is_reference(value) and is_reference(before)) or _is_same(value, before):
        return False
    if _literal(name, value) and _literal(name, before):
        return False  # these stand side by side
    return all(ref.store is not None and ref.store.preview(ref) is not None for ref in (value, before))


def changes_of(run: StoredRun, key: str, typed: Mapping[str, object]) -> dict[str, object]:
    """Return the inputs that were changed, as values of the kinds that they replace; those typed as they were are left out.

    Args:
        run: the run.
        key: of the task or child that waits.
        typed: texts by the inputs' names, from whoever has the link.

    Raises:
        ArgumentError, ParameterError: if there is no such input, it can't be changed here, or a text is no value of its kind.
    """
    given = waiting_inputs(run, key)
    found = {}
    for name, text in typed.items():
        literal = _literal(judged_by(run.graph, key, name), given[name]) if name in given else ""
        if not literal or not config.approval_may_change_inputs():
            msg = f"{key} has no input {shorten(name, 80)!r} that a link can change. Change it on the run's page."
            raise ArgumentError(msg, argument=name)
        if not isinstance(text, str) or len(text) > _MOST_LITERAL:
            msg = f"{name} takes a text of at most {_MOST_LITERAL:,} characters here. Change it in the notebook."
            raise ArgumentError(msg, argument=name)
        if text.strip() != literal:
            found[name] = _value_like(name, given[name], literal, text.strip())
    return found


def _shown(name: str, source: str | None, value: object) -> dict[str, Any]:
    found = {"name": name, "from": source, "preview": None, "literal": "", "hash": "", "text": "", "changeable": False}
    if sounds_secret(name):
        return {**found, "text": _SECRET}
    literal = _literal(name, value)
    found |= {"literal": literal, "changeable": bool(literal) and config.approval_may_change_inputs()}
    if not is_reference(value):
        return {**found, "text": _text(value)}
    preview = _preview(value)
    if preview is None:
        return {**found, "text": "It wasn't kept, so it can't be shown."}
    shown = masked_preview(preview)
    digest = (
        value.digest if {**preview, **shown} == preview else ""
    )  # by the hash of what is masked, a password could be guessed
    return {**found, "preview": shown, "hash": digest, "text": shown["text"]}


def _before(name: str, value: object, old: object) -> dict[str, Any] | None:
    """Return how an input differs from what was approved; None if it isn't to be shown."""
    if sounds_secret(name):
        return None
    if _is_same(value, old):
        return {"same": True, "text": "", "compares": False}
    return {"same": False, "text": _told(name, old), "compares": is_comparable(name, value, old)}


def _told(name: str, value: object) -> str:
    if literal := _literal(name, value):
        return literal
    if not is_reference(value):
        return _text(value)
    preview = _preview(value)
    return "a value that wasn't kept" if preview is None else shown_text(preview["text"])


def _is_same(value: object, old: object) -> bool:
    if is_reference(value) and is_reference(old):
        hashes = value.content_hash, old.content_hash
        return value.digest == old.digest or (hashes[0] is not None and hashes[0] == hashes[1])
    return _plain(value) == _plain(old)


def _plain(value: object) -> tuple[str, object]:
    """Return a small plain value with its kind, loaded if it is stored; a value that isn't plain is only like itself."""
    try:
        found = value.load() if is_reference(value) and value.size_bytes <= _MOST_BYTES else value
    except FlowbookError:
        found = value
    return type(found).__name__, found


def _literal(name: str, value: object) -> str:
    """Return the text by which a person may write a value; "" unless it is plain, short, and holds no secret."""
    if sounds_secret(name):
        return ""
    text = written_of(_preview(value))
    if text:
        return text if len(text) <= _MOST_LITERAL and shown_text(text) == text else ""
    found = _plain(value)[1]
    try:
        text = repr(found)
        is_plain = len(text) <= _MOST_LITERAL and ast.literal_eval(text) == found
    except Exception:  # noqa: BLE001  # not plain: there is no literal
        return ""
    return text if is_plain and shown_text(text) == text else ""


def _preview(value: object) -> Preview | None:
    return value.store.preview(value) if is_reference(value) and value.store is not None else None


def _text(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return shorten(shown_text(text), _MOST_TEXT)


def _value_like(name: str, replaced: object, literal: str, text: str) -> object:
    """Return the value that a text stands for, of the kind of the old one; a date, say, is read by the task's process.

    Raises:
        ArgumentError, ParameterError: if it has another kind.
    """
    like = like_of(_preview(replaced))
    if has_no_literal(like):
        if read_like(name, text, like) is None:
            msg = f"{name} can't be None here. Write e.g. {literal}."
            raise ArgumentError(msg, argument=name)
        return TypedText(text)
    old = ast.literal_eval(literal)
    value = read_like(name, text, old)
    if isinstance(old, str):
        return value if isinstance(value, str) else text
    for kind, called, example in _KINDS:
        if isinstance(old, kind):
            if isinstance(value, kind) and isinstance(value, bool) == isinstance(old, bool):
                return value
            msg = f"{name} is {called}, and {shorten(text, 80)!r} isn't. Write e.g. {example}."
            raise ArgumentError(msg, argument=name)
    return value
