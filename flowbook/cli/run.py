"""`flowbook run`: recorded runs, listed, looked at, and gone on with."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from flowbook.cli.output import plain
from flowbook.core.flow import Flow
from flowbook.core.history import run as recorded_run
from flowbook.engine.events import FLOW, Logged
from flowbook.engine.replay import spans
from flowbook.engine.task_keys import is_child_key
from flowbook.exceptions import DefinitionError, UnknownRunError
from flowbook.store import open_store
from flowbook.store.process_identity import UNSETTLED, effective_state_of

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable

    from flowbook.cli.output import Output
    from flowbook.engine.events import Event
    from flowbook.flow_run.run import FlowRun
    from flowbook.store import RunSummary

__all__ = ["cancel", "export", "import_", "inspect", "logs", "ls", "resume", "retry"]

_FOLLOW_S = 0.25
_SHORTEST_PREFIX = 4
_GOES_ON = ("Running", "Pending", "Cancelling", None)


def ls(args: Namespace, out: Output) -> int:
    """List the runs, newest last."""
    runs = open_store().runs
    if args.state is None or args.state not in UNSETTLED:
        found = runs.list(flow=args.flow, state=args.state, limit=args.limit)
    else:
        found = [each for each in runs.list(flow=args.flow, is_open=True) if effective_state_of(each) == args.state]
    columns = ("run_id", "flow", "number", "state", "started", "ended", "tasks", "parameters", "origin")
    empty = "No such runs are recorded here. Runs are recorded in notebooks, and by flow.run(record=True)."
    out.table([_row(each) for each in found[-args.limit :]], columns, empty)
    return 0


def inspect(args: Namespace, out: Output) -> int:
    """Show one run: how it stands, and each task."""
    store = open_store()
    runs, history = store.runs, store.history
    run_id = _run_id(args.run)
    events, states = history.events(run_id), history.states(run_id)
    spent = {span.key: span for span in spans(events)}
    tasks = []
    for key in [*_keys(runs.get(run_id).graph), *(key for key in states if is_child_key(key))]:
        state, span = states.get(key), spent.get(key)
        took = None if span is None or span.end is None else round(span.end - span.start, 3)
        name = "Pending" if state is None else type(state).__name__
        message = None if state is None else state.message
        attempt = 0 if span is None else span.attempt
        tasks.append({"task": key, "state": name, "seconds": took, "attempt": attempt, "message": message})
    head = _row(runs.summary(run_id))
    if out.is_json:
        out.record({**head, "states": tasks})
        return 0
    out.record(head)
    out.line("")
    out.table(tasks, ("task", "state", "seconds", "attempt", "message"), "It has no tasks.")
    return 0


def logs(args: Namespace, out: Output) -> int:
    """Write what tasks logged and printed; with --follow until the run is at rest."""
    store = open_store()
    run_id = _run_id(args.run)
    seen, pause = 0, threading.Event()
    while True:
        is_at_rest = effective_state_of(store.runs.summary(run_id)) not in _GOES_ON
        events = store.history.events(run_id, seen)
        seen = events[-1].seq if events else seen
        _write_logs(events, args.task, out)
        if is_at_rest or not args.follow:
            return 0
        pause.wait(_FOLLOW_S)


def cancel(args: Namespace, out: Output) -> int:
    """Cancel a run, wherever it goes on."""
    run = _run(args.run)
    run.cancel(by=args.by, note=args.note)
    run.wait()
    return _told(run, out)


def resume(args: Namespace, out: Output) -> int:
    """Go on with a run, in this process unless another has it, and wait until it is at rest."""
    run = _run(args.run, args.flow)
    run.resume(*args.task, by=args.by, note=args.note, force=args.force)
    return _watched(run, out)


def retry(args: Namespace, out: Output) -> int:
    """Run what failed again, and wait until the run is at rest."""
    run = _run(args.run, args.flow)
    run.retry(by=args.by, note=args.note, force=args.force)
    return _watched(run, out)


def export(args: Namespace, out: Output) -> int:
    """Write a run with its values into a file."""
    path = Path(args.file)
    run_id = _run_id(args.run)
    count = open_store().export_run(run_id, path)
    out.done(
        f"Run {run_id} and its {count:,} values are in {plain(str(path))}.", run_id=run_id, file=str(path), values=count
    )
    return 0


def import_(args: Namespace, out: Output) -> int:
    """Take a run from a file into the store."""
    run_id = open_store().import_run(Path(args.file), trust=args.trust)
    out.done(f"Run {run_id} is here now. See it with: flowbook run inspect {run_id}", run_id=run_id)
    return 0


def _watched(run: FlowRun, out: Output) -> int:
    try:
        run.wait()
    except KeyboardInterrupt:
        run.cancel(by="Ctrl-C")
        run.wait()
    return _told(run, out)


def _told(run: FlowRun, out: Output) -> int:
    """Say how a run stands; return 1 if it failed."""
    state = run.state
    name = type(state).__name__
    sentence = f"Run {run.run_id} of {run.flow_name!r} is {name}. {state.message or ''}".rstrip()
    out.done(plain(sentence), run_id=run.run_id, flow=run.flow_name, state=name, message=state.message)
    return int(state.is_failed())


def _run(given: str, file: str | None = None) -> FlowRun:
    run_id = _run_id(given)
    return recorded_run(run_id, None if file is None else _flow_in(file, open_store().runs.get(run_id).flow))


def _flow_in(file: str, name: str) -> Flow:
    """Return the flow of that name in a Python file, which is run for it.

    Raises:
        DefinitionError: if the file can't be run, or holds no such flow, or several.
    """
    import runpy  # noqa: PLC0415  # only for those who give a file

    try:
        held = runpy.run_path(file, run_name=Path(file).stem)
    except Exception as error:
        msg = f"{plain(file)} can't be run: {type(error).__name__}: {error}. Give a Python file that makes the flow."
        raise DefinitionError(msg, file=file) from error
    flows = {id(each): each for each in held.values() if isinstance(each, Flow)}
    found = [flow for flow in flows.values() if flow.name == name]
    if len(found) != 1:
        there = ", ".join(repr(flow.name) for flow in flows.values()) or "none"
        msg = f"{plain(file)} holds {len(found)} flows named {name!r} (flows in it: {there}). Give the file that makes it once."
        raise DefinitionError(msg, file=file, flow=name)
    return found[0]


def _run_id(given: str) -> str:
    """Return the id of the run that is meant by an id, or by the beginning of one.

    Raises:
        UnknownRunError: if there is none, or there are several.
    """
    runs = open_store().runs
    try:
        return runs.summary(given).run_id
    except UnknownRunError:
        alike = (
            [run_id for run_id in runs.table().run_id if run_id.startswith(given)]
            if len(given) >= _SHORTEST_PREFIX
            else []
        )
    if len(alike) == 1:
        return alike[0]
    if alike:
        msg = f"{len(alike)} runs begin with {given!r}: {', '.join(alike[:5])}. Give more of the id."
    else:
        msg = f"There is no run {given!r} in this store. `flowbook run ls` lists those that there are."
    raise UnknownRunError(msg, run_id=given)


def _write_logs(events: Iterable[Event], task: str | None, out: Output) -> None:
    for event in events:
        if not isinstance(event, Logged) or task not in (None, event.key):
            continue
        level = logging.getLevelName(event.level)
        if out.is_json:
            out.done("", seq=event.seq, task=event.key, at=event.at, level=level, text=event.text)
        else:
            clock = time.strftime("%H:%M:%S", time.localtime(event.at))
            out.line(f"{clock}  {level:<7}  {plain(event.key)}  {plain(event.text.rstrip())}")


def _row(summary: RunSummary) -> dict[str, object]:
    state = effective_state_of(summary)
    return {
        "run_id": summary.run_id,
        "flow": summary.flow,
        "number": summary.number,
        "state": state,
        "message": summary.message,
        "started": summary.started,
        "ended": summary.ended,
        "tasks": dict(summary.counts),
        "parameters": dict(summary.parameters),
        "executor": summary.executor,
        "origin": summary.origin,
        "owner": summary.owner,
        "project": summary.project,
    }


def _keys(graph: object) -> list[str]:
    tasks = graph.get("tasks", ()) if isinstance(graph, dict) else ()
    return [task["key"] for task in tasks if task["key"] != FLOW]
