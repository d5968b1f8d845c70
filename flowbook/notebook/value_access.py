"""Access to a run's values: previews, pages of data frames, and what goes into a variable.

Used by the panel's worker thread only. Caches the last preview and pager of each task, by the state they were made from.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Protocol

from flowbook.engine.state import Failed, Mapped, State
from flowbook.engine.task_keys import parent_key
from flowbook.exceptions import FlowbookError
from flowbook.notebook.command_worker import RefusedError
from flowbook.report.phrases import error_text, shorten
from flowbook.results.reference import is_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flowbook.flow_run.changed_inputs import ChangedInput
    from flowbook.notebook.ports import RunLike
    from flowbook.results.reference import ResultRef

__all__ = ["PageRequest", "Pager", "RunValues", "html_of", "identifier", "page_request", "preview"]

_MOST_PAGERS = 4
_MOST_ROWS = 100
_MOST_QUERY = 200


class Pager(Protocol):
    """Turns the pages of one value; `flowbook.results.frame_pager.FramePager` is one."""

    def page(
        self,
        offset: int = 0,
        limit: int = _MOST_ROWS,
        sort: str | None = None,
        *,
        descending: bool = False,
        query: str = "",
    ) -> dict[str, Any]:
        """Return a PAGE."""
        ...


PageRequest = dict[str, Any]


def preview(state: State, describe: Callable[[object], dict[str, Any]] | None = None) -> dict[str, Any] | None:
    """Return a PREVIEW of the value that `state` holds. Loads the value only if no preview is stored."""
    try:
        if isinstance(state, Mapped):
            return _text_preview("list", f"list of {state.n_map_states:,} results, one for each child")
        reference = state.reference
        noted = reference.store.preview(reference) if reference is not None and reference.store is not None else None
        return noted if noted is not None else (describe or _describe)(state.result)
    except Exception as error:  # noqa: BLE001  # the value is gone or can't be described; the preview says so
        return _text_preview("", f"Can't be shown: {error_text(error)}")


def page_request(command: dict[str, Any]) -> PageRequest:
    """Return the checked arguments of a page: they come from the browser."""
    offset, limit, sort = command.get("offset", 0), command.get("limit", _MOST_ROWS), command.get("sort")
    if type(offset) is not int or type(limit) is not int or not (sort is None or isinstance(sort, str)):
        msg = f"A page needs whole numbers and a column's name, not offset={offset!r}, limit={limit!r}, sort={sort!r}."
        raise RefusedError(msg)
    query = command.get("query", "")
    return {
        "offset": max(0, offset),
        "limit": min(_MOST_ROWS, max(1, limit)),
        "sort": sort,
        "descending": command.get("descending") is True,
        **({"query": query[:_MOST_QUERY]} if isinstance(query, str) and query else {}),
    }


def html_of(value: object) -> str:
    """Return the HTML of a value, for a frame that can't reach the page.

    Raises:
        RefusedError: if it has none that is complete and small enough.
    """
    from flowbook.results import preview_picture  # noqa: PLC0415  # where somebody asks

    try:
        found = preview_picture.html_of(value)
    except Exception as error:
        msg = f"Can't be drawn: {error_text(error)}"
        raise RefusedError(msg) from error
    if found is None:
        msg = f"This {type(value).__name__} has no HTML that can be shown without a network. Put it into a variable to see it."
        raise RefusedError(msg)
    return found


def identifier(key: str) -> str:
    """Return a variable's name for task `key`: `clean[3]` becomes `clean_3`."""
    name = re.sub(r"\W+", "_", key).strip("_") or "value"
    return name if not name[0].isdigit() else f"_{name}"


def assigned_text(wanted: str, chosen: str) -> str:
    """Return the sentence that says which variable has a value now, and why it isn't the wanted one."""
    return f"Now in the variable {chosen}." if chosen == wanted else f"Now in the variable {chosen}: {wanted} is taken."


