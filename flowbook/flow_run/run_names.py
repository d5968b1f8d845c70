"""Finds a recorded run by a name that people use: its id or the beginning of it, "delays 4", "delays", "last", "last failed".

One module for `flowbook.run`, the magics and the command, so that a name means the same everywhere.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flowbook import config
from flowbook.engine.state_kinds import DISPLAY_ORDER, FAILED
from flowbook.exceptions import UnknownRunError
from flowbook.store.process_identity import shown_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowbook.store import Store

__all__ = ["find_run_id", "words_of_run"]

_SHORTEST_ID = 4
#: "delays last failed"
_MOST_WORDS = 3
_LAST = re.compile(r"(?:(?P<flow>.+?)\s+)?last(?:[\s-]+(?P<state>[a-z]+))?", re.IGNORECASE)
_NUMBERED = re.compile(r"(?:(?P<flow>.+?)(?:\s+|\s*[#:]\s*))?#?(?P<number>[0-9]+)")
_STATES = {name.lower(): frozenset({name}) for name in DISPLAY_ORDER} | {
    "failed": frozenset({*FAILED, "TriggerFailed"})
}
#: How many runs are read at a time when looking for the last one in a state.
_PAGE_RUNS = 100
_SAY_HOW = (
    "Name it by its id, the beginning of that, 'FLOW 4', 'last' or 'last failed'; flowbook.runs() lists the runs."
)


def find_run_id(store: Store, name: object, flow: str | None = None) -> str:
    """Return the id of the run that `name` means; runs of the working folder's project take precedence.

    Args:
        store: the store to look in.
        name: an id, or the beginning of one (4 characters at least); a number; the name of a flow (its newest run), or that
            and a number, "delays 4"; "last", "last failed" or another state; "delays last failed".
        flow: name of the flow to look in if `name` doesn't say; None: any.

    Raises:
        UnknownRunError: if no run matches, or several do; lists those.
    """
    if isinstance(name, bool) or not isinstance(name, int | str) or not str(name).strip():
        msg = f"{name!r} doesn't name a run. {_SAY_HOW}"
        raise UnknownRunError(msg, run_id=repr(name))
    text = str(name).strip()
    if store.runs.that_begin(text, 1) == [text]:
        return text
    for project in (config.project(), None):
        for find in (_newest, _last, _numbered):
            if (found := find(store, text, flow, project)) is not None:
                return found
    if (found := _beginning(store, text)) is not None:
        return found
    if not store.runs.list(limit=1):
        msg = f"There is no run {name!r}: no run is recorded here yet. Notebooks record runs, and flow.run(record=True) does."
        raise UnknownRunError(msg, run_id=text)
    msg = f"There is no run {name!r} in this store. {_SAY_HOW}"
    raise UnknownRunError(msg, run_id=text)


def words_of_run(words: Sequence[str]) -> int:
    """Return how many of the first words name a run together: 2 of "delays 3 clean" and of "last failed", 1 of "delays clean"."""
    for count in range(min(_MOST_WORDS, len(words)), 1, -1):
        text = " ".join(words[:count])
        last = _LAST.fullmatch(text)
        if _NUMBERED.fullmatch(text) or (last is not None and (last["state"] or "").lower() in {"", *_STATES}):
            return count
    return min(1, len(words))


def _newest(store: Store, text: str, _: str | None, project: str | None) -> str | None:
    """Return the newest run of the flow of that name."""
    return next((run.run_id for run in store.runs.list(flow=text, project=project, limit=1)), None)


def _last(store: Store, text: str, flow: str | None, project: str | None) -> str | None:
    match = _LAST.fullmatch(text)
    if match is None or (match["state"] and match["state"].lower() not in _STATES):
        return None
    states = _STATES[match["state"].lower()] if match["state"] else None
    limit = _PAGE_RUNS if states else 1
    while True:
        runs = store.runs.list(flow=match["flow"] or flow, project=project, limit=limit)
        for run in reversed(runs):
            if states is None or shown_state(run) in states:
                return run.run_id
        if len(runs) < limit:
            return None
        limit *= 10


def _numbered(store: Store, text: str, flow: str | None, project: str | None) -> str | None:
    match = _NUMBERED.fullmatch(text)
    if match is None or len(match["number"]) > len(str(2**62)):
        return None
    found = store.runs.of_number(int(match["number"]), project, match["flow"] or flow)
    if len(found) > 1:
        listed = ", ".join(f"'{name} {match['number']}' ({run_id[:8]})" for run_id, name in found.items())
        msg = f"Several runs are called {text!r}: {listed}. Name one of them so, or by its id."
        raise UnknownRunError(msg, run_id=text)
    return next(iter(found), None)


def _beginning(store: Store, text: str) -> str | None:
    alike = store.runs.that_begin(text) if len(text) >= _SHORTEST_ID else []
    if len(alike) > 1:
        msg = f"{len(alike)} runs or more begin with {text!r}: {', '.join(alike[:5])}. Give more of the id."
        raise UnknownRunError(msg, run_id=text)
    return alike[0] if alike else None
