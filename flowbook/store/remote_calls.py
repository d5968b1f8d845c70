"""The calls by which a process uses a store through the API: which methods of which components, and how each is encoded.

Both ends have the same list; `fingerprint` tells whether it is the same indeed. What isn't listed can't be called.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
from typing import TYPE_CHECKING, Any

from flowbook.exceptions import StoreError
from flowbook.store import served_store as served
from flowbook.store.approval_links import ApprovalLinks
from flowbook.store.deployments import Deployments
from flowbook.store.notices import Notices
from flowbook.store.run_history import RunHistory
from flowbook.store.wire_codec import RECORDS, WireError, coder_of, hints_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flowbook.store.values import Values
    from flowbook.store.wire_codec import Coder

__all__ = ["COMPONENTS", "Call", "call_of", "fingerprint"]

#: By component: its class, and the methods that may be called.
COMPONENTS: Mapping[str, tuple[type[Any], tuple[str, ...]]] = {
    "runs": (
        served.ServedRuns,
        (
            "claim_to_begin", "coming", "count", "create", "create_to_come", "flows", "get", "identifier", "inputs", "list",
            "numbers", "of_deployment", "of_number", "overdue", "summary", "table", "that_begin", "to_begin", "with_process",
        ),
    ),
    "ownership": (
        served.ServedOwnership,
        (
            "beat", "claim", "delete", "finish", "is_owned", "owner", "release", "set_flow", "set_flow_runner",
            "set_identifier", "set_inputs",
        ),
    ),
    "requests": (served.ServedRequests, ("answer", "answer_to", "open", "send", "was_asked")),
    "history": (
        RunHistory,
        (
            "changes_of", "decisions", "decisions_of_flow", "errors", "events", "logs", "newest_result",
            "newest_results", "output_sizes", "results", "results_of_tasks", "snapshot", "states", "task_history",
            "task_versions", "working_times",
        ),
    ),
    "recordings": (served.ServedRecordings, ("begin", "write", "write_progress")),
    "cache": (
        served.ServedCache,
        ("add", "count_uses", "entries", "expire", "flows", "get", "last", "newest", "pin", "renew"),
    ),
    "cache_rows": (
        served.ServedCacheRows,
        (
            "added", "by_numbers", "count", "first", "inputs_of", "inputs_since", "last_number", "names", "near",
            "newest_of_tasks", "of_ids",
        ),
    ),
    "notices": (
        Notices,
        (
            "add_receiver", "claim", "due", "give_up", "log_lines", "next_due", "of_run", "receivers", "remove_receiver",
            "run_to_tell_of", "settle",
        ),
    ),
    "deployments": (
        Deployments,
        (
            "delete", "get", "list", "make_due", "named", "pause", "save", "scheduled", "that_begin", "waiting_runs",
        ),
    ),
    "approvals": (ApprovalLinks, ("make",)),
    "values": (served.ServedValues, ("holds", "previews", "put_rows", "receipt", "row")),
    "plans": (
        served.ServedPlans,
        (
            "content", "durations", "entries", "latest_entries", "makers", "newest_number", "newest_runs", "outputs",
        ),
    ),
    "upkeep": (served.ServedUpkeep, ("make_room", "sweep")),
}  # fmt: skip


class Call:
    """One call.

    Args:
        component: its name.
        method: of that component.

    Attributes:
        name: of both, as addresses have it: "runs.get".
    """

    def __init__(self, component: str, method: str) -> None:
        self.name = f"{component}.{method}"
        self._function: Callable[..., object] = getattr(COMPONENTS[component][0], method)
        hints = hints_of(self._function)
        self._answer = coder_of(hints.pop("return"))
        self._coders: dict[str, Coder] = {name: coder_of(hint) for name, hint in hints.items()}
        self._signature = inspect.signature(self._function)

    def encode(self, *given: object, **named: object) -> dict[str, Any]:
        """Return the arguments of a call as JSON. Raises TypeError: as the method itself would."""
        bound = self._signature.bind(None, *given, **named).arguments
        return {name: coder.encode(bound[name]) for name, coder in self._coders.items() if name in bound}

    def decode(self, given: Mapping[str, Any], values: Values) -> dict[str, Any]:
        """Return the arguments of a call. Raises WireError: if one is missing, unknown or of another type."""
        if unknown := given.keys() - self._coders.keys():
            msg = f"there is no argument {min(unknown)[:100]!r}"
            raise WireError(msg)
        for name in self._coders:
            if name not in given and self._signature.parameters[name].default is inspect.Parameter.empty:
                msg = f"the argument {name!r} is missing"
                raise WireError(msg)
        return {name: self._coders[name].decode(each, values) for name, each in given.items()}

    def encode_answer(self, answer: object) -> Any:  # noqa: ANN401  # JSON
        """Return what the method returned as JSON."""
        return self._answer.encode(answer)

    def decode_answer(self, answer: Any, values: Values) -> Any:  # noqa: ANN401  # JSON, and what the method returns
        """Return what the method returned. Raises StoreError: if it isn't of its type."""
        try:
            return self._answer.decode(answer, values)
        except WireError as error:
            msg = f"The API's answer to {self.name} can't be read: {error}. Use the same flowbook here and for the server."
            raise StoreError(msg) from error


@functools.cache
def call_of(name: str) -> Call | None:
    """Return the call of that name; None if there is none."""
    component, _, method = name.partition(".")
    if component not in COMPONENTS or method not in COMPONENTS[component][1]:
        return None
    return Call(component, method)


@functools.cache
def fingerprint() -> str:
    """Return what is the same only where calls and records are."""
    calls = [
        f"{component}.{method}{inspect.signature(getattr(kind, method))}"
        for component, (kind, methods) in COMPONENTS.items()
        for method in methods
    ]
    fields = [f"{kind.__name__}({', '.join(_fields(kind))})" for kind in RECORDS]
    return hashlib.sha256("\n".join([*calls, *fields]).encode()).hexdigest()[:16]


def _fields(kind: type[Any]) -> list[str]:
    found = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else None
    return [each.name for each in found] if found is not None else list(kind._fields)
