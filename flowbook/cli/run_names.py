"""The names by which a person calls a recorded run: its id or its beginning, a number, a flow, "last", "last failed"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.exceptions import UnknownRunError
from flowbook.store.process_identity import UNSETTLED, effective_state_of
from flowbook.store.state_codec import is_state_name

if TYPE_CHECKING:
    from flowbook.store import RunSummary
    from flowbook.store.runs import Runs

__all__ = ["find_run_id"]

_SHORTEST_PREFIX = 4
_NAMED_AT_MOST = 5


def find_run_id(runs: Runs, name: str) -> str:
    """Return the id of the run that a person means.

    Args:
        runs: of the store.
        name: an id, or its first digits (4 at least); a number, if one flow alone has a run of that number; a flow's name
            (its newest run), or that and a number: "delays 17"; "last", or "last" and a state: "last failed".

    Raises:
        UnknownRunError: if there is none, or there are several.
    """
    try:
        return runs.summary(name).run_id
    except UnknownRunError:
        pass
    for find in (_last, _of_flow, _numbered, _beginning_with):
        found = find(runs, name)
        if len(found) == 1:
            return found[0].run_id
        if found:
            names = ", ".join(f"'{each.flow} {each.number}' ({each.run_id[:8]})" for each in found[:_NAMED_AT_MOST])
            more = f" and {len(found) - _NAMED_AT_MOST} more" if len(found) > _NAMED_AT_MOST else ""
            msg = f"{len(found)} runs could be meant by {name!r}: {names}{more}. Name one of them so."
            raise UnknownRunError(msg, run_id=name)
    msg = f"There is no run {name!r} in this store. `flowbook run ls` lists those that there are."
    raise UnknownRunError(msg, run_id=name)


def _last(runs: Runs, name: str) -> list[RunSummary]:
    word, _, state = name.replace("-", " ").lower().partition(" ")
    if word != "last":
        return []
    if not state:
        return runs.list(limit=1)
    kind = next((kind for kind in (state.capitalize(), *_TWO_WORDS) if kind.lower() == state), state)
    if not is_state_name(kind):
        return []
    if kind in UNSETTLED:
        return [each for each in runs.list(is_open=True) if effective_state_of(each) == kind][-1:]
    return runs.list(state=kind, limit=1)


_TWO_WORDS = ("TimedOut", "TriggerFailed", "ValidationFailed")


def _of_flow(runs: Runs, name: str) -> list[RunSummary]:
    if found := runs.list(flow=name, limit=1):
        return found
    flow, _, number = name.rpartition(" ")
    return [each for each in runs.list(flow=flow) if str(each.number) == number] if flow else []


def _numbered(runs: Runs, name: str) -> list[RunSummary]:
    return [each for each in runs.list() if str(each.number) == name] if name.isdigit() else []


def _beginning_with(runs: Runs, name: str) -> list[RunSummary]:
    if len(name) < _SHORTEST_PREFIX:
        return []
    ids = [run_id for run_id in runs.table().run_id if run_id.startswith(name)]
    return [runs.summary(run_id) for run_id in ids]