class RunValues:
    """The values of one run.

    Args:
        run: the run.
        describe: makes a PREVIEW of a value.
        pager: returns a Pager for a value.
        pages: returns a Pager for a stored value, which isn't loaded then.
        changed: returns the inputs of a task that a person changed.
    """

    def __init__(
        self,
        run: RunLike,
        describe: Callable[[object], dict[str, Any]] | None = None,
        pager: Callable[[object], Pager] | None = None,
        pages: Callable[[ResultRef], Pager] | None = None,
        changed: Callable[[str], Mapping[str, ChangedInput]] = lambda _: {},
    ) -> None:
        self._run = run
        self._changed = changed
        self._pages = pages
        self._describe = describe
        self._pager = pager or _pager_of
        self._previews: dict[str, tuple[State, dict[str, Any] | None]] = {}
        self._pagers: OrderedDict[tuple[str, str], tuple[object, Pager]] = OrderedDict()

    def preview(self, state: State, key: str) -> dict[str, Any] | None:
        """Return a PREVIEW of the value of task `key` in `state`; made once per state."""
        known = self._previews.get(key)
        if known is None or known[0] is not state:
            known = self._previews[key] = (state, preview(state, self._describe))
        return known[1]

    def stored_preview(self, state: State, key: str) -> dict[str, Any] | None:
        """Return a PREVIEW of the value of task `key`, but None where the value would have to be loaded for it."""
        known = self._previews.get(key)
        reference = None if isinstance(state, Mapped) else state.reference
        if reference is None or (known is not None and known[0] is state):
            return self.preview(state, key)
        return reference.store.preview(reference) if reference.store is not None else None

    def described(self, value: object) -> dict[str, Any] | None:
        """Return a PREVIEW of a value, or of what is stored under a reference; None where that would have to be loaded."""
        if is_reference(value):
            return value.store.preview(value) if value.store is not None else None
        return (self._describe or _describe)(value)

    def page(self, key: str, what: str, request: PageRequest) -> dict[str, Any]:
        """Return a PAGE of a task's output or input."""
        token = self._token(key, what)
        known = self._pagers.get((key, what))
        if known is None or known[0] is not token:
            known = (token, self._pager_of(key, what, token))
        self._pagers[key, what] = known
        self._pagers.move_to_end((key, what))
        while len(self._pagers) > _MOST_PAGERS:
            self._pagers.popitem(last=False)
        return known[1].page(**request)

    def _pager_of(self, key: str, what: str, token: object) -> Pager:
        reference = token.reference if isinstance(token, State) and token.is_successful() else None
        if self._pages is not None and reference is not None:
            return self._pages(reference)
        return self._pager(self.value(key, what))

    def value(self, key: str, what: str) -> object:
        """Return a task's output (`what` "output") or input ("input:NAME").

        Raises:
            RefusedError: if there is no such value, with why.
        """
        source, constant = self._source(key, what)
        if source is None:
            return constant.load() if is_reference(constant) else constant
        state = self._run.states.get(source)
        if state is None or not state.is_finished():
            msg = f"{source} has no output yet: it is {type(state).__name__ if state is not None else 'Pending'}."
            raise RefusedError(msg)
        if isinstance(state, Mapped) and not _is_whole(state):
            msg = f"{source} has no output yet: its children still run."
            raise RefusedError(msg)
        if isinstance(state, Failed) and what == "output":
            msg = f"{source} has no output: it is {type(state).__name__}. Take an input instead."
            raise RefusedError(msg)
        try:
            return state.result
        except FlowbookError:
            raise
        except LookupError as error:
            raise RefusedError(str(error)) from error

    def _token(self, key: str, what: str) -> object:
        source, constant = self._source(key, what)
        return constant if source is None else self._run.states.get(source)

    def _source(self, key: str, what: str) -> tuple[str | None, object]:
        """Return the key of the task that the value comes from, or None and the constant."""
        if what == "output":
            return key, None
        name = what.removeprefix("input:")
        changed = self._changed(key).get(name)
        if changed is not None:
            return None, changed.value
        spec = self._run.graph.specs.get(parent_key(key))
        if spec is None:
            msg = f"This run has no task {shorten(key, 80)!r}."
            raise RefusedError(msg)
        for binding in spec.bindings:
            if binding.argument == name:
                return binding.upstream, None
        if name in (spec.constants or {}):
            return None, (spec.constants or {})[name]
        msg = f"{spec.key} has no input {shorten(name, 80)!r}."
        raise RefusedError(msg)


def _is_whole(state: Mapped) -> bool:
    return len(state.map_states) == state.n_map_states and all(child.is_finished() for child in state.map_states)


def _text_preview(kind: str, text: str) -> dict[str, Any]:
    return {
        "kind": "text",
        "type": kind,
        "text": text,
        "shape": None,
        "size_bytes": None,
        "page": None,
        "repr": "",
        "body": None,
    }


def _describe(value: object) -> dict[str, Any]:
    from flowbook.results.preview import describe  # noqa: PLC0415  # loads pandas where there are frames

    return describe(value)


def _pager_of(value: object) -> Pager:
    from flowbook.results.frame_pager import FramePager  # noqa: PLC0415  # loads pandas

    return FramePager(value)
