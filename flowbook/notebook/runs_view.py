"""The runs of one flow as a view lists them, with what changed from each to the next.

Reads the store; loads no value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowbook.report.parameter_text import parameter_text
from flowbook.report.phrases import listed, shorten
from flowbook.report.secret_names import shown_parameters, shown_value
from flowbook.store.process_identity import listed_message_of, shown_counts, shown_seconds, shown_state

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowbook.store import Store
    from flowbook.store.records import RunSummary

__all__ = ["RunRow", "RunsView", "runs_view"]

_VALUE_LENGTH = 40


@dataclass(frozen=True, slots=True)
class RunRow:
    """ROW of the wire: a run of the flow. Times are seconds since the epoch; `took_s` is without waiting at rest."""

    id: str
    number: str
    state: str
    started: float | None
    took_s: float | None
    counts: Mapping[str, int]
    parameters: Mapping[str, str]
    changed: str
    message: str


@dataclass(frozen=True, slots=True)
class RunsView:
    """The answer to `runs`: the newest first; `total` counts all that there are."""

    rows: Sequence[RunRow]
    total: int


def runs_view(store: Store, flow: str, project: str, limit: int) -> RunsView:
    """Return the newest runs of a flow, the newest first.

    Args:
        store: where they are recorded.
        flow: name of the flow.
        project: of the flow.
        limit: number of runs to return.
    """
    found = store.runs.list(flow, project, limit=limit + 1)
    total = store.runs.count(flow, project) if len(found) > limit else len(found)
    shown = found[-limit:]
    before = [None, *found] if len(found) <= limit else found
    codes = {run.run_id: _codes(store, run.run_id) for run in found}
    rows = [_row(run, earlier, codes) for run, earlier in zip(shown, before[: len(shown)], strict=True)]
    return RunsView(rows[::-1], total)


def _row(run: RunSummary, earlier: RunSummary | None, codes: Mapping[str, Mapping[str, Any]]) -> RunRow:
    return RunRow(
        id=run.run_id,
        number=str(run.number),
        state=shown_state(run),
        started=run.started.timestamp() if run.started is not None else None,
        took_s=shown_seconds(run),
        counts=shown_counts(run),
        parameters={name: parameter_text(value) for name, value in shown_parameters(run.parameters).items()},
        changed=_changed(run, earlier, codes) if earlier is not None else "",
        message=shorten(listed_message_of(run), 200),
    )


def _changed(run: RunSummary, earlier: RunSummary, codes: Mapping[str, Mapping[str, Any]]) -> str:
    """Return what is different from the run before: parameters with both values, then tasks with other code."""
    parts = []
    for name, value in run.parameters.items():
        before = earlier.parameters.get(name)
        if name not in earlier.parameters:
            parts.append(f"{name}: {_short(name, value)}, new")
        elif before != value:
            parts.append(f"{name}: {_short(name, value)}, was {_short(name, before)}")
    now, then = codes[run.run_id], codes[earlier.run_id]
    edited = [key for key, code in now.items() if key in then and then[key] != code]
    if edited:
        parts.append(f"code of {listed(edited)}")
    if added := [key for key in now if key not in then]:
        parts.append(f"{listed(added)} added")
    if removed := [key for key in then if key not in now]:
        parts.append(f"{listed(removed)} removed")
    return "; ".join(parts) or "nothing"


def _codes(store: Store, run_id: str) -> dict[str, Any]:
    return {task["key"]: task.get("code_hash") for task in store.runs.get(run_id).graph.get("tasks", ())}


def _short(name: str, value: object) -> str:
    return shorten(parameter_text(shown_value(name, value)), _VALUE_LENGTH)
