"""How a flow differs from the one that a run was recorded with. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flowbook.exceptions import RunChangedError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FlowChanges", "compare_graphs"]

_NAMED_AT_MOST = 8


@dataclass(frozen=True, slots=True)
class FlowChanges:
    """Keys of tasks that are new, gone, or have other code, inputs, constants, defaults or triggers.

    `definitions` has, by key, a hash of what each task that is new or changed is now.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    definitions: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    def error(self, number: int, flow: str) -> RunChangedError:
        """Return the error that refuses to resume run `number`."""
        kinds = {"added": self.added, "removed": self.removed, "changed": self.changed}
        listed = "; ".join(f"{kind}: {_list(keys)}" for kind, keys in kinds.items() if keys)
        msg = (
            f"Run {number} was recorded with another version of flow {flow!r} ({listed}). "
            "Go on all the same with force=True (on the command line: --force), go on with the flow as it was by naming "
            "none, or run the flow anew."
        )
        return RunChangedError(msg, **kinds)


def compare_graphs(recorded: Mapping[str, Any], current: Mapping[str, Any]) -> FlowChanges:
    """Return what differs between two graphs, both as `store.graph_record` makes them, with code hashes."""
    both = [{task["key"]: task for task in graph["tasks"]} for graph in (recorded, current)]
    names = _compared(*both)
    before, after = ({key: _essence(task, names) for key, task in tasks.items()} for tasks in both)
    added = tuple(key for key in after if key not in before)
    changed = tuple(key for key in after if key in before and after[key] != before[key])
    return FlowChanges(
        added=added,
        removed=tuple(key for key in before if key not in after),
        changed=changed,
        definitions={key: _digest(after[key]) for key in (*added, *changed)},
    )


def _compared(recorded: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[str, ...]:
    """Return which hashes to compare: not those that an older version computed differently or not at all."""
    rules = {(task.get("code_hash") or "").rpartition("-")[0] for tasks in (recorded, given) for task in tasks.values()}
    if len(rules) > 1:
        return ()
    has_wirings = all("wiring" in task for tasks in (recorded, given) for task in tasks.values())
    return ("code_hash", "wiring") if has_wirings else ("code_hash",)


def _essence(task: Mapping[str, Any], names: tuple[str, ...]) -> tuple[object, ...]:
    return *map(task.get, names), sorted(task.get("upstream", ())), task.get("inputs", {}), task.get("mapped", False)


def _digest(essence: tuple[object, ...]) -> str:
    text = json.dumps(essence, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _list(keys: tuple[str, ...]) -> str:
    more = len(keys) - _NAMED_AT_MOST
    return ", ".join(keys[:_NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")
