"""What `--below TASK` on the line of a magic means: a run of what lies below a task, with an earlier output of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from IPython.core.error import UsageError

from flowbook.core.run_below import below_run
from flowbook.core.time_travel import as_of, below_version
from flowbook.flow_run.run_names import find_run_id
from flowbook.notebook.arguments import parse_moment
from flowbook.store import open_store

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping

    from flowbook.core.flow import Flow
    from flowbook.notebook.notebook_flows import NotebookFlows

__all__ = ["EarlierOutput", "earlier_output"]

#: The options that say the same of a part in another way.
_OTHER_PARTS = {"start_at": "--from", "only": "--only", "up_to": "--up-to"}


class EarlierOutput(NamedTuple):
    """An earlier output of a task, to run what lies below it.

    Attributes:
        options: of `flow.run` and `flow.plan`.
        parameters: those with which it was made, as far as the flow still has them.
        words: what the run does, for a sentence: "what lies below clean, from 20 Nov 09:06 (clean of run 11)".
    """

    options: Mapping[str, Any]
    parameters: Mapping[str, object]
    words: str


def earlier_output(flows: NotebookFlows, flow: Flow, args: Namespace) -> EarlierOutput | None:
    """Return the output that the line names with `--below`; None if it names none.

    Raises:
        UsageError: if its options don't fit each other.
        StartTaskError, ResultGoneError, UnknownTaskError, UnknownRunError: if there is no such output, or nothing below it.
    """
    _check(args)
    if args.below is None:
        return None
    key = flow.compile().key_of(flows.task_key(args.below))
    if args.of is None:
        then = as_of(flow, parse_moment(args.at or "now"), None)
        version = then.version(key)
        options, run_id, made_with = below_version(flow, key, version, then), version.run_id, version.parameters
    else:
        run_id, made_with = _run_of(flow, args.of), {}
        options = below_run(flow, key, run_id)
    if run_id is not None:
        made_with = flows.run(run_id).parameters
    return EarlierOutput(options, _known(flow, made_with), f"what lies below {key}, from {options['based_on'].name}")


def _check(args: Namespace) -> None:
    if args.below is None:
        for name in ("at", "of"):
            if getattr(args, name) is not None:
                msg = f"--{name} says which output --below TASK takes. Write --below TASK --{name} {getattr(args, name)!r}."
                raise UsageError(msg)
        return
    if args.at is not None and args.of is not None:
        msg = "--at and --of both say which output to take. Give one of them."
        raise UsageError(msg)
    others = [written for name, written in _OTHER_PARTS.items() if getattr(args, name)]
    if others or args.tasks:
        other = others[0] if others else args.tasks[0]
        msg = f"--below already says what runs: all that lies below {args.below}. Leave out {other}, or --below."
        raise UsageError(msg)


def _run_of(flow: Flow, name: str) -> str:
    """Return the id of the run of the flow that is named. Raises UnknownRunError, UsageError."""
    store = open_store()
    found = store.runs.summary(find_run_id(store, name, flow.name))
    if found.flow != flow.name:
        msg = f"--of {name} is run {found.number} of {found.flow}, not of {flow.name}. %flow list {flow.name} lists its runs."
        raise UsageError(msg)
    return found.run_id


def _known(flow: Flow, parameters: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters that the flow has, without those that the cache knows only by their hash."""
    known = {each.name for each in flow.parameters()}
    return {name: value for name, value in parameters.items() if name in known and not _is_hash(value)}


def _is_hash(value: object) -> bool:
    return isinstance(value, dict) and set(value) == {"$hash"}
