"""The record of a run that is about to be created, in this process or for another one; its values are stored first."""

from __future__ import annotations

import datetime as dt
import getpass
import os
import platform
from typing import TYPE_CHECKING, NamedTuple

from flowbook import config
from flowbook._context import ContextLayer
from flowbook.engine.masks import Masks
from flowbook.engine.remote_error import safe_repr
from flowbook.flow_run.fingerprint import fingerprint
from flowbook.flow_run.stored_inputs import store_inputs
from flowbook.notices.receiver import store_receivers
from flowbook.store import RunRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flowbook.engine.limits import Limits
    from flowbook.engine.run_inputs import MissingInput, RunInputs
    from flowbook.flow_run.run_description import RunDescription
    from flowbook.store import Store

__all__ = ["NewRecord", "graph_of", "owner_text", "run_record", "shown_value"]

_SHOWN_CHARS = 200


class NewRecord(NamedTuple):
    """The record of a run that is about to be created, whose values are stored.

    Attributes:
        missing: inputs that can't be stored, and why.
        secrets: names of the secrets in its context.
        functions: of this process that are told of the run, by their form in the store.
    """

    record: RunRecord
    missing: tuple[MissingInput, ...]
    secrets: tuple[str, ...]
    functions: Mapping[str, Callable[..., object]]


def run_record(store: Store, run: RunDescription, inputs: RunInputs) -> NewRecord:
    """Store a run's flow and inputs; return its record. Raises StoreError: if they can't be written."""
    flow_ref, why_not = store.runs.store_flow(run.flow)
    stored = store_inputs(inputs, run.graph, store.values)
    told = store_receivers(getattr(run.flow, "notify", ()), store.values)
    masks = Masks.around(ContextLayer(inputs.context), inputs.task_contexts.values())
    record = RunRecord(
        run_id=run.label.run_id,
        flow=run.label.flow_name,
        project=config.project(),
        graph=graph_of(run, inputs.limits),
        created=run.began.astimezone(dt.UTC) + dt.timedelta(seconds=store.ahead_s),
        parameters={name: masks.within(shown_value(value)) for name, value in inputs.parameters.items()},
        parameters_ref=stored.ref,
        further=(*stored.further, *told.refs),
        flow_ref=flow_ref,
        flow_unkept=why_not,
        executor=run.executor.describe(),
        origin=run.origin,
        owner=owner_text(),
        receivers=told.rows,
    )
    return NewRecord(record, stored.missing, stored.secrets, told.functions)


def graph_of(run: RunDescription, limits: Limits | None) -> dict[str, object]:
    """Return the run's graph as the store keeps it, with its limits and the time zone in which it began."""
    return {
        **fingerprint(run.flow, run.graph),
        "limits": _limits_record(limits),
        "utc_offset_s": _utc_offset_s(run.began),
    }


def owner_text() -> str:
    """Return this process's name as an owner, such as "ada@host:4711"."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        user = "somebody"
    return f"{user}@{platform.node()}:{os.getpid()}"


def _limits_record(limits: Limits | None) -> dict[str, object] | None:
    return None if limits is None else {"total": limits.total, "by_tag": dict(limits.by_tag)}


def _utc_offset_s(moment: dt.datetime) -> float | None:
    offset = moment.utcoffset()
    return None if offset is None else offset.total_seconds()


def shown_value(value: object) -> object:
    """Return a parameter's value as it is shown: a number as it is, anything else as a short text."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = value if isinstance(value, str) else safe_repr(value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"
